import { Map } from 'immutable'
import { describe, expect, test } from 'vitest'
import { endedAfter, endedWith, EXPIRY_GRACE, isDoubtful, lapsed, lifetime, type Ended } from './expiry.ts'
import { letter, peer, signed, viewOf } from './samples.ts'
import { after, instant, milliseconds, wallTime, type Instant, type WallTime } from './values.ts'

const [MINUTE, DAY] = [60_000, 86_400_000]
const END = wallTime(1_000 * DAY)
const at = (offset: number): WallTime => wallTime(END + offset)

test.each<[string, number, string]>([
  ['a year before', -365 * DAY, 'lasting'],
  ['a moment more than 30 days before', -30 * DAY - 1, 'lasting'],
  ['30 days before', -30 * DAY, 'ending 30'],
  ['a moment more than 7 days before', -7 * DAY - 1, 'ending 30'],
  ['7 days before', -7 * DAY, 'ending 7'],
  ['a moment more than one day before', -DAY - 1, 'ending 7'],
  ['one day before', -DAY, 'ending 1'],
  ['at the end', 0, 'ending 1'],
  ['10 minutes after, which clocks may differ by', 10 * MINUTE, 'ending 1'],
  ['more than 10 minutes after', 10 * MINUTE + 1, 'ended'],
  ['a year after', 365 * DAY, 'ended'],
])('%s a membership is %s by %s', (_name, offset, expected) => {
  const left = lifetime(END, at(offset))
  expect(left.state === 'ending' ? `ending ${String(left.days)}` : left.state).toBe(expected)
})

test('a membership without an end lasts', () => {
  expect(lifetime(undefined, at(1e6 * DAY))).toEqual({ state: 'lasting' })
})

const bounded = viewOf([signed('a', 1), signed('b', 1, { bounds: { until: END } }), signed('c', 1, { bounds: { until: at(DAY) } })])
const seen = (ended: Ended) => [...ended].map(([of, since]) => `${letter(of)} ${String(since)}`).toSorted()

describe('who has ended', () => {
  test('is seen with the time of the clock that nobody sets, and keeps the first', () => {
    const first = endedAfter(Map(), bounded, at(11 * MINUTE), instant(5))
    expect(seen(first)).toEqual(['b 5'])
    const second = endedAfter(first, bounded, at(2 * DAY), instant(7))
    expect(seen(second)).toEqual(['b 5', 'c 7'])
    expect(endedAfter(second, bounded, at(3 * DAY), instant(9))).toBe(second)
  })

  test.each<[string, number, number, readonly string[]]>([
    ['an end seen now', 0, 400 * DAY, []],
    ['a clock that jumps by a year', 1000, 400 * DAY, []],
    ['a moment less than a week', EXPIRY_GRACE - 1, DAY, []],
    ['a week', EXPIRY_GRACE, 11 * MINUTE, ['b']],
  ])('after %s their entries go, or not', (_name, waited, offset, gone) => {
    const start: Instant = instant(100)
    const ended = endedAfter(Map(), bounded, at(offset), start)
    expect([...lapsed(ended, after(start, milliseconds(waited)))].map(letter).filter((of) => of === 'b')).toEqual(gone)
  })

  test('begins anew when the clock was set back, when the membership was renewed, and when the member is gone', () => {
    const ended = endedAfter(Map(), bounded, at(11 * MINUTE), instant(5))
    expect(seen(endedAfter(ended, bounded, at(0), instant(6)))).toEqual([])
    const renewed = viewOf([signed('b', 2, { bounds: { until: at(400 * DAY) } })])
    expect(seen(endedAfter(ended, renewed, at(DAY), instant(6)))).toEqual([])
    expect(seen(endedWith(ended, renewed.get(peer('b'))!, at(DAY), instant(6)))).toEqual([])
    expect(seen(endedAfter(ended, viewOf([signed('b', 2, { leaving: true, bounds: { until: END } })]), at(DAY), instant(6)))).toEqual([])
    expect(seen(endedAfter(ended, viewOf([signed('a', 1)]), at(DAY), instant(6)))).toEqual([])
  })

  test('of one member is what it is of all', () => {
    expect(seen(endedWith(Map(), bounded.get(peer('b'))!, at(DAY), instant(5)))).toEqual(['b 5'])
    const known = endedWith(Map(), bounded.get(peer('b'))!, at(DAY), instant(5))
    expect(endedWith(known, bounded.get(peer('b'))!, at(2 * DAY), instant(6))).toBe(known)
    expect(seen(endedWith(Map(), bounded.get(peer('a'))!, at(DAY), instant(5)))).toEqual([])
  })

  test('is in doubt when most have at once', () => {
    const of = (count: number): Ended => Map(['a', 'b', 'c'].slice(0, count).map((each) => [peer(each), instant(1)]))
    expect([0, 1, 2, 3].map((count) => isDoubtful(of(count), 4))).toEqual([false, false, false, true])
  })
})
