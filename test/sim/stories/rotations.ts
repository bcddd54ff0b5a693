/** One round of rotation: the mesh key is followed by another, once or by two operators at once, while members are away. */
import { milliseconds, seconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'

export function rotate(cluster: Cluster, dice: Dice): void {
  cluster.run(milliseconds(dice.exponential(1000)))
  const away = dice.some(cluster.names)
  const rest = cluster.names.filter((name) => !away.includes(name))
  const split = dice.chance(0.5) && away.length > 0 && rest.length > 0
  if (split) cluster.partition(away, rest)
  else for (const name of away.slice(1)) cluster.kill(name)
  cluster.run(milliseconds(dice.exponential(2000)))
  const operators = split && dice.chance(0.4) ? [dice.pick(away), dice.pick(rest)] : [dice.pick(cluster.names)]
  for (const by of operators) {
    cluster.rotate(by)
    // The command may be broken off in between.
    if (dice.chance(0.8)) cluster.certify(by)
  }
  // One that took a key up may start anew before it hears that another holds.
  if (operators.length > 1) {
    const again = dice.pick(rest)
    cluster.run(milliseconds(dice.exponential(1000)))
    cluster.kill(again)
    cluster.run(milliseconds(dice.exponential(1000)))
    cluster.start(again)
  }
  cluster.run(milliseconds(dice.exponential(3000)))
  cluster.heal()
  for (const name of cluster.names) cluster.start(name, { withoutState: dice.chance(0.1) })
  cluster.run(milliseconds(dice.exponential(2000)))
  if (dice.chance(0.3)) cluster.join(`n${String(cluster.names.length)}`)
  cluster.run(seconds(20))
  // And goes on, which takes in whoever was not known where it began, or came by an earlier key since.
  cluster.certify(dice.pick(cluster.names))
}
