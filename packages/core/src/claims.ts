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
  for (const { peer, claim } of contested(claimants(view, standings, id)).sort(precedence)) {
    const claimed = claimsOf(claim)
    const taken = claimed.find((what) => holders.has(what))
    if (taken === undefined) for (const what of claimed) holders.set(what, { peer, claim, standing: { state: 'alive' } })
    else lost.set(peer, { loser: peer, winner: holders.get(taken)!.peer, what: taken })
  }
  return lost
}

function claimants(view: View, standings: { get(peer: PeerId): Standing | undefined }, id: Vni): readonly Claimant[] {
  const found: Claimant[] = []
  view.forEach(({ signed: { record } }) => {
    const standing = standings.get(record.peer)
    const claim = standing !== undefined && isForwarded(standing) ? record.tunnels.find((tunnel) => tunnel.id === id) : undefined
    if (standing !== undefined && claim !== undefined) found.push({ peer: record.peer, standing, claim })
  })
  return found
}

/** Those that claim something that is claimed twice: nearly always nobody. */
function contested(all: readonly Claimant[]): Claimant[] {
  const once = new Set<string>()
  const twice = new Set<string>()
  for (const { claim } of all) for (const what of claimsOf(claim)) (once.has(what) ? twice : once).add(what)
  return twice.size === 0 ? [] : all.filter(({ claim }) => claimsOf(claim).some((what) => twice.has(what)))
}

function claimsOf({ overlay, mac }: TunnelClaim): readonly string[] {
  return [...overlay.map(hostOf), ...(isUnicast(mac) ? [mac] : [])]
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
