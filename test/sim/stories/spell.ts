/** What most rounds have in common: trouble lasts a while, ends, and all have as long again to settle. */
import { milliseconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'

/** What has begun lasts this many milliseconds on average before it ends. */
export function spell(cluster: Cluster, dice: Dice, mean: number, end: () => void): void {
  cluster.run(milliseconds(dice.exponential(mean)))
  end()
  cluster.run(milliseconds(dice.exponential(mean)))
}

/** Whatever is off, the host or only its daemon, is on. */
export function switchOn(cluster: Cluster, name: string): void {
  cluster.powerOn(name)
  cluster.start(name)
}
