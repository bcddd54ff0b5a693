/** One round each of what befalls the network, and the networks that are never quite well. */
import { milliseconds, seconds } from '@vxmesh/core'
import type { Cluster, ClusterOptions } from '../cluster.ts'
import type { Dice } from '../dice.ts'
import { spell, switchOn } from './spell.ts'

export function partition(cluster: Cluster, dice: Dice): void {
  const side = dice.some(cluster.names)
  const other = cluster.names.filter((name) => !side.includes(name))
  if (dice.chance(0.25)) cluster.cutOneWay(side, other)
  else cluster.partition(side, other)
  cluster.run(milliseconds(dice.exponential(12_000)))
  cluster.heal()
  cluster.run(milliseconds(dice.exponential(8000)))
}

/** Four sites, some of them far from each other. */
export function sites(names: readonly string[]): Pick<ClusterOptions, 'sites'> {
  return { sites: Object.fromEntries(names.map((name, index) => [name, `site ${String(index % 4)}`])) }
}

/** A site is cut off, or somebody is away. */
export function wan(cluster: Cluster, dice: Dice): void {
  const site = cluster.host(dice.pick(cluster.names)).site
  const side = cluster.names.filter((name) => cluster.host(name).site === site)
  const other = cluster.names.filter((name) => !side.includes(name))
  const away = dice.pick(cluster.names)
  dice.pick([() => cluster.partition(side, other), () => cluster.powerOff(away), () => cluster.kill(away)])()
  spell(cluster, dice, 8000, () => {
    cluster.heal()
    switchOn(cluster, away)
  })
}

/** Every path drops a segment in a hundred, and at times a third of them. */
export function lossyPaths(): Pick<ClusterOptions, 'network'> {
  return { network: { drops: 0.01, bursts: { every: seconds(20), last: seconds(1), drops: 0.3 } } }
}

export function lossy(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  if (dice.chance(0.5)) cluster.powerOff(name)
  else cluster.kill(name)
  spell(cluster, dice, 8000, () => {
    switchOn(cluster, name)
  })
}

/** Something in between forgets connections: of two hosts, or all of one. */
export function halfOpen(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  const others = cluster.names.filter((each) => each !== name)
  const victims = dice.chance(0.7) ? [dice.pick(others)] : others
  for (const other of victims) {
    cluster.forgetConnection(name, other)
    if (dice.chance(0.5)) cluster.forgetConnection(other, name)
  }
  cluster.run(milliseconds(dice.exponential(5000)))
}
