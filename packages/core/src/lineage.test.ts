import { array, assert, constantFrom, integer, property, uniqueArray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeKnowledge, NO_EVICTIONS, withLineage, type Knowledge } from './eviction.ts'
import { hasEnded } from './expiry.ts'
import {
  boundedBy,
  comesTooLate,
  FIRST_KEY,
  issuerIn,
  keyOf,
  laterReissue,
  mergeLineages,
  partingFrom,
  pendingReissue,
  underLineage,
  type Lineage,
  type Reissue,
  type Succession,
} from './lineage.ts'
import { UNBOUND, type SignedRecord } from './record.ts'
import { letter, peer, show, signed } from './samples.ts'
import { parseMeshId, sure, wallTime } from './values.ts'
import { EMPTY_VIEW, isPrivate, withRecord, withReissue } from './view.ts'

const MESH = sure(parseMeshId(peer('M')))
const DAY = 86_400_000

/** The keys of the mesh after M, one after the other; the overlap after M ends with the first day, the next with the second. */
function lineage(keys: string): Lineage {
  return Array.from(keys, (to, index): Succession => {
    const from = keys[index - 1] ?? 'M'
    return {
      mesh: MESH,
      from: peer(from),
      to: peer(to),
      until: wallTime((index + 1) * DAY),
      bytes: new Uint8Array(0),
      hash: `${from}${to}`,
    }
  })
}

const shown = (keys: Lineage): string => keys.map(({ to }) => letter(to)).join('')
const reissue = (of: string, by: string, generation: number, invite = 'Z', issued = 1): Reissue => ({
  subject: peer(of),
  invite: peer(invite),
  issuer: { key: peer(by), generation },
  issued: wallTime(issued),
  bytes: new Uint8Array(0),
  hash: `${of} by ${by}`,
})
const known = (record: SignedRecord, ...reissues: readonly Reissue[]) =>
  reissues.reduce(withReissue, withRecord(EMPTY_VIEW, record)).get(record.record.peer)!

describe('of two lines of keys', () => {
  test.each([
    ['', '', ''],
    ['', 'A', 'A'],
    ['A', 'AB', 'AB'],
    ['A', 'B', 'A'],
    ['B', 'AC', 'AC'],
    ['BCD', 'A', 'A'],
    ['ABD', 'ACE', 'ABD'],
  ])('%s and %s, %s holds', (one, other, holds) => {
    const [a, b] = [lineage(one), lineage(other)]
    expect([shown(mergeLineages(a, b)), shown(mergeLineages(b, a))]).toEqual([holds, holds])
  })

  test('the one that holds is the same whatever is heard first', () => {
    const all = ['', 'A', 'B', 'C', 'AB', 'AC', 'BA', 'BC', 'CA', 'CB', 'ABC', 'ACB', 'BAC', 'BCA', 'CAB', 'CBA'].map((keys) =>
      lineage(keys),
    )
    const same = (a: Lineage, b: Lineage): boolean => shown(a) === shown(b)
    for (const a of all) {
      expect(mergeLineages(a, a)).toBe(a)
      for (const b of all) {
        expect(same(mergeLineages(a, b), mergeLineages(b, a))).toBe(true)
        expect(all.filter((c) => !same(mergeLineages(mergeLineages(a, b), c), mergeLineages(a, mergeLineages(b, c))))).toEqual([])
      }
    }
  })

  test('what is nothing new leaves the very same one', () => {
    const held = lineage('AB')
    expect(mergeLineages(held, lineage('AB'))).toBe(held)
    expect(mergeLineages(held, lineage('A'))).toBe(held)
    const knows: Knowledge = { view: EMPTY_VIEW, evictions: NO_EVICTIONS, lineage: held }
    expect(withLineage(knows, lineage('A'))).toBe(knows)
  })

  test('where they part is told, and that one which parts from what has ended comes too late', () => {
    expect(partingFrom(lineage('AB'), lineage('AC'))).toMatchObject({ to: peer('B') })
    expect([partingFrom(lineage('AB'), lineage('A')), partingFrom(lineage('A'), lineage('AB'))]).toEqual([undefined, undefined])
    const late = (wall: number) => comesTooLate(lineage('BC'), lineage('A'), wallTime(wall))
    expect([late(0), late(DAY), late(DAY + 3_600_000)]).toEqual([false, false, true])
    expect(comesTooLate(lineage('B'), lineage('BC'), wallTime(100 * DAY))).toBe(false)
  })
})

test('the key that speaks for the mesh is the last, and each has its place', () => {
  expect([keyOf(MESH, FIRST_KEY), keyOf(MESH, lineage('AB'))]).toEqual([MESH, peer('B')])
  expect(['M', 'A', 'B', 'C'].map((key) => issuerIn(MESH, lineage('AB'), peer(key)).generation)).toEqual([0, 1, 2, -1])
})

test('no key admits for longer than the one after it, whatever overlaps their operators gave', () => {
  const overlap = integer({ min: 0, max: 10 })
  assert(
    property(array(overlap, { maxLength: 6 }), (days) => {
      const keys = lineage('ABCDEF'.slice(0, days.length)).map((each, at) => ({ ...each, until: wallTime((days[at] ?? 0) * DAY) }))
      const ends = [...keys, undefined].map((_, generation) => boundedBy(UNBOUND, { key: peer('X'), generation }, keys).until ?? Infinity)
      expect(ends).toEqual(ends.toSorted((one, other) => one - other))
    }),
  )
})

test.each<[string, number, number | undefined, number | undefined]>([
  ['of the key that speaks for the mesh have the end that they say', 2, undefined, undefined],
  ['of one before it end with the overlap', 1, undefined, 2 * DAY],
  ['that end before that do so', 1, 5, 5],
  ['of one that is none have ended', -1, undefined, 0],
])('certificates %s', (_what, generation, until, end) => {
  const certified = { ...UNBOUND, until: until === undefined ? undefined : wallTime(until) }
  const bounds = boundedBy(certified, { key: peer('A'), generation }, lineage('AB'))
  expect(bounds.until).toBe(end)
  expect(hasEnded(bounds.until, wallTime(100 * DAY))).toBe(end !== undefined)
})

describe('a certificate made anew', () => {
  test('is to be taken up by who came by that invite, under an earlier key', () => {
    const pending = (record: SignedRecord, of: Reissue) => pendingReissue(known(record, of)) !== undefined
    const later = { ...signed('b', 1), admission: { ...signed('b', 1).admission, issuer: { key: peer('A'), generation: 1 } } }
    expect(pending(signed('b', 1), reissue('b', 'A', 1))).toBe(true)
    expect(pending(signed('b', 1, { invite: 'Y' }), reissue('b', 'A', 1))).toBe(false)
    expect([pending(later, reissue('b', 'A', 1)), pending(later, reissue('b', 'B', 2))]).toEqual([false, true])
    expect(pendingReissue(known(signed('b', 1)))).toBeUndefined()
  })

  test('stays while records come and go, and gives way to a later one only', () => {
    const [first, second] = [reissue('b', 'A', 1), reissue('b', 'B', 2)]
    const view = withReissue(withRecord(EMPTY_VIEW, signed('b', 1)), second)
    expect(withRecord(view, signed('b', 2)).get(peer('b'))).toMatchObject({ reissue: second, signed: { hash: 'b2' } })
    expect(withReissue(view, first)).toBe(view)
    expect(withReissue(view, second)).toBe(view)
    expect(withReissue(EMPTY_VIEW, second)).toBe(EMPTY_VIEW)
    expect([
      laterReissue(first, second),
      laterReissue(second, first),
      laterReissue(undefined, first),
      laterReissue(first, undefined),
    ]).toEqual([second, second, first, first])
  })

  test('for another invite, since the member came by that, takes the place of the one before', () => {
    const [first, second] = [reissue('b', 'A', 1, 'Z', 1), { ...reissue('b', 'A', 1, 'Y', 2), hash: '0' }]
    expect([laterReissue(first, second), laterReissue(second, first)]).toEqual([second, second])
    const view = withReissue(withReissue(withRecord(EMPTY_VIEW, signed('b', 1, { invite: 'Y' })), first), second)
    expect(pendingReissue(view.get(peer('b'))!)).toEqual(second)
  })
})

describe('a view under other keys', () => {
  test('says of each by which its certificates are, and until when those hold, and nothing else of it changes', () => {
    const view = withReissue(withRecord(withRecord(EMPTY_VIEW, signed('b', 1)), signed('c', 2)), reissue('b', 'A', 1))
    const under = underLineage(view, lineage('A'))
    expect(under.get(peer('c'))?.signed.admission).toMatchObject({
      issuer: { generation: 0 },
      bounds: { until: DAY, notAfter: DAY },
      certified: UNBOUND,
    })
    expect(show(under)).toEqual(show(view))
    expect(underLineage(under, lineage('A'))).toEqual(under)
    expect(underLineage(under, lineage('A')).get(peer('c'))).toBe(under.get(peer('c')))
    expect(underLineage(view, FIRST_KEY)).toBe(view)
    expect(under.get(peer('b'))?.reissue).toEqual(reissue('b', 'A', 1))
    // By a key that lost its place, what was made anew counts for nothing.
    expect(underLineage(under, lineage('C')).get(peer('b'))?.reissue).toBeUndefined()
  })
})

/** A record by whoever was certified by that key of a line. */
function signedUnder(keys: string, by: string, number: number): SignedRecord {
  const record = signed('b', number)
  return { ...record, admission: { ...record.admission, issuer: issuerIn(MESH, lineage(keys), peer(by)) } }
}

/** What one member, two reissues of it and three lines of keys come to. */
function knowledges(records: (keys: string) => readonly (SignedRecord | undefined)[]): readonly Knowledge[] {
  return ['', 'A', 'B', 'AC'].flatMap((keys) =>
    records(keys).flatMap((record) =>
      ['', ...Array.from(keys)].map((by): Knowledge => {
        const view = record === undefined ? EMPTY_VIEW : withRecord(EMPTY_VIEW, record)
        const made = by === '' ? view : withReissue(view, reissue('b', by, keys.indexOf(by) + 1))
        return { view: underLineage(made, lineage(keys)), evictions: NO_EVICTIONS, lineage: lineage(keys) }
      }),
    ),
  )
}

const small = knowledges(() => [undefined, signed('b', 1), signed('b', 2)])
/** Its records by later keys as well, of which some lose their place to others. */
const contested = knowledges((keys) => [
  undefined,
  signed('b', 1),
  signed('b', 4),
  ...Array.from(keys, (by, at) => signedUnder(keys, by, 3 - at)),
])
const told = ({ view, lineage: keys }: Knowledge): string =>
  [
    shown(keys),
    ...[...view.values()].map(
      ({ signed: { hash, admission }, reissue: made }) =>
        `${hash} ${String(admission.issuer.generation)} ${String(admission.bounds.until)} ${made?.hash ?? '-'}`,
    ),
  ].join('; ')

describe('merging what is known', () => {
  test('gives the same in every order, however often it is told', () => {
    for (const a of small) {
      expect(told(mergeKnowledge(a, a))).toBe(told(a))
      for (const b of small) {
        expect(told(mergeKnowledge(a, b))).toBe(told(mergeKnowledge(b, a)))
        expect(
          small.filter((c) => told(mergeKnowledge(mergeKnowledge(a, b), c)) !== told(mergeKnowledge(a, mergeKnowledge(b, c)))).map(told),
        ).toEqual([])
      }
    }
  })

  test('by keys that lose their place as well: gives the same in either order, and what all may believe goes before the rest', () => {
    for (const a of contested) {
      expect(told(mergeKnowledge(a, a))).toBe(told(a))
      for (const b of contested) {
        const merged = mergeKnowledge(a, b)
        expect(told(merged)).toBe(told(mergeKnowledge(b, a)))
        const founded = [a, b].flatMap(({ view }) => [...underLineage(view, merged.lineage).values()]).filter((each) => !isPrivate(each))
        const newest = Math.max(...founded.map(({ signed: { record } }) => record.incarnation))
        const held = merged.view.get(peer('b'))
        expect(founded.length === 0 || held?.signed.record.incarnation === newest).toBe(true)
      }
    }
  })

  test('of any lines of keys leaves the least of those that go furthest', () => {
    const keys = uniqueArray(constantFrom('A', 'B', 'C', 'D', 'E', 'F'), { maxLength: 5 })
    assert(
      property(keys, keys, keys, (...three) => {
        const [a, b, c] = three.map((each) => lineage(each.join(''))) as [Lineage, Lineage, Lineage]
        const merged = mergeLineages(mergeLineages(a, b), c)
        expect(
          [a, b, c].every((each) => mergeLineages(merged, each) === merged || shown(mergeLineages(merged, each)) === shown(merged)),
        ).toBe(true)
      }),
    )
  })
})
