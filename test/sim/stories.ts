/**
 * Named histories. Each is one kind of trouble, told again and again for as long as is wanted, by a throw of the dice
 * each time; then everything is mended, and all must agree. `./scripts/simulate` tells them, and so do the tests.
 */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { Dice } from './dice.ts'
import { churn, clone, crash, join, leave, pause, rolling, stall } from './stories/daemons.ts'
import { clock, cold, disk, kernel, move, power, rack } from './stories/hosts.ts'
import { liar } from './stories/liars.ts'
import { evict } from './stories/evictions.ts'
import { rotate } from './stories/rotations.ts'
import { halfOpen, lossy, lossyPaths, partition, sites, wan } from './stories/networks.ts'
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
  rolling: { says: 'each daemon starts again, one after the other', least: 2, begin: rounds(rolling) },
  power: { says: 'hosts lose power, one or up to half of them at once, and get it back', least: 2, begin: rounds(power) },
  rack: { says: 'a third to half of the hosts lose power at once, and get it back', least: 3, begin: rounds(rack) },
  cold: { says: 'all hosts lose power, and get it back at once', least: 2, begin: rounds(cold) },
  kernel: { says: 'kernels refuse what they are told, or take their time', least: 2, begin: rounds(kernel) },
  disk: { says: 'disks are full, and daemons start again from older files', least: 2, begin: rounds(disk) },
  clock: { says: 'wall clocks are set, forward and back, by up to ten hours', least: 2, begin: rounds(clock) },
  partition: { says: 'the network is cut in two, or one way only, and healed', least: 2, begin: rounds(partition) },
  wan: {
    says: 'the members are at four sites, up to 75 ms apart, which are cut off',
    least: 2,
    begin: rounds(wan, { options: sites }),
  },
  lossy: {
    says: 'paths drop segments, at times a third of them, while members come and go',
    least: 2,
    begin: rounds(lossy, { options: lossyPaths }),
  },
  'half-open': { says: 'connections are forgotten on the way, one way or both', least: 2, begin: rounds(halfOpen) },
  churn: { says: 'twice a second somebody is killed, starts or leaves', least: 2, begin: rounds(churn) },
  pause: { says: 'daemons stand still, from a blink to half a minute', least: 2, begin: rounds(pause) },
  stall: {
    says: 'virtual machines stand still, from a blink to half a minute, and daemons collect garbage',
    least: 2,
    begin: rounds(stall, { options: () => ({ garbage: { every: seconds(5) } }) }),
  },
  move: { says: 'members move to other underlay addresses, some while they are cut off', least: 2, begin: rounds(move) },
  leave: { says: 'members leave and come back', least: 2, begin: rounds(leave) },
  liar: {
    says: 'one member lies to everybody, in every way, while others stand still or are cut off',
    least: 3,
    begin: rounds(liar, { shunned: seconds(60) }),
  },
  evict: {
    says: 'members are revoked, some while they are away, and go on as if they were not',
    least: 3,
    begin: rounds(evict),
  },
  rotate: {
    says: 'the key of the mesh is rotated, at times by two operators at once, while members are away',
    least: 3,
    begin: rounds(rotate),
  },
  clone: {
    says: 'a second host has the identity of one that is there',
    least: 3,
    begin: rounds(clone, { gone: ['copy'] }),
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
  /** Hosts that do not come back. */
  readonly gone?: readonly string[]
}

function rounds(round: Round, { options = () => ({}), shunned = milliseconds(0), gone = [] }: Around = {}): Story['begin'] {
  return ({ seed, members, minutes }, shown) => {
    const names = Array.from({ length: members }, (_, index) => `m${String(index)}`)
    const cluster = new Cluster(names, { ...options(names), ...shown, seed })
    const dice = new Dice(seed + 0.25 * 2 ** 40)
    const tell = () => {
      cluster.run(seconds(3))
      while (cluster.now < seconds(60 * minutes)) round(cluster, dice)
      cluster.run(shunned)
      clear(cluster, gone)
    }
    return { cluster, tell }
  }
}
