/**
 * Where members were found: at which addresses a handshake proved that very peer to be. Anybody can claim any underlay
 * address, and the kernels of all others would send there what is for everybody in the tunnel. So an address counts once we
 * have a link with its member from or to there, or another member says so in whose way we have no link: that word goes on
 * beside the record, at no cost of time. A member's own word does not count. Where it has more addresses than its links
 * come from, they are tried by a handshake that makes no link.
 */
import { after, isForwarded, milliseconds, seconds, type IpAddress, type MemberRecord, type PeerId, type Whereabouts } from '@vxmesh/core'
import type { Reached } from './message.ts'
import { BEAT, type LinkId, type State, type Turn } from './state.ts'
import { change, draft, forward, openLinks, openLinkTo, reachedAt, underlaysOf } from './turn.ts'

/** How long a member that is linked to us has to be found where it says that it is: longer than its daemon takes to follow an address that changed. */
const FOUND_AFTER = seconds(10)

const TRIED_AFTER = milliseconds(500)
const TRIED_AFTER_MOST = seconds(60)

/** How many members are asked for at once. */
const ASKED_MOST = 1000

/** What is known of an address that a member claims for a tunnel. */
export function whereabouts(state: State, peer: PeerId, underlay: IpAddress, now: number): Whereabouts {
  if (state.reached.get(peer)?.has(underlay) === true) return 'reached'
  const link = openLinkTo(state, peer)
  return link !== undefined && now - link.since >= FOUND_AFTER ? 'elsewhere' : 'unheard'
}

/** Where a link is, its peer is. */
export function noteLink(turn: Turn, peer: PeerId): void {
  const link = openLinkTo(turn.state, peer)
  if (link?.at !== undefined) note(turn, link.id, peer, [link.at])
  tryAddresses(turn, peer)
}

/** Another member says where a member was found. */
export function receiveReached(turn: Turn, link: LinkId, from: PeerId, { peer, addresses }: Reached): void {
  const record = turn.state.view.get(peer)?.signed.record
  if (record === undefined || peer === from || peer === turn.env.signer.peer) return
  const claimed = underlaysOf(record)
  note(
    turn,
    link,
    peer,
    addresses.filter((address) => claimed.has(address)),
  )
}

function note(turn: Turn, link: LinkId, peer: PeerId, addresses: readonly IpAddress[]): void {
  const known = turn.state.reached.get(peer) ?? new Set<IpAddress>()
  if (addresses.every((address) => known.has(address))) return
  const reached = new Set([...kept(turn.state, peer, known), ...addresses])
  change(turn, { reached: turn.state.reached.set(peer, reached) })
  turn.effects.push({ kind: 'changed' })
  const said = reachedAt(turn.state, peer)
  if (said.length > 0) forward(turn, link, peer, (items) => (items.reached = said))
}

/** Where a member was found before we started anew: those who were found there since would have said so of another. */
export function remember(turn: Turn, { peer, addresses }: Reached): void {
  const known = kept(turn.state, peer, new Set(addresses))
  if (known.size > 0) change(turn, { reached: turn.state.reached.set(peer, known) })
}

/** A record is new: what it no longer claims was true of an address that others may have by now. */
export function keepReached(turn: Turn, peer: PeerId): void {
  const known = turn.state.reached.get(peer)
  if (known === undefined) return
  const reached = kept(turn.state, peer, known)
  if (reached.size !== known.size) change(turn, { reached: turn.state.reached.set(peer, reached) })
}

/** Of a peer that is no member, or not yet, nothing is kept but where its links are. */
export function forgetReached(turn: Turn, peer: PeerId): void {
  if (turn.state.view.has(peer) || openLinkTo(turn.state, peer) !== undefined) return
  change(turn, { reached: turn.state.reached.delete(peer), tries: turn.state.tries.delete(peer) })
}

function kept(state: State, peer: PeerId, known: ReadonlySet<IpAddress>): ReadonlySet<IpAddress> {
  const record = state.view.get(peer)?.signed.record
  const claimed = record === undefined ? new Set<IpAddress>() : underlaysOf(record)
  const linked = openLinkTo(state, peer)?.at
  return new Set([...known].filter((address) => claimed.has(address) || address === linked))
}

function unreached({ reached }: State, record: MemberRecord): readonly IpAddress[] {
  const known = reached.get(record.peer)
  return [...underlaysOf(record)].filter((address) => known?.has(address) !== true)
}

/** Tries one of the addresses that a member linked to us is said to have, and to listen at. */
export function tryAddresses(turn: Turn, peer: PeerId): void {
  const record = turn.state.view.get(peer)?.signed.record
  if (record === undefined || openLinkTo(turn.state, peer) === undefined) return
  const missing = unreached(turn.state, record)
  const places = record.control.filter(({ address }) => missing.includes(address))
  const { next, failures, underway } = turn.state.tries.get(peer) ?? { next: turn.now, failures: 0, underway: false }
  const place = places[failures % Math.max(1, places.length)]
  if (place === undefined || underway || turn.now < next) return
  change(turn, { tries: turn.state.tries.set(peer, { next, failures, underway: true }) })
  turn.effects.push({ kind: 'try', peer, place })
}

/** What came of it. */
export function tried(turn: Turn, peer: PeerId, address: IpAddress, found: boolean): void {
  const failures = found ? 0 : (turn.state.tries.get(peer)?.failures ?? 0) + 1
  const pause = milliseconds(Math.min(TRIED_AFTER_MOST, failures * TRIED_AFTER * 2 ** Math.min(failures, 8)))
  change(turn, { tries: turn.state.tries.set(peer, { next: after(turn.now, pause), failures, underway: false }) })
  if (found && turn.state.view.has(peer)) note(turn, openLinkTo(turn.state, peer)?.id ?? 0, peer, [address])
  if (found) tryAddresses(turn, peer)
  forgetReached(turn, peer)
}

/** With the beat: whoever is linked to us and has an address at which it was not found yet. */
export function seekLinked(turn: Turn): void {
  for (const { peer, since } of openLinks(turn.state)) {
    const record = turn.state.view.get(peer)?.signed.record
    if (record === undefined || unreached(turn.state, record).length === 0) continue
    tryAddresses(turn, peer)
    const late = turn.now - since - FOUND_AFTER
    if (late >= 0 && late < 2 * BEAT) turn.effects.push({ kind: 'changed' })
  }
}

/** Asks another member where those are of whom we have heard only by hearsay of old, as after a restart. */
export function askWhere(turn: Turn): void {
  const links = openLinks(turn.state)
  const link = links[Math.floor(turn.env.random() * links.length)]
  if (link === undefined) return
  const { standings, view } = turn.state
  const lacking = [...view.values()].flatMap(({ signed: { record } }) => {
    const standing = standings.get(record.peer)
    const asked = standing !== undefined && isForwarded(standing) && record.peer !== turn.env.signer.peer && record.peer !== link.peer
    return asked && unreached(turn.state, record).length > 0 ? [record.peer] : []
  })
  if (lacking.length > 0) draft(turn, link.id).wants.push(...lacking.slice(0, ASKED_MOST))
}
