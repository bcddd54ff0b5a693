import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accusation, show, signed, viewOf } from './samples.ts'
import type { Accusation } from './accusation.ts'
import type { SignedRecord } from './record.ts'
import { EMPTY_VIEW, merge, withAccusation, withRecord, type View } from './view.ts'

const seven = signed('b', 7)
const eight = signed('b', 8)

test.each<[string, View, readonly string[]]>([
  ['a record is believed', viewOf([seven]), ['b 7 b7']],
  ['a higher incarnation overrides a lower', viewOf([seven, eight]), ['b 8 b8']],
  ['whichever comes first', viewOf([eight, seven]), ['b 8 b8']],
  [
    'of two records of one incarnation the larger hash stands',
    viewOf([signed('b', 7, { hash: 'y' }), signed('b', 7, { hash: 'z' })]),
    ['b 7 z'],
  ],
  ['whichever of those comes first', viewOf([signed('b', 7, { hash: 'z' }), signed('b', 7, { hash: 'y' })]), ['b 7 z']],
  ['an accusation of the incarnation held is kept', viewOf([seven], [accusation('a', 'b', 7)]), ['b 7 b7, a silent']],
  ['an accusation of an older one is not', viewOf([eight], [accusation('a', 'b', 7)]), ['b 8 b8']],
  ['nor one of a newer, whose record has not come', viewOf([seven], [accusation('a', 'b', 8)]), ['b 7 b7']],
  ['nor one of a stranger', viewOf([], [accusation('a', 'b', 7)]), []],
  [
    'an observer counts once, whatever it repeats',
    viewOf([seven], [accusation('a', 'b', 7), accusation('a', 'b', 7)]),
    ['b 7 b7, a silent'],
  ],
  ['silent is graver than gone', viewOf([seven], [accusation('a', 'b', 7, 'gone'), accusation('a', 'b', 7)]), ['b 7 b7, a silent']],
  ['and is not taken back', viewOf([seven], [accusation('a', 'b', 7), accusation('a', 'b', 7, 'gone')]), ['b 7 b7, a silent']],
  [
    'a higher incarnation refutes all accusations',
    withRecord(viewOf([seven], [accusation('a', 'b', 7), accusation('c', 'b', 7)]), eight),
    ['b 8 b8'],
  ],
])('%s', (_name, view, lines) => {
  expect(show(view)).toEqual(lines)
})

test('what is nothing new leaves the very same view', () => {
  const view = viewOf([seven], [accusation('a', 'b', 7)])
  expect(withRecord(view, seven)).toBe(view)
  expect(withRecord(view, signed('b', 6))).toBe(view)
  expect(withAccusation(view, accusation('a', 'b', 7))).toBe(view)
  expect(withAccusation(view, accusation('a', 'b', 6))).toBe(view)
  expect(merge(view, view)).toBe(view)
})

type Event = { readonly record: SignedRecord } | { readonly accusation: Accusation }

/** Two members, three incarnations with two hashes each, two observers with two testimonies each. */
const events: readonly Event[] = ['a', 'b'].flatMap((of) =>
  [1, 2, 3].flatMap((number) => [
    ...['x', 'y'].map((hash) => ({ record: signed(of, number, { hash }) })),
    ...['c', 'd'].flatMap((observer) =>
      (['silent', 'gone'] as const).map((testimony) => ({ accusation: accusation(observer, of, number, testimony) })),
    ),
  ]),
)

function heard(history: readonly Event[]): View {
  return history.reduce(
    (view, event) => ('record' in event ? withRecord(view, event.record) : withAccusation(view, event.accusation)),
    EMPTY_VIEW,
  )
}

const same = (a: View, b: View): boolean => show(a).join('\n') === show(b).join('\n')

describe('merging', () => {
  /** Every view of one member that can arise from any of these. */
  const small = [
    ...new Map(
      [[], ...events.filter((event) => 'record' in event && event.record.record.peer.endsWith('b'))]
        .flatMap((first) => {
          const base = Array.isArray(first) ? EMPTY_VIEW : heard([first])
          const testimonies = [[], ['silent'], ['gone']] as const
          return testimonies.flatMap((c) =>
            testimonies.map((d) => {
              const number = base.first()?.signed.record.incarnation ?? 1
              const accusations = [
                ...c.map((each) => accusation('c', 'b', number, each)),
                ...d.map((each) => accusation('d', 'b', number, each)),
              ]
              return accusations.reduce(withAccusation, base)
            }),
          )
        })
        .map((view) => [show(view).join('\n'), view]),
    ).values(),
  ]

  test('is idempotent, commutative and associative, for every pair and triple of small views', () => {
    expect(small.length).toBe(1 + 6 * 9)
    for (const a of small) {
      expect(merge(a, a)).toBe(a)
      for (const b of small) {
        expect(same(merge(a, b), merge(b, a))).toBe(true)
        expect(small.filter((c) => !same(merge(merge(a, b), c), merge(a, merge(b, c))))).toEqual([])
      }
    }
  })

  const history = fc.array(fc.constantFrom(...events), { maxLength: 12 })

  test('obeys the same laws for views of any history', () => {
    fc.assert(
      fc.property(history, history, history, (first, second, third) => {
        const [a, b, c] = [heard(first), heard(second), heard(third)]
        expect(show(merge(a, a))).toEqual(show(a))
        expect(show(merge(a, b))).toEqual(show(merge(b, a)))
        expect(show(merge(merge(a, b), c))).toEqual(show(merge(a, merge(b, c))))
        expect(merge(merge(a, b), a)).toEqual(merge(a, b))
      }),
    )
  })

  test('agrees whatever the order, when every record comes before what accuses it', () => {
    const records = events.filter((event) => 'record' in event)
    const accusations = events.filter((event) => 'accusation' in event)
    fc.assert(
      fc.property(fc.shuffledSubarray(records), fc.shuffledSubarray(accusations), (some, others) => {
        expect(show(heard([...some, ...others]))).toEqual(show(heard([...some.toReversed(), ...others.toReversed()])))
      }),
    )
  })

  test('never goes back to a lower incarnation', () => {
    fc.assert(
      fc.property(history, history, (first, second) => {
        const before = heard(first)
        const after = merge(before, heard(second))
        for (const [peer, belief] of before) {
          expect(after.get(peer)!.signed.record.incarnation).toBeGreaterThanOrEqual(belief.signed.record.incarnation)
        }
      }),
    )
  })
})
