import { expect, test } from 'vitest'
import { isHeld, MASS_FAILURE_HOLD, removalHold, START_GRACE, START_HOLD, type Hold, type Surroundings } from './hold.ts'
import type { Operation } from './plan.ts'
import { ip } from './samples.ts'
import { slot } from './table.ts'
import { instant, parseMac, sure } from './values.ts'

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

const ISOLATED: Hold = { reason: 'isolated: no other member is heard', replacements: true, brief: false }
const STARTING: Hold = { reason: 'starting: no exchange with another member yet', replacements: true, brief: false }
const FIRST: Hold = { reason: 'starting: others may be heard yet', replacements: false, brief: true }
const MANY: Hold = { reason: 'many members died at once: their entries are kept for 10 s', replacements: false, brief: false }

test.each<[string, Partial<Surroundings>, Hold | undefined]>([
  ['a member among members removes what it must', {}, undefined],
  ['an isolated one removes nothing', { isolated: true }, ISOLATED],
  ['one that is evicted removes everything, though nobody speaks to it', { isolated: true, evicted: true }, undefined],
  ['one that has just started removes nothing before it has exchanged views', { exchanged: false, startedAt: instant(90_000) }, STARTING],
  ['nor while that may still come', { exchanged: false, startedAt: instant(100_001 - START_HOLD) }, STARTING],
  ['but does when nobody exchanged anything for long', { exchanged: false, startedAt: instant(100_000 - START_HOLD) }, undefined],
  ['and when it has waits for those that are heard next', { startedAt: instant(100_001 - START_GRACE) }, FIRST],
  ['and no longer', { startedAt: instant(100_000 - START_GRACE) }, undefined],
  ['two deaths of eight are a misfortune', { deaths: deaths(99_000, 99_500) }, undefined],
  ['three are a mass failure', { deaths: deaths(98_000, 99_000, 99_500) }, MANY],
  ['three of twelve are not', { members: 12, deaths: deaths(98_000, 99_000, 99_500) }, undefined],
  ['four of twelve are', { members: 12, deaths: deaths(97_000, 98_000, 99_000, 99_500) }, MANY],
  ['two of three are not: fewer than three never are', { members: 3, deaths: deaths(99_000, 99_500) }, undefined],
  ['three within more than five seconds are not', { deaths: deaths(93_000, 96_000, 99_000) }, undefined],
  ['it holds from the last of them', { deaths: deaths(90_000, 90_001, 100_001 - MASS_FAILURE_HOLD) }, MANY],
  ['it holds no longer', { deaths: deaths(86_000, 87_000, 100_000 - MASS_FAILURE_HOLD) }, undefined],
])('%s', (_name, parts, hold) => {
  expect(removalHold({ ...settled, ...parts })).toEqual(hold)
})

const fdb = (underlay: string) => ({ kind: 'fdb', mac: sure(parseMac('02:00:00:00:00:62')), underlay: ip(underlay) }) as const
const entry = fdb('10.0.0.3')
const replace: Operation = { kind: 'replace', entry, was: fdb('10.0.0.2') }
const remove: Operation = { kind: 'remove', entry }
const NOBODY = new Set<string>()

test.each<[string, boolean, Operation, Hold | undefined, ReadonlySet<string>, boolean]>([
  ['nothing waits where nothing holds it', false, remove, undefined, NOBODY, false],
  ['a removal waits', true, remove, ISOLATED, NOBODY, false],
  ['whoever put there what is to go', true, remove, ISOLATED, NOBODY, true],
  ['an addition never does', false, { kind: 'add', entry }, ISOLATED, NOBODY, false],
  ['nor what is taken from the evicted', false, remove, ISOLATED, new Set([slot(entry)]), false],
  ['and given to another', false, replace, ISOLATED, new Set([slot(entry)]), false],
  ['what was there may be newer than what is wanted, while nobody is heard', true, replace, ISOLATED, NOBODY, false],
  ['and before anybody was', true, replace, STARTING, NOBODY, false],
  ['but not what somebody made of what was wanted', false, replace, ISOLATED, NOBODY, true],
  ['a member that moves is followed while many die', false, replace, MANY, NOBODY, false],
  ['who dies with them is not', true, remove, MANY, NOBODY, false],
  ['and what somebody added goes', false, remove, MANY, NOBODY, true],
])('%s', (_name, held, operation, hold, evicted, repair) => {
  expect(isHeld(operation, hold, evicted, repair)).toBe(held)
})
