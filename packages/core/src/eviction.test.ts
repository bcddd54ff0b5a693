import { describe, expect, test } from 'vitest'
import { FIRST_KEY } from './lineage.ts'
import { isEvicted, mergeKnowledge, NO_EVICTIONS, withEviction, type Knowledge } from './eviction.ts'
import { accusation, eviction, letter, peer, show, signed, viewOf } from './samples.ts'
import { withRecord, type View } from './view.ts'

const known = (view: View, ...evicted: readonly string[]): Knowledge =>
  evicted.map(eviction).reduce(withEviction, { view, evictions: NO_EVICTIONS, lineage: FIRST_KEY })

/** What counts of it: who is evicted, and what is believed of the others. */
function shown({ view, evictions }: Knowledge): readonly string[] {
  return [...[...evictions.keys()].map((key) => `without ${letter(key)}`).toSorted(), ...show(view)]
}

const both = viewOf([signed('a', 1), signed('b', 7)], [accusation('a', 'b', 7), accusation('b', 'a', 1)])

test.each<[string, Knowledge, readonly string[]]>([
  ['nobody', known(both), ['a 1 a1, b silent', 'b 7 b7, a silent']],
  ['a member, whose word is taken from all others', known(both, 'b'), ['without b', 'a 1 a1', 'b 7 b7 evicted']],
  ['a member twice is the same as once', known(both, 'b', 'b'), ['without b', 'a 1 a1', 'b 7 b7 evicted']],
  ['somebody who was never heard of', known(both, 'x'), ['without x', 'a 1 a1, b silent', 'b 7 b7, a silent']],
  ['an invite, and all who came by it', known(both, 'Z'), ['without Z', 'a 1 a1 evicted', 'b 7 b7 evicted']],
  [
    'an invite, and nobody who came by another',
    known(viewOf([signed('a', 1), signed('b', 7, { invite: 'Y' })], [accusation('a', 'b', 7)]), 'Y'),
    ['without Y', 'a 1 a1', 'b 7 b7 evicted'],
  ],
])('there is evicted %s', (_name, knowledge, lines) => {
  expect(shown(knowledge)).toEqual(lines)
})

test('what is nothing new leaves the very same knowledge, and the first statement stands', () => {
  const once = known(both, 'b')
  expect(withEviction(once, { ...eviction('b'), hash: 'another' })).toBe(once)
})

test('a record of an evicted member stays one, and one under another invite is not', () => {
  const { evictions } = known(both, 'b', 'Y')
  expect(isEvicted(evictions, signed('b', 99))).toBe(true)
  expect(isEvicted(evictions, signed('c', 1, { invite: 'Y' }))).toBe(true)
  expect(isEvicted(evictions, signed('c', 1))).toBe(false)
})

test('whoever is admitted anew, by another invite, is what it says now', () => {
  const { view, evictions } = known(viewOf([signed('b', 7, { invite: 'Y' })]), 'Y')
  const again = signed('b', 8)
  expect(isEvicted(evictions, again)).toBe(false)
  expect(withRecord(view, again).get(peer('b'))).toMatchObject({ signed: again, evicted: false })
})

describe('merging', () => {
  /** Two members, by an invite each; one of them at one of two incarnations, accused or not by the other; and every set of evictions. */
  const records = {
    a: [undefined, signed('a', 1, { invite: 'Y' })],
    b: [undefined, signed('b', 1), signed('b', 2)],
  }
  const subsets = (keys: readonly string[]): readonly (readonly string[])[] =>
    keys.reduce<readonly (readonly string[])[]>((sets, key) => sets.flatMap((set) => [set, [...set, key]]), [[]])
  const small = [
    ...new Map(
      records.a.flatMap((a) =>
        records.b.flatMap((b) =>
          (b === undefined || a === undefined ? [[]] : [[], [accusation('a', 'b', b.record.incarnation)]]).flatMap((said) =>
            subsets(['a', 'b', 'Y']).map((evicted) => {
              const knowledge = known(
                viewOf(
                  [a, b].filter((each) => each !== undefined),
                  said,
                ),
                ...evicted,
              )
              return [shown(knowledge).join('\n'), knowledge] as const
            }),
          ),
        ),
      ),
    ).values(),
  ]
  const same = (one: Knowledge, other: Knowledge): boolean => shown(one).join('\n') === shown(other).join('\n')

  test('is idempotent, commutative and associative, for every pair and triple of small states with evictions', () => {
    expect(small.length).toBe(50)
    for (const a of small) {
      expect(same(mergeKnowledge(a, a), a)).toBe(true)
      for (const b of small) {
        expect(same(mergeKnowledge(a, b), mergeKnowledge(b, a))).toBe(true)
        expect(
          small.filter((c) => !same(mergeKnowledge(mergeKnowledge(a, b), c), mergeKnowledge(a, mergeKnowledge(b, c)))).map(shown),
        ).toEqual([])
      }
    }
  })

  test('never brings back who is evicted, whatever it is merged with', () => {
    for (const a of small) {
      for (const b of small) {
        const { view, evictions } = mergeKnowledge(a, b)
        for (const belief of view.values()) expect(belief.evicted).toBe(isEvicted(evictions, belief.signed))
      }
    }
  })
})
