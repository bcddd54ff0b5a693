/**
 * Two members that claim one overlay address, or one MAC. Everybody picks the same winner without asking anybody: a
 * member whose daemon runs before one that is restarting (a move never waits for a detection), then the earlier claim,
 * then the smaller hash. The loser stays a member; its claim is not programmed, and all say so.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { isForwarded, type Standing } from './member.ts'
import type { TunnelClaim } from './record.ts'
import { hostOf, isUnicast, type PeerId, type Vni } from './values.ts'
import type { View } from './view.ts'

/** A member's claim on one tunnel. */
type Claimant = { readonly peer: PeerId; readonly standing: Standing; readonly claim: TunnelClaim }

/** Who lost what to whom. */
export type Conflict = { readonly loser: PeerId; readonly winner: PeerId; readonly what: string }

/** The conflicts among the members that carry tunnel `id` and are forwarded to; at most one for each loser. */
export function conflicts(view: View, standings: { get(peer: PeerId): Standing | undefined }, id: Vni): ReadonlyMap<PeerId, Conflict> {
  const holders = new Map<string, Claimant>()
  const lost = new Map<PeerId, Conflict>()
  const claimants = view
    .valueSeq()
    .flatMap(({ signed: { record } }): Claimant[] => {
      const standing = standings.get(record.peer)
      const claim = record.tunnels.find((tunnel) => tunnel.id === id)
      return claim === undefined || standing === undefined || !isForwarded(standing) ? [] : [{ peer: record.peer, standing, claim }]
    })
    .sort(precedence)
  for (const { peer, claim } of claimants) {
    const claimed = [...claim.overlay.map(hostOf), ...(isUnicast(claim.mac) ? [claim.mac] : [])]
    const taken = claimed.find((what) => holders.has(what))
    if (taken === undefined) for (const what of claimed) holders.set(what, { peer, claim, standing: { state: 'alive' } })
    else lost.set(peer, { loser: peer, winner: holders.get(taken)!.peer, what: taken })
  }
  return lost
}

function precedence(a: Claimant, b: Claimant): number {
  const restarting = Number(a.standing.state === 'restarting') - Number(b.standing.state === 'restarting')
  if (restarting !== 0) return restarting
  if (a.claim.claimedAt !== b.claim.claimedAt) return a.claim.claimedAt - b.claim.claimedAt
  return digest(a.peer) < digest(b.peer) ? -1 : 1
}

function digest(peer: PeerId): string {
  return bytesToHex(sha256(utf8ToBytes(peer)))
}
