import { expect, test } from 'vitest'
import { MASS_FAILURE_HOLD, removalHold, START_HOLD, type Surroundings } from './hold.ts'
import { instant } from './values.ts'

const settled: Surroundings = {
  now: instant(100_000),
  startedAt: instant(0),
  exchanged: true,
  isolated: false,
  deaths: [],
  members: 8,
  evicted: false,
}
const deaths = (...times: readonly number[]) => times.map(instant)

const ISOLATED = 'isolated: no other member is heard'
const STARTING = 'starting: no exchange with another member yet'
const MANY = 'many members died at once: their entries are kept for 10 s'

test.each<[string, Partial<Surroundings>, string | undefined]>([
  ['a member among members removes what it must', {}, undefined],
  ['an isolated one removes nothing', { isolated: true }, ISOLATED],
  ['one that is evicted removes everything, though nobody speaks to it', { isolated: true, evicted: true }, undefined],
  ['one that has just started removes nothing before it has exchanged views', { exchanged: false, startedAt: instant(90_000) }, STARTING],
  ['nor while that may still come', { exchanged: false, startedAt: instant(100_001 - START_HOLD) }, STARTING],
  ['but does when nobody exchanged anything for long', { exchanged: false, startedAt: instant(100_000 - START_HOLD) }, undefined],
  ['and as soon as it has', { exchanged: true, startedAt: instant(99_999) }, undefined],
  ['two deaths of eight are a misfortune', { deaths: deaths(99_000, 99_500) }, undefined],
  ['three are a mass failure', { deaths: deaths(98_000, 99_000, 99_500) }, MANY],
  ['three of twelve are not', { members: 12, deaths: deaths(98_000, 99_000, 99_500) }, undefined],
  ['four of twelve are', { members: 12, deaths: deaths(97_000, 98_000, 99_000, 99_500) }, MANY],
  ['two of three are not: fewer than three never are', { members: 3, deaths: deaths(99_000, 99_500) }, undefined],
  ['three within more than five seconds are not', { deaths: deaths(93_000, 96_000, 99_000) }, undefined],
  ['it holds from the last of them', { deaths: deaths(90_000, 90_001, 100_001 - MASS_FAILURE_HOLD) }, MANY],
  ['and no longer', { deaths: deaths(86_000, 87_000, 100_000 - MASS_FAILURE_HOLD) }, undefined],
])('%s', (_name, parts, hold) => {
  expect(removalHold({ ...settled, ...parts })).toBe(hold)
})
