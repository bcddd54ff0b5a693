import { conflicts, trespass, type Conflict } from './claims.ts'
import { isForwarded, type Standing } from './member.ts'
import type { SignedRecord, TunnelClaim } from './record.ts'
import { sameTunnel, wantedAlone } from './tunnel.ts'
import { holds, slot, table, type Entry, type Slot, type Table } from './table.ts'
import {
  addressRange,
  contains,
  family,
  hostless,
  hostOf,
  isUnicast,
  type InterfaceAddress,
  type IpAddress,
  type PeerId,
} from './values.ts'
import type { View } from './view.ts'

/** Whether a member has entries, and if not, why not. */
export type Verdict =
  | { readonly kind: 'wanted'; readonly entries: readonly Entry[] }
  | { readonly kind: 'unwanted'; readonly why: 'gone' | 'elsewhere' }
  | { readonly kind: 'refused'; readonly reason: string }

export type Desired = {
  readonly table: Table
  /** Entries that are not put there, and that stay where they are there: of members that nobody has been heard of to have reached yet. */
  readonly standing: Table
  /** What the evicted claim: it goes, or goes to another, even while other removals wait. */
  readonly evicted: ReadonlySet<Slot>
  /** For every member but ourselves, what became of it. */
  readonly verdicts: ReadonlyMap<PeerId, Verdict>
  /** Every lost claim on this tunnel, our own included. */
  readonly conflicts: ReadonlyMap<PeerId, Conflict>
}

/**
 * What is known of a claimed underlay address. `reached`: that member was found there. `unheard`: that is not known yet.
 * `elsewhere`: it is linked to us, and was not found there though there was time for it.
 */
export type Whereabouts = 'reached' | 'unheard' | 'elsewhere'

/** What stands against what members say of themselves. */
export type Caution = {
  /** Those whose membership ended long enough ago. */
  readonly lapsed: { has(peer: PeerId): boolean }
  /** Whether an underlay address is one that this host may send to at all. */
  readonly within: (underlay: IpAddress) => boolean
  readonly whereabouts: (peer: PeerId, underlay: IpAddress) => Whereabouts
  /** Where a member was reached last in this tunnel: packets go there until it is known to be where it says that it moved to. */
  readonly before: { get(peer: PeerId): Pick<TunnelClaim, 'underlay' | 'port'> | undefined }
}

const UNCAUTIOUS: Caution = { lapsed: new Set(), within: () => true, whereabouts: () => 'reached', before: new Map() }

/**
 * The table that a view calls for on one tunnel: entries for every member that carries the tunnel, is alive,
 * suspect or restarting, and whose destination may be programmed. `own` is what we claim on that tunnel ourselves.
 * A member that lost the claim on its own overlay address programs nothing: its broadcasts would take the winner's place.
 * Nor does one that was evicted, or that `caution` is called for against: packets go to nobody who did not ask for them.
 */
export function desired(
  view: View,
  standings: { get(peer: PeerId): Standing | undefined },
  self: PeerId,
  own: TunnelClaim,
  caution: Partial<Caution> = {},
): Desired {
  const cautious = { ...UNCAUTIOUS, ...caution }
  const { lapsed } = cautious
  const lost = conflicts(view, { get: (peer) => (lapsed.has(peer) ? undefined : standings.get(peer)) }, own)
  const verdicts = new Map<PeerId, Verdict>()
  const out = standings.get(self)?.state === 'evicted'
  const condemned = new Set<Slot>()
  const kept: Entry[] = []
  for (const [peer, belief] of view) {
    const standing = standings.get(peer)
    if (peer === self || standing === undefined) continue
    if (lapsed.has(peer) && !out) {
      verdicts.set(peer, { kind: 'refused', reason: 'its membership has ended' })
      continue
    }
    const claim = belief.signed.record.tunnels.find((tunnel) => sameTunnel(tunnel, own))
    if (belief.evicted && claim !== undefined) for (const each of slotsOf(claim, own)) condemned.add(each)
    verdicts.set(
      peer,
      out ? { kind: 'unwanted', why: 'gone' } : verdict(standing, belief.signed, claim, own, lost.get(peer) ?? lost.get(self)),
    )
    const meant = verdicts.get(peer)
    if (claim === undefined || meant?.kind !== 'wanted') continue
    const found = located(peer, claim, own, cautious)
    if (found === undefined) continue
    verdicts.set(peer, found)
    if (found.kind === 'refused' && cautious.within(claim.underlay) && cautious.whereabouts(peer, claim.underlay) === 'unheard')
      for (const entry of [...meant.entries, admission(claim)]) kept.push(entry)
  }
  const entries = [...verdicts.values()].flatMap((each) => (each.kind === 'wanted' ? each.entries : []))
  const wanted = table(out ? entries : [...entries, ...wantedAlone(own)])
  return {
    table: wanted,
    standing: table(kept.length === 0 ? kept : unclaimed(kept, view, standings, own)),
    evicted: condemned,
    verdicts,
    conflicts: lost,
  }
}

/** Those that nobody who is gone had: what was somebody else's until it went is not to stay because another says that it is there now. */
function unclaimed(
  kept: readonly Entry[],
  view: View,
  standings: { get(peer: PeerId): Standing | undefined },
  own: TunnelClaim,
): readonly Entry[] {
  const former = new Set<Slot>()
  for (const [peer, { signed }] of view) {
    const standing = standings.get(peer)
    if (standing === undefined || isForwarded(standing)) continue
    for (const claim of signed.record.tunnels) if (sameTunnel(claim, own)) for (const each of slotsOf(claim, own)) former.add(each)
  }
  return kept.filter((entry) => !former.has(slot(entry)))
}

/** Where all that a member can have here stands. */
function slotsOf(claim: TunnelClaim, own: TunnelClaim): readonly Slot[] {
  return [...entriesFor(claim, own), admission(claim)].map(slot)
}

function verdict(
  standing: Standing,
  signed: SignedRecord,
  claim: TunnelClaim | undefined,
  own: TunnelClaim,
  conflict: Conflict | undefined,
): Verdict {
  if (!isForwarded(standing)) return { kind: 'unwanted', why: 'gone' }
  if (claim === undefined) return { kind: 'unwanted', why: 'elsewhere' }
  const trespassed = trespass(signed, claim)
  if (trespassed !== undefined) return { kind: 'refused', reason: trespassed }
  if (conflict !== undefined) return { kind: 'refused', reason: `${conflict.what} is claimed by another member` }
  return judged(claim, own)
}

/**
 * What becomes of a member whose claim is good but whose address is not known to be its own; undefined where it is. The
 * kernel would send the traffic of the tunnel to anybody whose address is claimed.
 */
function located(peer: PeerId, claim: TunnelClaim, own: TunnelClaim, { within, whereabouts, before }: Caution): Verdict | undefined {
  const { underlay } = claim
  if (!within(underlay)) return { kind: 'refused', reason: `${underlay} lies outside of the underlay that was given (--underlay)` }
  const where = whereabouts(peer, underlay)
  if (where === 'reached') return undefined
  const last = before.get(peer)
  const there = where === 'unheard' && last !== undefined && within(last.underlay) ? judged({ ...claim, ...last }, own) : undefined
  return there?.kind === 'wanted' ? there : { kind: 'refused', reason: `nobody has reached this member at ${underlay}` }
}

/** What is wanted, and of what only may stay that which is there. */
export function withStanding({ table: wanted, standing }: Pick<Desired, 'table' | 'standing'>, actual: Table): Table {
  const staying = [...standing].filter(([place, entry]) => !wanted.has(place) && holds(actual, entry))
  return staying.length === 0 ? wanted : new Map([...staying, ...wanted])
}

/** What a guard has of a member, where there is one. */
function admission({ underlay }: TunnelClaim): Entry {
  return { kind: 'admitted', underlay }
}

/** Claims never change, and looking into addresses takes a while: each is judged once for each of ours. */
const judgements = new WeakMap<TunnelClaim, WeakMap<TunnelClaim, Verdict>>()

function judged(claim: TunnelClaim, own: TunnelClaim): Verdict {
  const ours = judgements.get(own) ?? new WeakMap<TunnelClaim, Verdict>()
  judgements.set(own, ours)
  const known = ours.get(claim)
  if (known !== undefined) return known
  const reason = objection(claim, own)
  const judgement: Verdict = reason === undefined ? { kind: 'wanted', entries: entriesFor(claim, own) } : { kind: 'refused', reason }
  ours.set(claim, judgement)
  return judgement
}

/**
 * What is sent to everybody goes to the member, and what is for its device, whose addresses need not be asked for. Of a
 * device that is a port of a bridge no MAC address is told: who is behind it is learned. The port is named where it is not
 * ours, which is what the kernel takes for everybody's. With GRE nothing goes to everybody, and devices have no MAC address.
 */
function entriesFor({ underlay, port, mac, overlay }: TunnelClaim, own: TunnelClaim): readonly Entry[] {
  const addresses = [...new Set(overlay.filter((address) => isNeighbour(address, own)).map(hostOf))]
  if (own.mode === 'gre') {
    const [local, key] = [own.underlay, own.id]
    if (family(underlay) === 'ipv6') return addresses.map((each) => ({ kind: 'route', overlay: each, local, underlay, key }))
    return addresses.flatMap((each): Entry[] => [
      { kind: 'neighbour', overlay: each, underlay },
      { kind: 'route', overlay: each },
    ])
  }
  const destination = port === own.port ? { underlay } : { underlay, port }
  const flood: Entry = { kind: 'flood', ...destination }
  if (!isUnicast(mac) || mac === own.mac) return [flood]
  return [flood, { kind: 'fdb', mac, ...destination }, ...addresses.map((each): Entry => ({ kind: 'neighbour', overlay: each, mac }))]
}

/**
 * Whether an address inside the tunnel may be a neighbour. The kernel takes any, our own, multicast and the broadcast
 * address of our network included, and would send there what is meant for all. Without an address of its family on our
 * device there is nothing to send from.
 */
function isNeighbour(address: InterfaceAddress, own: TunnelClaim): boolean {
  const host = hostOf(address)
  const range = addressRange(host)
  const [networks, hosts] = [[address, ...own.overlay], own.overlay.map(hostOf)]
  return (
    (range === 'usable' || range === 'link-local') &&
    !networks.some((network) => hostless(address, network) !== undefined) &&
    !hosts.includes(host) &&
    hosts.some((each) => family(each) === family(host))
  )
}

/**
 * Why a claimed underlay address must not become a destination, or undefined if it may. The kernel takes any address,
 * multicast, zero and our own included (drivers/net/vxlan/vxlan_core.c checks none of these), so this is the only guard.
 */
function objection(claim: TunnelClaim, own: TunnelClaim): string | undefined {
  if (claim.underlay === own.underlay) return `${claim.underlay} is our own underlay address`
  if (family(claim.underlay) !== family(own.underlay))
    return `${claim.underlay} cannot be reached from ${own.underlay}: another address family`
  const inside = own.overlay.find((network) => contains(network, claim.underlay))
  if (inside !== undefined) return `${claim.underlay} lies inside the overlay ${inside}`
  const range = addressRange(claim.underlay)
  return range === 'usable' || range === addressRange(own.underlay)
    ? undefined
    : `${claim.underlay} is no destination: its range is ${range}`
}
