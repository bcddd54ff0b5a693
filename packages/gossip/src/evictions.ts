/**
 * Who is a member no more. An eviction is believed because the mesh key signed it, whoever brings it, and for ever: it is
 * written down before it is said on, its subject's links end in the same turn, and nothing that its subject says, or
 * anybody says for it, is believed or passed on again. The subject itself is told at the door, so that its operator knows.
 */
import { withEviction, type Bytes, type Eviction, type PeerId } from '@vxmesh/core'
import { ENVELOPE_COST } from './allowance.ts'
import { openEviction } from './certificate.ts'
import { rootAfter } from './digest.ts'
import { hashOf } from './message.ts'
import type { LinkId, Turn } from './state.ts'
import { change, charge, drop, evictionOf, flushLink, forward, noteNews, offer, trustOf, unlink } from './turn.ts'

/** How many evictions a mesh can have: at a few hundred bytes each they are kept for ever, by everybody. */
const EVICTIONS_MOST = 10_000

/** An eviction that came over a link: believed, written down and said on, if it is new and verified. */
export function receiveEviction(turn: Turn, link: LinkId, from: PeerId, bytes: Bytes): void {
  if (turn.state.seen.has(hashOf(bytes))) return
  charge(turn, from, ENVELOPE_COST)
  const opened = openEviction(trustOf(turn), bytes)
  if (!opened.ok) return drop(turn, from, opened.reason)
  evict(turn, link, opened.value)
}

/** An eviction, verified, from our own operator or over a link. */
export function evict(turn: Turn, link: LinkId | undefined, eviction: Eviction): void {
  if (!believeEviction(turn, eviction)) return
  turn.effects.push({ kind: 'evict', evictions: turn.state.evictions, eviction })
  forward(turn, link, eviction.key, (items) => (items.eviction = eviction.bytes))
  for (const each of turn.state.links.values()) if (isOut(turn, each.peer)) showOut(turn, each.id, each.peer)
  if (!isOut(turn, turn.env.signer.peer)) return
  for (const { id } of turn.state.links.values()) {
    flushLink(turn, id)
    unlink(turn, id, 'we are evicted')
  }
}

/** Adds an eviction to what is known; false when it is not news. */
export function believeEviction(turn: Turn, eviction: Eviction): boolean {
  const { view, evictions, lineage, root, seen, unjudged, watches, dials } = turn.state
  const known = withEviction({ view, evictions, lineage }, eviction)
  if (known.evictions === evictions || evictions.size >= EVICTIONS_MOST) return false
  const touched = [...known.view].flatMap(([peer, belief]) => (view.get(peer) === belief ? [] : [peer]))
  const gone = touched.filter((peer) => known.view.get(peer)?.evicted)
  const silenced = touched.flatMap((peer) => {
    const accusations = known.view.get(peer)?.accusations
    return [...(view.get(peer)?.accusations ?? [])].flatMap(([observer, { hash }]) => (accusations?.has(observer) === true ? [] : [hash]))
  })
  noteNews(turn)
  change(turn, {
    ...known,
    root: touched.reduce((sum, peer) => rootAfter(sum, view.get(peer), known.view.get(peer)), rootAfter(root, undefined, eviction)),
    seen: seen.subtract(silenced).add(eviction.hash),
    unjudged: unjudged.union(touched),
    watches: watches.deleteAll(gone),
    dials: dials.deleteAll(gone),
  })
  return true
}

/** Whether a peer, as far as we know it, is evicted. */
export function isOut({ state }: Turn, peer: PeerId): boolean {
  return evictionOf(state, peer) !== undefined
}

/** Ends a link to a peer that is evicted, and says why. */
export function showOut(turn: Turn, link: LinkId, peer: PeerId): void {
  turn.drafts.delete(link)
  offer(turn, link, peer)
  flushLink(turn, link)
  unlink(turn, link, 'evicted')
}
