import { Map } from 'immutable'
import { array, assert, boolean, constant, constantFrom, integer, oneof, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIRST_KEY } from './lineage.ts'
import { isEvicted, NO_EVICTIONS, withEviction } from './eviction.ts'
import { accusation, eviction, peer, signed, viewOf } from './samples.ts'
import {
  hear,
  hearLate,
  LONE_ACCUSER,
  nextVerdict,
  judge,
  NOBODY_JUDGED,
  NOTHING_HEARD,
  quorum,
  RESTART_HOLD,
  standings,
  type Heard,
  type Standing,
} from './member.ts'
import type { Accusation } from './accusation.ts'
import { instant, seconds } from './values.ts'
import { EMPTY_VIEW, withAccusation, withRecord, type View } from './view.ts'

/** Members a, b, c …, all at incarnation 1. */
function mesh(size: number): readonly ReturnType<typeof signed>[] {
  return Array.from('abcdefgh')
    .slice(0, size)
    .map((letter) => signed(letter, 1))
}

function members(view: View): number {
  return judge(NOBODY_JUDGED, { view, before: EMPTY_VIEW, changed: view.keys(), heard: NOTHING_HEARD, now: instant(0) }).judgement.members
}

/** What is heard of a view whose accusations all came at instant 0. */
function heardAtOnce(view: View): Heard {
  return [...view.keys()].reduce((heard, each) => hear(heard, view, each, quorum(members(view)), instant(0)), NOTHING_HEARD)
}

function standingOf(size: number, accusations: readonly Accusation[], after: number): Standing | undefined {
  const view = viewOf(mesh(size), accusations)
  return standings(view, heardAtOnce(view), instant(after)).get(peer('b'))
}

const by = (...observers: readonly string[]) => observers.map((observer) => accusation(observer, 'b', 1))
const gone = (...observers: readonly string[]) => observers.map((observer) => accusation(observer, 'b', 1, 'gone'))

test.each<[string, number, readonly Accusation[], number, Standing]>([
  ['nobody says anything: alive', 5, [], 0, { state: 'alive' }],
  ['one of five calls it silent: suspect', 5, by('a'), 0, { state: 'suspect', accusers: 1 }],
  ['two of five: still suspect', 5, by('a', 'c'), 0, { state: 'suspect', accusers: 2 }],
  ['three of five: dead', 5, by('a', 'c', 'd'), 0, { state: 'dead', because: 'quorum' }],
  ['three of eight: dead', 8, by('a', 'c', 'd'), 0, { state: 'dead', because: 'quorum' }],
  ['one of three: suspect', 3, by('a'), 0, { state: 'suspect', accusers: 1 }],
  ['two of three: dead', 3, by('a', 'c'), 0, { state: 'dead', because: 'quorum' }],
  ['the other of two: dead', 2, by('a'), 0, { state: 'dead', because: 'quorum' }],
  ['one accuser, just before its word has stood long enough: suspect', 5, by('a'), LONE_ACCUSER - 1, { state: 'suspect', accusers: 1 }],
  ['one accuser whose word stood unrefuted: dead', 5, by('a'), LONE_ACCUSER, { state: 'dead', because: 'lone accuser' }],
  ['a host that refuses connections: restarting', 5, gone('a'), 0, { state: 'restarting', since: instant(0) }],
  ['however many say so', 5, gone('a', 'c', 'd', 'e'), 0, { state: 'restarting', since: instant(0) }],
  ['restarting for too long: dead', 5, gone('a'), RESTART_HOLD, { state: 'dead', because: 'restart hold' }],
  ['restarting for nearly too long: restarting', 5, gone('a'), RESTART_HOLD - 1, { state: 'restarting', since: instant(0) }],
  ['refusing to some and silent to one: restarting', 5, [...gone('a', 'c'), ...by('d')], 0, { state: 'restarting', since: instant(0) }],
  [
    'refusing to some and silent to one for long: dead',
    5,
    [...gone('a', 'c'), ...by('d')],
    LONE_ACCUSER,
    { state: 'dead', because: 'lone accuser' },
  ],
  [
    'accused by who is dead itself: alive',
    5,
    [...by('a'), ...['c', 'd', 'e'].map((each) => accusation(each, 'a', 1))],
    0,
    { state: 'alive' },
  ],
  ['accused by strangers only: alive', 5, by('x', 'y', 'z'), 0, { state: 'alive' }],
  [
    'two halves that accuse each other: neither believes the accused',
    4,
    [
      ...by('c', 'd'),
      ...['c', 'd'].map((each) => accusation(each, 'a', 1)),
      ...['a', 'b'].flatMap((each) => ['c', 'd'].map((subject) => accusation(each, subject, 1))),
    ],
    0,
    { state: 'alive' },
  ],
])('%s', (_name, size, accusations, after, expected) => {
  expect(standingOf(size, accusations, after)).toEqual(expected)
})

test('a member that says it leaves has left, whoever accuses it', () => {
  const view = viewOf(
    [...mesh(5), signed('b', 2, { leaving: true })],
    ['a', 'c', 'd'].map((each) => accusation(each, 'b', 2)),
  )
  expect(standings(view, heardAtOnce(view), instant(0)).get(peer('b'))).toEqual({ state: 'left' })
})

test('a member that has left accuses nobody', () => {
  const view = viewOf([...mesh(5), signed('a', 2, { leaving: true })], by('a'))
  expect(standings(view, heardAtOnce(view), instant(60_000)).get(peer('b'))).toEqual({ state: 'alive' })
})

/** A view in which some are evicted. */
function without(view: View, ...evicted: readonly string[]): View {
  return evicted.reduce((known, of) => withEviction(known, eviction(of)), { view, evictions: NO_EVICTIONS, lineage: FIRST_KEY }).view
}

test.each<[string, View, string, Standing]>([
  ['a member that the mesh key evicted is evicted', without(viewOf(mesh(5)), 'b'), 'b', { state: 'evicted' }],
  ['whoever accuses it', without(viewOf(mesh(5), by('a', 'c', 'd')), 'b'), 'b', { state: 'evicted' }],
  ['though it says that it leaves', without(viewOf([signed('b', 2, { leaving: true })]), 'b'), 'b', { state: 'evicted' }],
  ['so is one whose invite was', without(viewOf([signed('b', 1, { invite: 'Y' }), signed('c', 1)]), 'Y'), 'b', { state: 'evicted' }],
  ['and not one that came by another', without(viewOf([signed('b', 1, { invite: 'Y' }), signed('c', 1)]), 'Y'), 'c', { state: 'alive' }],
  ['an evicted member accuses nobody', without(viewOf(mesh(5), by('a')), 'a'), 'b', { state: 'alive' }],
  ['and nobody has died of its word', without(viewOf(mesh(8), by('a', 'c', 'd')), 'a'), 'b', { state: 'suspect', accusers: 2 }],
  [
    'of five members one is evicted: two accusers are enough',
    without(viewOf(mesh(5), by('a', 'c')), 'e'),
    'b',
    { state: 'dead', because: 'quorum' },
  ],
])('%s', (_name, view, of, expected) => {
  expect(standings(view, heardAtOnce(view), instant(0)).get(peer(of))).toEqual(expected)
})

test('what an evicted member says later counts for nothing, and nor does what is said of it', () => {
  const view = without(viewOf(mesh(5)), 'a')
  expect(withAccusation(view, accusation('a', 'b', 1))).toBe(view)
  expect(withAccusation(view, accusation('b', 'a', 1))).toBe(view)
})

test('a member refutes everybody by raising its incarnation', () => {
  const view = withRecord(viewOf(mesh(5), by('a', 'c', 'd')), signed('b', 2))
  expect(standings(view, heardAtOnce(view), instant(60_000)).get(peer('b'))).toEqual({ state: 'alive' })
})

test.each([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 3],
  [8, 3],
])('of %i members, %i must agree', (size, expected) => {
  expect(quorum(size)).toBe(expected)
})

test('the dead count as members and those who left do not', () => {
  expect(
    members(
      viewOf(
        mesh(5),
        ['a', 'c', 'd'].map((each) => accusation(each, 'b', 1)),
      ),
    ),
  ).toBe(5)
  expect(members(viewOf([...mesh(5), signed('b', 2, { leaving: true })]))).toBe(4)
})

/** A standing without why it is that: who died of one thing has not died anew when another is true as well. */
function shown(is: Standing | undefined): string {
  return is?.state === 'suspect' ? `suspect of ${String(is.accusers)}` : String(is?.state)
}

describe('what is judged change by change is what would be judged at once', () => {
  const letters = ['a', 'b', 'c', 'd', 'e', 'f'] as const
  const letterOf = constantFrom(...letters)
  // Most are members for most of the time, and accused of what they last said: where all are soon evicted nothing is judged.
  const event = oneof(
    {
      weight: 6,
      arbitrary: record({
        kind: constant('accusation' as const),
        by: letterOf,
        of: letterOf,
        number: integer({ min: 1, max: 2 }),
        testimony: constantFrom('silent' as const, 'gone' as const),
      }),
    },
    { weight: 4, arbitrary: record({ kind: constant('time' as const), seconds: constantFrom(1, 5, 10, 60, 120) }) },
    {
      weight: 2,
      arbitrary: record({
        kind: constant('record' as const),
        of: letterOf,
        number: integer({ min: 2, max: 4 }),
        leaving: boolean(),
        invite: constantFrom('Y', 'Z'),
      }),
    },
    { weight: 1, arbitrary: record({ kind: constant('eviction' as const), of: constantFrom(...letters, 'Y') }) },
  )

  test('whatever is heard in whatever order, with any time in between', () => {
    assert(
      property(array(event, { minLength: 5, maxLength: 60, size: 'max' }), (events) => {
        const first = viewOf(mesh(letters.length))
        const begun = judge(NOBODY_JUDGED, {
          view: first,
          before: EMPTY_VIEW,
          changed: first.keys(),
          heard: NOTHING_HEARD,
          now: instant(0),
        })
        let [view, evictions, heard, judgement, now] = [first, NO_EVICTIONS, begun.heard, begun.judgement, 0]
        for (const each of events) {
          if (each.kind === 'time') now += 1000 * each.seconds
          const said = each.kind === 'record' ? signed(each.of, each.number, { leaving: each.leaving, invite: each.invite }) : undefined
          const known =
            each.kind === 'eviction' ? withEviction({ view, evictions, lineage: FIRST_KEY }, eviction(each.of)) : { view, evictions }
          evictions = known.evictions
          const next =
            said !== undefined
              ? isEvicted(evictions, said)
                ? view
                : withRecord(view, said)
              : each.kind === 'accusation' && each.by !== each.of
                ? withAccusation(view, accusation(each.by, each.of, each.number, each.testimony))
                : known.view
          const changed = [...next.keys()].filter((of) => next.get(of) !== view.get(of))
          const judged = judge(judgement, { view: next, before: view, changed, heard, now: instant(now) })
          const before = judgement.standings
          judgement = judged.judgement
          heard = judged.heard
          view = next
          expect(judgement.standings.map(shown).toJS()).toEqual(standings(view, heard, instant(now)).map(shown).toJS())
          expect(judgement.verdictAt === undefined || judgement.verdictAt > now).toBe(true)
          const due = nextVerdict(heard, instant(now)) ?? Infinity
          expect(due === Infinity ? 0 : judgement.verdictAt).toBeLessThanOrEqual(due)
          const differing = judgement.standings.filter((is, of) => shown(before.get(of)) !== shown(is))
          expect(Map(judged.changes.map(({ peer: of, is }) => [of, is])).toJS()).toEqual(differing.toJS())
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('the word of one that left and came back is as old as its return', () => {
  const view = viewOf(mesh(5), by('a'))
  const steps: readonly (readonly [View, number])[] = [
    [view, 0],
    [withRecord(view, signed('a', 2, { leaving: true })), 1000],
    [withRecord(view, signed('a', 3)), 60_000],
  ]
  let [heard, judgement, before] = [NOTHING_HEARD, NOBODY_JUDGED, EMPTY_VIEW]
  const seen = steps.map(([next, at]) => {
    const judged = judge(judgement, { view: next, before, changed: next.keys(), heard, now: instant(at) })
    ;[heard, judgement, before] = [judged.heard, judged.judgement, next]
    return judgement.standings.get(peer('b'))?.state
  })
  expect(seen).toEqual(['suspect', 'alive', 'suspect'])
})

describe('what is heard', () => {
  const view = viewOf(mesh(5), [...by('a'), ...gone('c')])

  test('keeps the first time of each testimony', () => {
    const first = hear(NOTHING_HEARD, viewOf(mesh(5), by('a')), peer('b'), 3, instant(10))
    const then = hear(first, view, peer('b'), 3, instant(20))
    expect(then.get(peer('b'))).toEqual({ incarnation: 1, silent: 10, gone: 20 })
    expect(hear(then, view, peer('b'), 3, instant(30))).toBe(then)
  })

  test('is forgotten when it is refuted', () => {
    const first = hear(NOTHING_HEARD, view, peer('b'), 3, instant(10))
    expect(hear(first, withRecord(view, signed('b', 2)), peer('b'), 3, instant(20)).has(peer('b'))).toBe(false)
    const accusedAnew = viewOf([...mesh(5), signed('b', 2)], [accusation('a', 'b', 2)])
    expect(hear(first, accusedAnew, peer('b'), 3, instant(30)).get(peer('b'))).toEqual({ incarnation: 2, silent: 30 })
  })

  test('says when time alone will change a standing', () => {
    const heard = hear(NOTHING_HEARD, view, peer('b'), 3, instant(10))
    expect(nextVerdict(heard, instant(20))).toBe(10 + LONE_ACCUSER)
    expect(nextVerdict(heard, instant(10 + LONE_ACCUSER))).toBe(10 + RESTART_HOLD)
    expect(nextVerdict(heard, instant(10 + RESTART_HOLD))).toBeUndefined()
  })

  test('waits out a time in which nobody listened, and does not take back what was decided before', () => {
    const heard = hear(NOTHING_HEARD, view, peer('b'), 3, instant(0))
    expect(hearLate(heard, instant(4000), instant(64_000)).get(peer('b'))).toEqual({ incarnation: 1, silent: 60_000, gone: 60_000 })
    const decided = instant(seconds(20))
    expect(hearLate(heard, decided, instant(80_000)).get(peer('b'))).toEqual({ incarnation: 1, silent: 0, gone: 60_000 })
  })
})
