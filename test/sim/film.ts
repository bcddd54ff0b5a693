/** What a history looked like from outside: how many members each believed alive, moment by moment. */
import { milliseconds, type Instant } from '@vxmesh/core'
import type { Cluster } from './cluster.ts'
import type { Fault } from './faults.ts'
import type { Host } from './host.ts'

/** How things stand with one member from some instant on, until its next scene. */
export type Scene = {
  readonly at: Instant
  readonly condition: Host['condition']
  /** How many members it believes alive, itself included; undefined while no daemon runs. */
  readonly alive: number | undefined
}

export type Film = {
  readonly title: string
  readonly outcome: string
  readonly end: Instant
  readonly members: ReadonlyMap<string, readonly Scene[]>
  readonly faults: readonly Fault[]
}

const EVERY = milliseconds(50)

/** Films a cluster from now on. What is returned ends the film. */
export function film(cluster: Cluster): (title: string, outcome: string) => Film {
  const members = new Map<string, Scene[]>()
  cluster.watch(EVERY, () => {
    for (const host of cluster.hosts) {
      const scenes = members.get(host.name) ?? []
      members.set(host.name, scenes)
      const { condition } = host
      const alive = host.state?.standings.count(({ state }) => state === 'alive')
      const last = scenes.at(-1)
      if (last?.condition !== condition || last.alive !== alive) scenes.push({ at: cluster.now, condition, alive })
    }
  })
  return (title, outcome) => ({ title, outcome, end: cluster.now, members, faults: cluster.faults.all })
}
