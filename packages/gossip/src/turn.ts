import {
  isPrivate,
  pendingReissue,
  type Bytes,
  type Eviction,
  type IpAddress,
  type MemberRecord,
  type PeerId,
  type View,
} from '@vxmesh/core'
import { leftOf, UNBELIEVED_COST } from './allowance.ts'
import type { Trust } from './certificate.ts'
import { rootAfter } from './digest.ts'
import { frames, type Draft, type PeerItems } from './draft.ts'
import type { Rings } from './graph.ts'
import type { Link, LinkId, State, Turn } from './state.ts'
import { bytesOf } from './succession.ts'

/** Replaces parts of the state of a turn. */
export function change(turn: Turn, parts: Partial<State>): void {
  turn.state = { ...turn.state, ...parts }
}

export function changeLink(turn: Turn, link: LinkId, parts: Partial<Link>): void {
  const held = turn.state.links.get(link)
  if (held !== undefined) change(turn, { links: turn.state.links.set(link, { ...held, ...parts }) })
}

/** What certificates and statements are verified with now. */
export function trustOf({ env, state }: Turn): Trust {
  return { ...env.trust, lineage: state.lineage }
}

/** The view in which one belief changed, and what follows from it at once. */
export function changeBelief(turn: Turn, view: View, peer: PeerId): void {
  const { root, unjudged, view: before } = turn.state
  noteNews(turn)
  change(turn, { view, root: rootAfter(root, before.get(peer), view.get(peer)), unjudged: unjudged.add(peer) })
}

/** Something is new to us: copies of it may come. */
export function noteNews(turn: Turn): void {
  change(turn, { news: turn.state.news + 1 })
}

/** Takes from what an admitted peer may say that is of no use. */
export function charge(turn: Turn, peer: PeerId, cost: number): void {
  const { allowances, news } = turn.state
  if (openLinkTo(turn.state, peer) === undefined) return
  change(turn, { allowances: allowances.set(peer, { left: leftOf(turn.state, peer, turn.now) - cost, at: turn.now, news }) })
}

/** The frame that this turn will send on a link. */
export function draft(turn: Turn, link: LinkId): Draft {
  const begun = turn.drafts.get(link)
  if (begun !== undefined) return begun
  const made: Draft = { items: new Map(), wants: [], questions: [], answers: [] }
  turn.drafts.set(link, made)
  return made
}

/** The items about one member in the frame that this turn will send on a link. */
export function draftItems(turn: Turn, link: LinkId, peer: PeerId): PeerItems {
  const { items } = draft(turn, link)
  const begun = items.get(peer)
  if (begun !== undefined) return begun
  const made: PeerItems = { accusations: [] }
  items.set(peer, made)
  return made
}

/** The addresses that a member claims for its tunnels. */
export function underlaysOf({ tunnels }: MemberRecord): ReadonlySet<IpAddress> {
  return new Set(tunnels.map(({ underlay }) => underlay))
}

/** Those of them at which it is known to have been found. */
export function reachedAt({ view, reached }: State, peer: PeerId): readonly IpAddress[] {
  const record = view.get(peer)?.signed.record
  return record === undefined ? [] : [...underlaysOf(record)].filter((address) => reached.get(peer)?.has(address) === true)
}

export function draftRoot(turn: Turn, link: LinkId): void {
  draft(turn, link).root = turn.state.root
}

/** What is asked of the links in every turn, though few turns change any. */
type Summed = { readonly open: readonly Link[]; readonly byPeer: ReadonlyMap<PeerId, Link>; readonly indebted: readonly Link[] }

const sums = new WeakMap<State['links'], Summed>()

function sumOf(links: State['links']): Summed {
  const known = sums.get(links)
  if (known !== undefined) return known
  const open = [...links.values()].filter(({ phase }) => phase === 'open')
  const byPeer = new Map(open.toReversed().map((link) => [link.peer, link]))
  const made = { open, byPeer, indebted: [...links.values()].filter(({ owed, congested }) => !congested && !owed.isEmpty()) }
  sums.set(links, made)
  return made
}

export function openLinks(state: State): readonly Link[] {
  return sumOf(state.links).open
}

/** The first of them, where there are two for a moment. */
export function openLinkTo(state: State, peer: PeerId): Link | undefined {
  return sumOf(state.links).byPeer.get(peer)
}

/** Drops a link from the state and asks the shell to close it. */
export function unlink(turn: Turn, link: LinkId, reason: string): void {
  change(turn, { links: turn.state.links.delete(link) })
  turn.drafts.delete(link)
  turn.effects.push({ kind: 'unlink', link, reason })
}

/**
 * Something received is not believed: counted, and told to the shell, which logs it once. It is held against whoever said it,
 * unless others may believe it in good faith: by other keys of the mesh than ours, while there are two lines of them.
 */
export function drop(turn: Turn, peer: PeerId, reason: string, faith: 'bad' | 'good' = 'bad'): void {
  change(turn, { dropped: turn.state.dropped.update(reason, 0, (count) => count + 1) })
  if (faith === 'bad') charge(turn, peer, UNBELIEVED_COST)
  turn.effects.push({ kind: 'dropped', peer, reason })
}

/** In which faith a peer may say what no key of the mesh that we know certified. */
export function faithOf({ contested }: State): 'bad' | 'good' {
  return contested === undefined ? 'bad' : 'good'
}

/**
 * Says what is new on all links, if it is ours. What others said goes on to our neighbours on the rings: above 32 members
 * these are all the links there are, and below, where its author is linked to everybody, all links of all members would
 * carry it a thousand times.
 */
export function forward(turn: Turn, except: LinkId | undefined, peer: PeerId, write: (items: PeerItems) => void): void {
  const { rings } = turn.state.circle
  for (const link of openLinks(turn.state)) {
    if (link.id === except || (except !== undefined && !isRelay(rings, link.peer))) continue
    if (link.congested) owe(turn, link.id, [peer])
    else write(draftItems(turn, link.id, peer))
  }
}

function isRelay(rings: Rings, peer: PeerId): boolean {
  return rings.some(({ next, previous }) => next?.peer === peer || previous?.peer === peer)
}

/** What a peer, as far as we know it, is evicted by: its own key, or that of its invite. */
export function evictionOf({ evictions, view }: State, peer: PeerId): Eviction | undefined {
  const belief = view.get(peer)
  return evictions.get(peer) ?? (belief?.evicted === true ? evictions.get(belief.signed.admission.invite) : undefined)
}

/** The sends of a turn. */
export function flush(turn: Turn): void {
  payDebts(turn)
  for (const id of turn.drafts.keys()) flushLink(turn, id)
}

/** How many members a link is told of in one turn, so that a newcomer to a large mesh does not fill its stream at once. */
const MEMBERS_A_TURN = 1024

/** What links were owed goes with this turn, as much as one turn should say. */
function payDebts(turn: Turn): void {
  for (const { id, owed } of sumOf(turn.state.links).indebted) {
    const paid = [...owed.take(Math.max(0, MEMBERS_A_TURN - draft(turn, id).items.size))]
    for (const peer of paid) offer(turn, id, peer)
    changeLink(turn, id, { owed: owed.subtract(paid) })
    // What is compared then is all there is to say.
    if (paid.length === owed.size) draftRoot(turn, id)
  }
}

/** Whether some link could be told more in another turn. */
export function isIndebted(state: State): boolean {
  return sumOf(state.links).indebted.length > 0
}

/** What we hold about a key, for the next frame of a link: who succeeded it, that it is evicted, or a member's record and then who accuses it. */
export function offer(turn: Turn, link: LinkId, key: PeerId): void {
  const { lineage } = turn.state
  if (key === lineage[0]?.mesh) draftItems(turn, link, key).successions = bytesOf(lineage)
  const belief = turn.state.view.get(key)
  const eviction = evictionOf(turn.state, key)
  if (eviction !== undefined) draftItems(turn, link, key).eviction = eviction.bytes
  if (belief === undefined || isPrivate(belief)) return
  const items = draftItems(turn, link, key)
  items.record = belief.signed.bytes
  items.reached = reachedAt(turn.state, key)
  const reissue = pendingReissue(belief)
  if (reissue !== undefined) items.reissue = reissue.bytes
  items.accusations.length = 0
  items.accusations.push(...[...belief.accusations.values()].map((accusation) => accusation.bytes))
}

/** What this turn has to say on one link. A link that is congested is owed it. */
export function flushLink(turn: Turn, id: LinkId): void {
  const made = turn.drafts.get(id)
  const link = turn.state.links.get(id)
  turn.drafts.delete(id)
  if (made === undefined || link === undefined) return
  if (link.congested) return owe(turn, id, made.items.keys())
  const sent = frames(made)
  for (const bytes of sent) turn.effects.push({ kind: 'send', link: id, bytes })
  if (made.buckets === undefined && made.summaries === undefined && made.wants.length === 0) return
  const { begun, bytes } = turn.state.comparisons
  const items = [...made.items.values()].reduce(
    (sum, { successions = [], eviction, record, reissue, accusations }) =>
      sum + lengthOf([...successions, eviction, record, reissue, ...accusations]),
    0,
  )
  change(turn, { comparisons: { begun, bytes: bytes + lengthOf(sent) - items } })
}

function lengthOf(parts: readonly (Bytes | undefined)[]): number {
  return parts.reduce((sum, part) => sum + (part?.length ?? 0), 0)
}

/** Whom a link is to be told of when there is room. */
export function owe(turn: Turn, id: LinkId, peers: Iterable<PeerId>): void {
  const link = turn.state.links.get(id)
  const owed = link?.owed.union(peers)
  if (owed !== undefined && owed !== link?.owed) changeLink(turn, id, { owed })
}
