/** One round each of what befalls hosts: power, addresses, kernels, disks and clocks. */
import { milliseconds, seconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'
import { spell, switchOn } from './spell.ts'

export function power(cluster: Cluster, dice: Dice): void {
  const count = dice.chance(0.6) ? 1 : 1 + dice.below(Math.ceil(cluster.names.length / 2))
  const victims = new Set(Array.from({ length: count }, () => dice.pick(cluster.names)))
  offAndOn(cluster, dice, victims, 8000)
}

export function move(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  const away = dice.chance(0.3)
  const others = cluster.names.filter((each) => each !== name)
  if (away) cluster.partition([name], others)
  cluster.run(milliseconds(dice.exponential(1000)))
  cluster.move(name, `10.1.${String(dice.below(256))}.${String(1 + dice.below(254))}`)
  cluster.run(milliseconds(dice.exponential(5000)))
  if (away) cluster.heal()
}

/** A third to half of the hosts lose power at once, and come back. */
export function rack(cluster: Cluster, dice: Dice): void {
  const count = Math.ceil(cluster.names.length * dice.between(1 / 3, 1 / 2))
  const first = dice.below(cluster.names.length)
  const victims = Array.from({ length: count }, (_, index) => cluster.names[(first + index) % cluster.names.length] ?? '')
  offAndOn(cluster, dice, victims, 10_000)
}

/** Everybody is off, and then on at once, from what the disks hold. */
export function cold(cluster: Cluster, dice: Dice): void {
  offAndOn(cluster, dice, cluster.names, 10_000)
}

function offAndOn(cluster: Cluster, dice: Dice, victims: Iterable<string>, mean: number): void {
  for (const name of victims) cluster.powerOff(name)
  spell(cluster, dice, mean, () => {
    for (const name of victims) cluster.powerOn(name)
  })
}

/** A kernel refuses, or takes its time, while others come and go and somebody else writes to it. */
export function kernel(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  const other = dice.pick(cluster.names.filter((each) => each !== name))
  cluster.setKernel(name, dice.chance(0.5) ? 'failing' : { slow: milliseconds(dice.exponential(300)) })
  cluster.run(milliseconds(dice.exponential(2000)))
  if (dice.chance(0.5)) cluster.tamper(name, 'remove all')
  if (dice.chance(0.5)) cluster.leave(other)
  else cluster.powerOff(other)
  spell(cluster, dice, 4000, () => {
    switchOn(cluster, other)
  })
  cluster.setKernel(name, 'well')
}

/** A disk is full while its daemon moves, stops and starts again, with whatever the files still hold. */
export function disk(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.setDisk(name, 'full')
  cluster.run(milliseconds(dice.exponential(3000)))
  if (dice.chance(0.3)) cluster.setClock(name, seconds(-3600))
  cluster.kill(name)
  cluster.run(milliseconds(dice.exponential(1000)))
  cluster.start(name)
  cluster.run(milliseconds(dice.exponential(3000)))
  cluster.setDisk(name, 'roomy')
  cluster.run(milliseconds(dice.exponential(3000)))
}

/** A wall clock is set, by seconds or by hours, before or between two lives of a daemon. */
export function clock(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.setClock(name, seconds(dice.pick([1, 60, 3600, 36_000]) * dice.between(-1, 1)))
  cluster.run(milliseconds(dice.exponential(2000)))
  if (dice.chance(0.7)) {
    cluster.kill(name)
    cluster.run(milliseconds(dice.exponential(2000)))
    cluster.start(name, { withoutState: dice.chance(0.3) })
  }
  cluster.run(milliseconds(dice.exponential(3000)))
}
