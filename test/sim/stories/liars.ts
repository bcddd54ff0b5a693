/** One round of a member that was admitted and lies. */
import { milliseconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'
import { accuseEverybody, claimAddresses, forgeRecords, garbage, replayEverything, replayRecords } from '../lies.ts'

export function liar(cluster: Cluster, dice: Dice): void {
  const [, name = ''] = cluster.names
  const others = cluster.names.filter((each) => each !== name)
  const repent = startToLie(cluster, dice, name)
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

/** What is returned ends the lie. */
function startToLie(cluster: Cluster, dice: Dice, name: string): () => void {
  if (dice.chance(0.1)) return cluster.corrupt(name, garbage)
  if (dice.chance(0.1)) return cluster.muzzle(name)
  if (dice.chance(0.2)) return cluster.pretend(name, dice.pick(cluster.names.filter((each) => each !== name)))
  if (dice.chance(0.1)) {
    const cease = cluster.corrupt(name, accuseEverybody, milliseconds(1))
    cluster.run(milliseconds(1000))
    return cease
  }
  return cluster.corrupt(name, dice.pick([accuseEverybody, claimAddresses, forgeRecords, replayEverything, replayRecords]))
}
