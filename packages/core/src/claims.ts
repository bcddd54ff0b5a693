/**
 * Two members that claim one overlay address, or one MAC. Everybody picks the same winner without asking anybody: a
 * member whose invite binds it to its addresses before one that may have any, a member whose daemon runs before one that is restarting (a move never waits for a detection), then the earlier claim,
 * then the smaller hash. The loser stays a member; its claim is not programmed, and all say so.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { isForwarded, type Standing } from './member.ts'
import type { Bounds, SignedRecord, TunnelClaim } from './record.ts'
import { sameTunnel, type TunnelName } from './tunnel.ts'
import { contains, hostOf, isUnicast, type MemberName, type PeerId } from './values.ts'
import type { View } from './view.ts'

/** A member's claim on one tunnel, and what its invite binds it to. */
type Claimant = {
  readonly peer: PeerId
  readonly name: MemberName
  readonly bounds: Bounds
  readonly standing: Standing
  readonly claim: TunnelClaim
}

/** Who lost what to whom. */
export type Conflict = { readonly loser: PeerId; readonly winner: PeerId; readonly what: string }

/** The conflicts among the members that carry `carried` and are forwarded to; at most one for each loser. */
export function conflicts(
  view: View,
  standings: { get(peer: PeerId): Standing | undefined },
  carried: TunnelName,
): ReadonlyMap<PeerId, Conflict> {
  const all = claimants(view, standings, carried)
  const lost = namesTaken(all)
  const holders = new Map<string, PeerId>()
  for (const { peer, claim } of contested(all.filter((each) => !lost.has(each.peer))).sort(precedence)) {
    const claimed = claimsOf(claim)
    const taken = claimed.find((what) => holders.has(what))
    if (taken === undefined) for (const what of claimed) holders.set(what, peer)
    else lost.set(peer, { loser: peer, winner: holders.get(taken)!, what: taken })
  }
  return lost
}

function claimants(view: View, standings: { get(peer: PeerId): Standing | undefined }, carried: TunnelName): readonly Claimant[] {
  const found: Claimant[] = []
  view.forEach(({ signed }) => {
    const { peer, name, tunnels } = signed.record
    const standing = standings.get(peer)
    const claim = standing !== undefined && isForwarded(standing) ? tunnels.find((tunnel) => sameTunnel(tunnel, carried)) : undefined
    if (standing !== undefined && claim !== undefined && trespass(signed, claim) === undefined)
      found.push({ peer, name, bounds: signed.admission.bounds, standing, claim })
  })
  return found
}

/** Those that have a name which the invite of another says is that one's. */
function namesTaken(all: readonly Claimant[]): Map<PeerId, Conflict> {
  const owners = new Map(all.flatMap(({ peer, bounds }) => (bounds.name === undefined ? [] : [[bounds.name, peer]])))
  const lost = new Map<PeerId, Conflict>()
  for (const { peer, name, bounds } of owners.size === 0 ? [] : all) {
    const owner = bounds.name === undefined ? owners.get(name) : undefined
    if (owner !== undefined) lost.set(peer, { loser: peer, winner: owner, what: `the name ${name}` })
  }
  return lost
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

/** What in a claim its owner's invite does not allow, or undefined: such a claim counts for nothing. */
export function trespass({ record, admission: { bounds } }: SignedRecord, claim: Pick<TunnelClaim, 'overlay'>): string | undefined {
  if (bounds.name !== undefined && bounds.name !== record.name) return `its invite is for the name ${bounds.name}`
  const outside = claim.overlay.find((address) => !bounds.addresses.some((network) => contains(network, hostOf(address))))
  return bounds.addresses.length === 0 || outside === undefined ? undefined : `${outside} is not among the addresses of its invite`
}

function precedence(a: Claimant, b: Claimant): number {
  const bound = Number(b.bounds.addresses.length > 0) - Number(a.bounds.addresses.length > 0)
  if (bound !== 0) return bound
  const restarting = Number(a.standing.state === 'restarting') - Number(b.standing.state === 'restarting')
  if (restarting !== 0) return restarting
  if (a.claim.claimedAt !== b.claim.claimedAt) return a.claim.claimedAt - b.claim.claimedAt
  return digest(a.peer) < digest(b.peer) ? -1 : 1
}

function digest(peer: PeerId): string {
  return bytesToHex(sha256(utf8ToBytes(peer)))
}
