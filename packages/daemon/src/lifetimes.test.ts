import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { wallTime } from '@vxmesh/core'
import { expiryNotes, expiryOf, ownExpiry, warnOfExpiry } from './lifetimes.ts'

const DAY = 86_400_000
const until = wallTime(Date.parse('2027-01-31T12:00:00Z'))
const left = (offset: number) => wallTime(until - offset)

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

test.each<[string, number, string | undefined, string | undefined]>([
  ['a year is left', 365 * DAY, undefined, undefined],
  [
    '20 days are left',
    20 * DAY,
    'the membership of this host ends in 20 days, on 2027-01-31T12:00:00.000Z: renew it with',
    'its membership ends in 20 days',
  ],
  ['a day is left', DAY, 'the membership of this host ends in 24 hours, on', 'its membership ends in 24 hours'],
  ['an hour is left', DAY / 24, 'the membership of this host ends in 1 hour, on', 'its membership ends in 1 hour'],
  [
    'it has ended',
    -DAY,
    'the membership of this host ended on 2027-01-31T12:00:00.000Z: ',
    'its membership ended on 2027-01-31T12:00:00.000Z',
  ],
])('when %s, the member itself and the others are told so', (_name, offset, own, note) => {
  const said = ownExpiry({ until }, left(offset))
  expect(said.map((text) => text.slice(0, own?.length))).toEqual(own === undefined ? [] : [own])
  expect(expiryNotes({ until }, left(offset))).toEqual(note === undefined ? [] : [note])
})

test('what has no end is not spoken of', () => {
  expect([ownExpiry({ until: undefined }, until), ownExpiry(undefined, until), expiryNotes({ until: undefined }, until)]).toEqual([
    [],
    [],
    [],
  ])
  expect([expiryOf({ until }), expiryOf({ until: undefined })]).toEqual(['2027-01-31T12:00:00.000Z', null])
})

test('the log is told at 30, 7 and 1 days and at the end, and of a renewed membership anew', async () => {
  const [said, now] = [new Set<string>(), { left: 31 * DAY, until }]
  using _watch = warnOfExpiry(
    () => now,
    () => left(now.left),
    (key) => void said.add(key),
  )
  const keys: number[] = []
  for (const days of [31, 29, 28, 6, 0.5, 0.4, -1]) {
    now.left = days * DAY
    await vi.advanceTimersByTimeAsync(60_000)
    keys.push(said.size)
  }
  expect(keys).toEqual([0, 1, 1, 2, 3, 3, 4])
})
