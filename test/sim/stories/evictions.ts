/** One round of revocation: a member is evicted, at a good time or a bad one, and most do not take it well. */
import { milliseconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'
import { replayEverything, replayRecords } from '../lies.ts'

export function evict(cluster: Cluster, dice: Dice): void {
  const members = cluster.names.filter((name) => !cluster.evicted.has(name))
  const willing = members.filter((name) => cluster.host(name).condition === 'listening')
  const repent = dice.chance(0.5) ? lie(cluster, dice, members) : () => undefined
  cluster.run(milliseconds(dice.exponential(1000)))
  if (members.length > 2 && willing.length > 1) {
    const by = dice.pick(willing)
    const victim = dice.pick(members.filter((name) => name !== by))
    trouble(cluster, dice, victim, by)
    cluster.evict(victim, by, { defiant: dice.chance(0.7) })
  }
  cluster.run(milliseconds(dice.exponential(3000)))
  cluster.heal()
  for (const name of cluster.names) cluster.start(name, { withoutState: cluster.evicted.has(name) && dice.chance(0.3) })
  cluster.run(milliseconds(dice.exponential(4000)))
  repent()
}

/** What else happens at that moment. */
function trouble(cluster: Cluster, dice: Dice, victim: string, by: string): void {
  const others = cluster.names.filter((name) => name !== victim && name !== by)
  const away = dice.some(others)
  const troubles: readonly (() => void)[] = [
    () => cluster.partition([victim, ...away], [by, ...others.filter((name) => !away.includes(name))]),
    () => away.forEach((name) => cluster.kill(name)),
    () => away.forEach((name) => cluster.pause(name, milliseconds(dice.exponential(4000)))),
    () => cluster.kill(victim),
    () => cluster.move(victim, `10.0.9.${String(1 + dice.below(250))}`),
    () => undefined,
  ]
  dice.pick(troubles)()
}

/** An accomplice says again, for the evicted, what they can no longer say. */
function lie(cluster: Cluster, dice: Dice, members: readonly string[]): () => void {
  return cluster.corrupt(dice.pick(members), dice.pick([replayEverything, replayRecords]))
}
