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

/** Invites that more members came by than they are for: in two halves of a network each may have let in one. */
export function overusedInvites({ view, standings }: State): readonly string[] {
  const limited = [...view].filter(([peer, { signed }]) => signed.admission.bounds.members > 0 && standings.get(peer)?.state !== 'evicted')
  const users = Map.groupBy(limited, ([, { signed }]) => signed.admission.invite)
  return [...users].flatMap(([invite, used]) => {
    const most = used[0]?.[1].signed.admission.bounds.members ?? 0
    const names = used.map(([peer, { signed }]) => `${signed.record.name} (${peer})`).join(', ')
    return used.length <= most
      ? []
      : [`the invite ${invite} is for ${String(most)}, and ${String(used.length)} came by it: ${names}; revoke whoever should not have`]
  })
}
