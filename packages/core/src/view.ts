/**
 * What one member believes, as a lattice. A view holds per owner the record of highest incarnation and, for that
 * incarnation, the accusations by distinct observers. It only grows: merging is a maximum and a union, so that views
 * agree whatever the order, the repetition or the path of what they heard. What follows from a view (who is alive, who
 * is dead) is derived in `member.ts` and never travels.
 *
 * An accusation without its record is not part of any view and is dropped: whoever sends one sends the record before
 * it, and anti-entropy repairs what was lost on the way.
 */
import { Map } from 'immutable'
import { graver, type Accusation } from './accusation.ts'
import { laterReissue, type Reissue } from './lineage.ts'
import { compareRecords, type SignedRecord } from './record.ts'
import type { PeerId } from './values.ts'

/** What is believed about one member: its newest record, and who accuses it at that incarnation. */
export type Belief = {
  readonly signed: SignedRecord
  readonly accusations: Map<PeerId, Accusation>
  /** The mesh key said that its owner is a member no more: see `eviction.ts`. Nothing that is said of it then counts. */
  readonly evicted: boolean
  /** The certificate that a later key of the mesh made anew for it, whether it has been taken up or not: see `lineage.ts`. */
  readonly reissue?: Reissue
}

export type View = Map<PeerId, Belief>

export const EMPTY_VIEW: View = Map()

/** Whether it rests on a certificate by a key that does not speak for the mesh, as far as is known. */
function isUnfounded({ signed }: Belief): boolean {
  return signed.admission.issuer.generation < 0
}

/** Whether nobody is told of it, since others may hold another or none: its owner is evicted, or admitted by no key of the mesh. */
export function isPrivate(belief: Belief): boolean {
  return belief.evicted || isUnfounded(belief)
}

/** The view that also knows this record; the same object when that is nothing new. */
export function withRecord(view: View, signed: SignedRecord): View {
  return withBelief(view, { signed, accusations: Map(), evicted: false })
}

/** The view that also knows this accusation; the same object when that is nothing new or does not fit the record held. */
export function withAccusation(view: View, accusation: Accusation): View {
  const belief = view.get(accusation.subject)
  if (belief === undefined || belief.evicted || belief.signed.record.incarnation !== accusation.incarnation) return view
  if (view.get(accusation.observer)?.evicted === true) return view
  return withBelief(view, { ...belief, accusations: Map([[accusation.observer, accusation]]) })
}

/** The view that also knows this reissue; the same object when that is nothing new or of nobody who is known. */
export function withReissue(view: View, reissue: Reissue): View {
  const belief = view.get(reissue.subject)
  return belief === undefined || belief.evicted ? view : withBelief(view, { ...belief, reissue })
}

/** The least view that knows all that either knows. Commutative, associative, idempotent. */
export function merge(a: View, b: View): View {
  return b.reduce(withBelief, a)
}

function withBelief(view: View, belief: Belief): View {
  const peer = belief.signed.record.peer
  const held = view.get(peer)
  const joined = held === undefined ? belief : join(held, belief)
  return joined === held ? view : view.set(peer, joined)
}

function join(held: Belief, heard: Belief): Belief {
  const joined = joinWords(held, heard)
  const reissue = laterReissue(held.reissue, heard.reissue)
  return reissue === undefined || reissue === joined.reissue ? joined : { ...joined, reissue }
}

/** What its owner said last, and what was said of that. */
function joinWords(held: Belief, heard: Belief): Belief {
  // Whoever was admitted anew, by another invite, is what it says now.
  if (held.evicted !== heard.evicted) return held.evicted ? heard : held
  // What a key certified that lost its place another half of the mesh never believed: what all may believe goes before it.
  if (isUnfounded(held) !== isUnfounded(heard)) return isUnfounded(held) ? heard : held
  const order = heard.signed.record.incarnation - held.signed.record.incarnation
  if (order > 0) return heard
  if (order < 0) return held
  const signed = compareRecords(heard.signed, held.signed) > 0 ? heard.signed : held.signed
  const accusations = held.accusations.mergeWith(graver, heard.accusations)
  return signed === held.signed && accusations.equals(held.accusations) ? held : { ...held, signed, accusations }
}
