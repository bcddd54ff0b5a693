import { expect, test } from 'vitest'
import { isRecent, pauseAfter, restAfter } from './pace.ts'
import { instant, milliseconds } from './values.ts'

test.each<[string, number, boolean, number]>([
  ['all is well: a minute', 0, false, 60_000],
  ['removals are held: a second', 0, true, 1000],
  ['the kernel refused once: soon', 1, false, 200],
  ['it refused again: later', 2, false, 400],
  ['it refuses on and on: not much later', 60, false, 5000],
  ['it refuses while removals are held: as without', 3, true, 800],
])('%s', (_name, failures, held, expected) => {
  expect(pauseAfter(failures, held)).toBe(expected)
})

test('a rest is twice the turn, and ends', () => {
  expect([30, 60_000].map((took) => restAfter(milliseconds(took)))).toEqual([60, 5000])
})

test('a reading is recent for a minute', () => {
  expect([0, 59_999, 60_000].map((later) => isRecent(instant(1000), instant(1000 + later)))).toEqual([true, true, false])
})
