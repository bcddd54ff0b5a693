/** One round each of what befalls daemons: they start, stop, stand still and are slow, and their hosts remain. */
import { milliseconds, seconds } from '@vxmesh/core'
import type { Cluster } from '../cluster.ts'
import type { Dice } from '../dice.ts'
import { spell } from './spell.ts'

export function join(cluster: Cluster, dice: Dice): void {
  const waiting = cluster.names.filter((name) => cluster.host(name).condition === 'idle')
  const count = cluster.names.length
  const newcomers = cluster.names.filter((name) => name.startsWith('n')).length
  if (waiting.length > 0) cluster.start(dice.pick(waiting))
  else if (newcomers < count - newcomers) cluster.join(`n${String(newcomers)}`)
  cluster.run(milliseconds(dice.exponential(2000)))
}

export function crash(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.kill(name)
  spell(cluster, dice, 4000, () => {
    cluster.start(name, { withoutState: dice.chance(0.3), clockBehind: seconds(dice.below(3) * 500) })
  })
}

export function churn(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  if (cluster.host(name).condition === 'idle') cluster.start(name)
  else if (dice.chance(0.5)) cluster.kill(name)
  else cluster.leave(name)
  cluster.run(milliseconds(dice.exponential(500)))
}

export function pause(cluster: Cluster, dice: Dice): void {
  cluster.pause(dice.pick(cluster.names), milliseconds(dice.pick([200, 1000, 5000, 30_000]) * dice.between(0.5, 1)))
  cluster.run(milliseconds(dice.exponential(5000)))
}

export function leave(cluster: Cluster, dice: Dice): void {
  const name = dice.pick(cluster.names)
  cluster.leave(name)
  spell(cluster, dice, 5000, () => {
    cluster.start(name)
  })
}

/** Each starts again, one after the other, as an update does it. */
export function rolling(cluster: Cluster, dice: Dice): void {
  for (const name of cluster.names) {
    cluster.kill(name)
    spell(cluster, dice, 1000, () => {
      cluster.start(name)
    })
  }
}

/** A virtual machine that gets no processor, and may not even know. */
export function stall(cluster: Cluster, dice: Dice): void {
  const clock = dice.chance(0.5) ? 'runs on' : 'stands still'
  cluster.stall(dice.pick(cluster.names), milliseconds(500 * 60 ** dice.next()), clock)
  cluster.run(milliseconds(dice.exponential(5000)))
}

/** Two hosts with one identity. The second goes before all is mended: which of them stays is not for us to say. */
export function clone(cluster: Cluster, dice: Dice): void {
  const copy = 'copy'
  const known = cluster.names.includes(copy)
  if (!known) cluster.clone(dice.pick(cluster.names), copy)
  else cluster.start(copy)
  cluster.run(milliseconds(dice.exponential(15_000)))
  cluster.kill(copy)
  cluster.run(milliseconds(dice.exponential(5000)))
}
