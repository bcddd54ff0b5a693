/**
 * Named histories. Each is one kind of trouble, told again and again for as long as is wanted, by a throw of the dice
 * each time; then everything is mended, and all must agree. `./scripts/simulate` tells them, and so do the tests.
 */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { Dice } from './dice.ts'
import { accuseEverybody, claimAddresses, forgeRecords, garbage, replayEverything, replayRecords } from './lies.ts'
import type { Trace } from './trace.ts'
import { clear, weather, type Shown, type Telling } from './weather.ts'

export type Ask = {
  readonly scenario: string
  readonly seed: number
  readonly members: number
  /** How long the trouble goes on before all is mended. */
  readonly minutes: number
  readonly trace?: Trace
}

type Story = {
  readonly says: string
  /** With fewer members there is nothing to tell. */
  readonly least: number
  readonly begin: (ask: Ask, shown: Shown) => Telling
}

export const DEFAULTS = { scenario: 'swarm', minutes: 1 } as const

export const stories: Readonly<Record<string, Story>> = {
  swarm: {
    says: 'anything happens to anybody, over any network: the histories of the swarm test',
    least: 2,
    begin: ({ seed, members, minutes }, shown) => weather(members, seed, seconds(60 * minutes), shown),
  },
  join: {
    says: 'members start one after the other, then as many newcomers again',
    least: 2,
    begin: rounds(join, { options: (names) => ({ stopped: names.slice(1) }) }),
  },
  crash: { says: 'daemons are killed and start again, some without their state or with a clock behind', least: 2, begin: rounds(crash) },
  power: { says: 'hosts lose power, one or up to half of them at once, and get it back', least: 2, begin: rounds(power) },
  partition: { says: 'the network is cut in two, or one way only, and healed', least: 2, begin: rounds(partition) },
  churn: { says: 'twice a second somebody is killed, starts or leaves', least: 2, begin: rounds(churn) },
  pause: { says: 'daemons stand still, from a blink to half a minute', least: 2, begin: rounds(pause) },
  move: { says: 'members move to other underlay addresses, some while they are cut off', least: 2, begin: rounds(move) },
  leave: { says: 'members leave and come back', least: 2, begin: rounds(leave) },
  liar: {
    says: 'one member lies to everybody, in every way, while others stand still or are cut off',
    least: 3,
    begin: rounds(liar, { shunned: seconds(60) }),
  },
}

/** A history that is about to be told; the same for the same words. */
export function begin(ask: Ask): Telling {
  const story = stories[ask.scenario]
  if (story === undefined) throw new Error(`no scenario is called ${ask.scenario}`)
  return story.begin(ask, { replay: replayOf(ask), ...(ask.trace === undefined ? {} : { trace: ask.trace }) })
}

/** The command that tells a history again. */
export function replayOf({ scenario, seed, members, minutes }: Ask): string {
  const which = scenario === DEFAULTS.scenario ? '' : ` --scenario ${scenario}`
  const long = minutes === DEFAULTS.minutes ? '' : ` --minutes ${String(minutes)}`
  return `./scripts/simulate --seed ${String(seed)} --members ${String(members)}${which}${long}`
}

type Round = (cluster: Cluster, dice: Dice) => void

type Around = {
  readonly options?: (names: readonly string[]) => Partial<ClusterOptions>
  /** How long members may be shunned by others for what they did. */
  readonly shunned?: Duration
}

function rounds(round: Round, { options = () => ({}), shunned = milliseconds(0) }: Around = {}): Story['begin'] {
  return ({ seed, members, minutes }, shown) => {
    const names = Array.from({ length: members }, (_, index) => `m${String(index)}`)
    const cluster = new Cluster(names, { ...options(names), ...shown, seed })
    const dice = new Dice(seed + 0.25 * 2 ** 40)
    const tell = () => {
      cluster.run(seconds(3))
      while (cluster.now < seconds(60 * minutes)) round(cluster, dice)
      cluster.run(shunned)
      clear(cluster)
    }
    return { cluster, tell }
  }
}

function join(cluster: Cluster, dice: Dice): void {
  const waiting = cluster.names.filter((name) => cluster.host(name).condition === 'idle')
  const count = cluster.names.length
  const newcomers = cluster.names.filter((name) => name.startsWith('n')).length
  if (waiting.length > 0) cluster.start(dice.pick(waiting))
  else if (newcomers < count - newcomers) cluster.join(`n${String(newcomers)}`)
  cluster.run(milliseconds(dice.exponential(2000)))
}

function crash(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.kill(name)
  cluster.run(milliseconds(dice.exponential(4000)))
  cluster.start(name, { withoutState: dice.chance(0.3), clockBehind: seconds(dice.below(3) * 500) })
  cluster.run(milliseconds(dice.exponential(4000)))
}

function power(cluster: Cluster, dice: Dice): void {
  const count = dice.chance(0.6) ? 1 : 1 + dice.below(Math.ceil(cluster.names.length / 2))
  const victims = new Set(Array.from({ length: count }, () => dice.pick(cluster.names)))
  for (const name of victims) cluster.powerOff(name)
  cluster.run(milliseconds(dice.exponential(8000)))
  for (const name of victims) cluster.powerOn(name)
  cluster.run(milliseconds(dice.exponential(8000)))
}

function partition(cluster: Cluster, dice: Dice): void {
  const side = dice.some(cluster.names)
  const other = cluster.names.filter((name) => !side.includes(name))
  if (dice.chance(0.25)) cluster.cutOneWay(side, other)
  else cluster.partition(side, other)
  cluster.run(milliseconds(dice.exponential(12_000)))
  cluster.heal()
  cluster.run(milliseconds(dice.exponential(8000)))
}

function churn(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  if (cluster.host(name).condition === 'idle') cluster.start(name)
  else if (dice.chance(0.5)) cluster.kill(name)
  else cluster.leave(name)
  cluster.run(milliseconds(dice.exponential(500)))
}

function pause(cluster: Cluster, dice: Dice): void {
  cluster.pause(dice.pick(cluster.names), milliseconds(dice.pick([200, 1000, 5000, 30_000]) * dice.between(0.5, 1)))
  cluster.run(milliseconds(dice.exponential(5000)))
}

function move(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  const away = dice.chance(0.3)
  const others = cluster.names.filter((each) => each !== name)
  if (away) cluster.partition([name], others)
  cluster.run(milliseconds(dice.exponential(1000)))
  cluster.move(name, `10.1.${String(dice.below(256))}.${String(1 + dice.below(254))}`)
  cluster.run(milliseconds(dice.exponential(5000)))
  if (away) cluster.heal()
}

function leave(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.leave(name)
  cluster.run(milliseconds(dice.exponential(5000)))
  cluster.start(name)
  cluster.run(milliseconds(dice.exponential(5000)))
}

function liar(cluster: Cluster, dice: Dice): void {
  const [, name = ''] = cluster.names
  const others = cluster.names.filter((each) => each !== name)
  const lie = dice.chance(0.1) ? garbage : dice.pick([accuseEverybody, claimAddresses, forgeRecords, replayEverything, replayRecords])
  const repent = cluster.corrupt(name, lie)
  cluster.run(milliseconds(dice.exponential(3000)))
  const victim = dice.pick(others)
  const away = milliseconds(dice.exponential(3000))
  if (dice.chance(0.5)) cluster.pause(victim, away)
  else
    cluster.partition(
      [victim],
      cluster.names.filter((each) => each !== victim),
    )
  cluster.run(away)
  cluster.heal()
  cluster.run(milliseconds(dice.exponential(3000)))
  repent()
}
