import { isForwarded } from '@vxmesh/core'
import { evictionsDigest, type State } from '@vxmesh/gossip'
import type { EvictionReport } from './answers.ts'

/** How many members are named that do not say so yet. */
const WAITING_MOST = 10

/** How far the evictions have come: who of those that packets are sent to says that they hold there. */
export function evictionReport(state: State): EvictionReport {
  const enforced = evictionsDigest(state)
  const living = [...state.view].flatMap(([peer, { signed }]) => {
    const standing = state.standings.get(peer)
    return standing !== undefined && isForwarded(standing) ? [{ record: signed.record, state: standing.state }] : []
  })
  const waiting = living.filter(({ record }) => record.enforces !== enforced)
  return {
    version: 1,
    evictions: state.evictions.size,
    living: living.length,
    enforcing: living.length - waiting.length,
    waiting: waiting.slice(0, WAITING_MOST).map(({ record: { name, peer }, state: is }) => ({ name, peer, state: is })),
  }
}
