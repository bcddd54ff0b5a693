/**
 * Who is a member no more because the mesh key said so. An eviction names one key: a member's own, or that of an invite,
 * and with it everybody that the invite admitted. Evictions are never taken back and never forgotten, so the set of them
 * only grows, and merging is a union; a host that is to return comes with another key, or by another invite.
 */
import { Map } from 'immutable'
import { mergeLineages, underLineage, type Lineage } from './lineage.ts'
import type { SignedRecord } from './record.ts'
import type { Bytes, PeerId } from './values.ts'
import { merge, type Belief, type View } from './view.ts'

/** The verified word of the mesh key against one key. */
export type Eviction = {
  readonly key: PeerId
  /** The signed envelope, byte for byte as it was made. */
  readonly bytes: Bytes
  /** SHA-256 of the envelope in hexadecimal. */
  readonly hash: string
}

export type Evictions = Map<PeerId, Eviction>

export const NO_EVICTIONS: Evictions = Map()

/** All that is replicated: what members say, who is none any more, and which keys say so. */
export type Knowledge = { readonly view: View; readonly evictions: Evictions; readonly lineage: Lineage }

/** Whether the owner of a record is evicted, by its own key or with its invite. */
export function isEvicted(evictions: Evictions, { record, admission }: SignedRecord): boolean {
  return !evictions.isEmpty() && (evictions.has(record.peer) || evictions.has(admission.invite))
}

/** What is known once this eviction is: the same object when it is nothing new. Of two statements about one key the first stays. */
export function withEviction(known: Knowledge, eviction: Eviction): Knowledge {
  return known.evictions.has(eviction.key) ? known : { ...known, ...enforced(known.view, known.evictions.set(eviction.key, eviction)) }
}

/** What is known once these are the keys of the mesh: the same object when others go before them. */
export function withLineage(known: Knowledge, lineage: Lineage): Knowledge {
  const merged = mergeLineages(known.lineage, lineage)
  return merged === known.lineage ? known : { ...known, view: underLineage(known.view, merged), lineage: merged }
}

/** The least that knows all that either knows. Commutative, associative, idempotent. */
export function mergeKnowledge(a: Knowledge, b: Knowledge): Knowledge {
  const evictions = b.evictions.merge(a.evictions)
  const lineage = mergeLineages(a.lineage, b.lineage)
  const under = ({ view }: Knowledge): View => underLineage(enforced(view, evictions).view, lineage)
  return { ...enforced(merge(under(a), under(b)), evictions), lineage }
}

/** Marks the evicted, and takes their word from all beliefs. */
function enforced(view: View, evictions: Evictions): Omit<Knowledge, 'lineage'> {
  const marked = view.withMutations((map) => {
    for (const [peer, belief] of view) {
      if (!belief.evicted && isEvicted(evictions, belief.signed)) map.set(peer, { ...belief, accusations: Map(), evicted: true })
    }
  })
  const isOut = (peer: PeerId): boolean => evictions.has(peer) || marked.get(peer)?.evicted === true
  return { view: marked.withMutations((map) => marked.forEach((belief, peer) => void map.set(peer, without(belief, isOut)))), evictions }
}

function without(belief: Belief, isOut: (peer: PeerId) => boolean): Belief {
  const accusations = belief.accusations.filterNot((_, observer) => isOut(observer))
  return accusations.size === belief.accusations.size ? belief : { ...belief, accusations }
}
