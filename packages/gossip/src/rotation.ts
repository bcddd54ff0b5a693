/**
 * Which keys speak for the mesh. That another takes the place of one is believed because both signed it, whoever brings it,
 * at the door already: a newcomer may have been certified by a key that we never heard of. It is written down before it is
 * said on. A member that the new key certified anew takes that up by itself, with nothing of its own to be signed.
 */
import {
  comesTooLate,
  partingFrom,
  pendingReissue,
  withLineage,
  withReissue,
  type Bytes,
  type Lineage,
  type PeerId,
  type Reissue,
} from '@vxmesh/core'
import { ENVELOPE_COST } from './allowance.ts'
import { hashesOf, publish } from './beliefs.ts'
import { openReissue, rechain, verifyChain } from './certificate.ts'
import { rootAfter } from './digest.ts'
import { noteEnded } from './expiry.ts'
import { hashOf } from './message.ts'
import type { Link, LinkId, Turn } from './state.ts'
import { bytesOf, isKnown, openLineage } from './succession.ts'
import { change, changeBelief, charge, draftItems, drop, faithOf, flushLink, forward, noteNews, offer, trustOf } from './turn.ts'

/** Successions that came over a link, all from the first key on: of strangers as well, since they prove themselves. */
export function receiveLineage(turn: Turn, link: Link, list: readonly Bytes[]): void {
  const held = turn.state.lineage
  if (isKnown(held, list)) return
  charge(turn, link.peer, list.length * ENVELOPE_COST)
  const opened = openLineage(turn.env.trust, list, held)
  if (!opened.ok) return drop(turn, link.peer, opened.reason)
  // Whoever says so may have heard it in time.
  if (comesTooLate(held, opened.value, turn.env.wall()))
    return drop(turn, link.peer, 'succession of a key that had another successor', 'good')
  // Whoever sent what does not hold learns of what does.
  if (!succeed(turn, link.id, opened.value) && link.phase === 'open') offer(turn, link.id, turn.env.trust.mesh)
}

/** Other keys of the mesh, verified, from our own operator or over a link; false when those we know hold. */
export function succeed(turn: Turn, link: LinkId | undefined, lineage: Lineage): boolean {
  const { view, evictions, lineage: held, root, seen, unjudged } = turn.state
  const known = withLineage({ view, evictions, lineage: held }, lineage)
  const holds = known.lineage !== held
  contest(turn, link, holds ? { holds: lineage, loses: held } : { holds: held, loses: lineage })
  if (!holds) return false
  const touched = [...known.view].flatMap(([peer, belief]) => (view.get(peer) === belief ? [] : [peer]))
  noteNews(turn)
  change(turn, {
    ...known,
    root: touched.reduce((sum, peer) => rootAfter(sum, view.get(peer), known.view.get(peer)), rootAfter(root, held, known.lineage)),
    seen: seen.withMutations((set) => {
      for (const peer of touched) for (const hash of hashesOf(view.get(peer))) set.delete(hash)
      for (const peer of touched) for (const hash of hashesOf(known.view.get(peer))) set.add(hash)
    }),
    unjudged: unjudged.union(touched),
  })
  turn.effects.push({ kind: 'succeed', lineage: known.lineage })
  noteEnded(turn)
  fallBack(turn)
  forward(turn, link, turn.env.trust.mesh, (items) => (items.successions = bytesOf(lineage)))
  takeUp(turn)
  return true
}

/**
 * Two keys were each made the next after the same one. Those whose key holds would else never hear that there was another,
 * so what does not hold is said on, once: whoever has copies of the key could make any number.
 */
function contest(turn: Turn, link: LinkId | undefined, { holds, loses }: { readonly holds: Lineage; readonly loses: Lineage }): void {
  const lost = partingFrom(loses, holds)
  if (lost === undefined || turn.state.contested !== undefined) return
  change(turn, { contested: lost.to })
  turn.effects.push({ kind: 'contested', key: lost.to })
  if (holds === turn.state.lineage) forward(turn, link, turn.env.trust.mesh, (items) => (items.successions = bytesOf(loses)))
  else if (link !== undefined) draftItems(turn, link, turn.env.trust.mesh).successions = bytesOf(loses)
}

/** A certificate made anew that came over a link. */
export function receiveReissue(turn: Turn, link: LinkId, from: PeerId, bytes: Bytes): void {
  if (turn.state.seen.has(hashOf(bytes))) return
  charge(turn, from, ENVELOPE_COST)
  const opened = openReissue(trustOf(turn), bytes)
  if (!opened.ok) return drop(turn, from, opened.reason, faithOf(turn.state))
  certifyAnew(turn, link, opened.value)
}

/** The same, verified, from our own operator or over a link. */
export function certifyAnew(turn: Turn, link: LinkId | undefined, reissue: Reissue): void {
  const isNews = believeReissue(turn, reissue)
  const belief = turn.state.view.get(reissue.subject)
  if (isNews && belief !== undefined && pendingReissue(belief) === reissue)
    forward(turn, link, reissue.subject, (items) => (items.reissue = reissue.bytes))
  takeUp(turn)
}

/** Adds one to what is known; false when it is not news, or about nobody we know. */
export function believeReissue(turn: Turn, reissue: Reissue): boolean {
  const { view, seen } = turn.state
  const next = withReissue(view, reissue)
  if (next === view) return false
  const replaced = view.get(reissue.subject)?.reissue
  changeBelief(turn, next, reissue.subject)
  change(turn, { seen: (replaced === undefined ? seen : seen.remove(replaced.hash)).add(reissue.hash) })
  return true
}

/** Who certified us has lost its place: until the key that holds does, we are a member by what we were before. */
function fallBack(turn: Turn): void {
  const { view, fallback } = turn.state
  if (fallback === undefined || view.get(turn.env.signer.peer)?.signed.admission.issuer.generation !== -1) return
  const admitted = verifyChain(trustOf(turn), fallback.chain)
  if (!admitted.ok) return
  turn.effects.push({ kind: 'admitted', admission: admitted.value, former: undefined })
  publish(turn, admitted.value)
}

/** We are a member by the certificate that was made anew for us from now on, and say so. */
export function takeUp(turn: Turn): void {
  const own = turn.state.view.get(turn.env.signer.peer)
  const reissue = own === undefined ? undefined : pendingReissue(own)
  if (own === undefined || reissue === undefined) return
  const admitted = verifyChain(trustOf(turn), rechain(own.signed.admission.chain, reissue.bytes))
  if (!admitted.ok) return
  const former = own.signed.admission
  change(turn, { fallback: former })
  turn.effects.push({ kind: 'admitted', admission: admitted.value, former })
  publish(turn, admitted.value)
}

/**
 * A member that we refuse may have been away while the key of the mesh was rotated: it is told which one speaks for the
 * mesh now, and what that made for it. Strangers are told nothing.
 */
export function tellAtTheDoor(turn: Turn, { id, peer }: Link): void {
  const { lineage, view } = turn.state
  const reissue = view.get(peer)?.reissue
  if (lineage.length === 0 || !view.has(peer)) return
  turn.drafts.delete(id)
  offer(turn, id, turn.env.trust.mesh)
  const items = turn.drafts.get(id)?.items.get(turn.env.trust.mesh)
  if (items !== undefined && reissue !== undefined) items.reissue = reissue.bytes
  flushLink(turn, id)
}
