/** Taking in what is said, saying it on, and speaking for ourselves. */
import {
  milliseconds,
  incarnationAbove,
  isEvicted,
  withAccusation,
  withRecord,
  type Accusation,
  type Admission,
  type Belief,
  type Bytes,
  type PeerId,
  type SignedRecord,
  type Testimony,
} from '@vxmesh/core'
import { ENVELOPE_COST, OWN_WORD_COST } from './allowance.ts'
import { isOut, showOut } from './evictions.ts'
import { isSpared, noteMembership } from './expiry.ts'
import { hashOf, openAccusation, openRecord, sealAccusation, sealRecord } from './message.ts'
import type { LinkId, Turn } from './state.ts'
import { meetOurselves, resume } from './clone.ts'
import { keepReached, tryAddresses } from './reach.ts'
import { refuted } from './rebuff.ts'
import { strain } from './strain.ts'
import { change, changeBelief, charge, draft, drop, faithOf, forward, offer, reachedAt, trustOf } from './turn.ts'

/** A refutation answers all accusations at once; one in this time keeps an accuser from making us flood. */
export const REFUTE_PAUSE = milliseconds(200)

/** Believes a record that came over a link, if it is new and verified, and sends it on in the same turn. */
export function receiveRecord(turn: Turn, link: LinkId, from: PeerId, bytes: Bytes): void {
  if (turn.state.seen.has(hashOf(bytes))) return
  charge(turn, from, ENVELOPE_COST)
  const opened = openRecord(trustOf(turn), bytes, (peer) => turn.state.view.get(peer)?.signed)
  if (!opened.ok) return drop(turn, from, opened.reason, faithOf(turn.state))
  const signed = opened.value
  const { record } = signed
  if (record.peer === from) charge(turn, from, OWN_WORD_COST)
  if (record.peer === turn.env.signer.peer) return meetOurselves(turn, link, signed.record, publish)
  if (believe(turn, signed)) {
    const found = reachedAt(turn.state, record.peer)
    forward(turn, link, record.peer, (items) => {
      items.record = bytes
      items.reached = found
    })
    tryAddresses(turn, record.peer)
    if (record.leaving && record.peer === from) draft(turn, link).farewell = record.incarnation
  } else if (isEvicted(turn.state.evictions, signed) && record.peer === from) showOut(turn, link, from)
  else {
    // Older than what we hold, or of one that is evicted: whoever sent it learns of the newer one, and an owner that lost its state jumps over it.
    offer(turn, link, record.peer)
  }
}

/** Adds a record to the view; false when it is not news, or its owner is evicted. */
export function believe(turn: Turn, signed: SignedRecord): boolean {
  const { view, seen } = turn.state
  const { peer } = signed.record
  if (isEvicted(turn.state.evictions, signed)) return false
  const held = view.get(peer)
  const next = withRecord(view, signed)
  if (next === view) return false
  changeBelief(turn, next, peer)
  noteMembership(turn, next.get(peer)!)
  keepReached(turn, peer)
  if (held !== undefined && next.get(peer)?.accusations.isEmpty() === true) refuted(turn, held)
  change(turn, {
    seen: seen.withMutations((set) => {
      for (const hash of hashesOf(held)) set.delete(hash)
      for (const hash of hashesOf(next.get(peer))) set.add(hash)
    }),
  })
  return true
}

/** Of what is known of a member. */
export function hashesOf(belief: Belief | undefined): readonly string[] {
  if (belief === undefined) return []
  const { signed, accusations, reissue } = belief
  return [signed.hash, ...[...accusations.values()].map((each) => each.hash), ...(reissue === undefined ? [] : [reissue.hash])]
}

/** Believes an accusation that came over a link, and sends it on in the same turn. */
export function receiveAccusation(turn: Turn, link: LinkId, from: PeerId, bytes: Bytes): void {
  if (turn.state.seen.has(hashOf(bytes))) return
  charge(turn, from, ENVELOPE_COST)
  const opened = openAccusation(trustOf(turn), bytes)
  if (!opened.ok) return drop(turn, from, opened.reason)
  const accusation = opened.value
  if (accusation.observer === from) charge(turn, from, OWN_WORD_COST)
  // An observer that we do not know is not admitted, as far as we know: its record comes first, or comes later by anti-entropy.
  if (!turn.state.view.has(accusation.observer)) return
  if (!heed(turn, accusation)) return
  forward(turn, link, accusation.subject, (items) => items.accusations.push(bytes))
  if (accusation.subject !== turn.env.signer.peer) return
  change(turn, { refutes: true })
  // Whoever spoke for us does not answer.
  if (turn.state.clone?.role === 'passive') resume(turn)
}

/** Adds an accusation to the view; false when it is not news or speaks of another incarnation than the one held. */
export function heed(turn: Turn, accusation: Accusation): boolean {
  const { view, seen } = turn.state
  const next = withAccusation(view, accusation)
  if (next === view) return false
  const replaced = view.get(accusation.subject)?.accusations.get(accusation.observer)
  changeBelief(turn, next, accusation.subject)
  change(turn, {
    seen: (replaced === undefined ? seen : seen.remove(replaced.hash)).add(accusation.hash),
  })
  return true
}

/** What we have said against a member at the incarnation we hold of it. */
export function ownTestimony({ env, state }: Turn, subject: PeerId): Testimony | undefined {
  return state.view.get(subject)?.accusations.get(env.signer.peer)?.testimony
}

/** Accuses a member at the incarnation we hold of it, once. The subject hears it too, where a link to it still stands. */
export function accuse(turn: Turn, subject: PeerId, testimony: Testimony): void {
  const belief = turn.state.view.get(subject)
  if (belief === undefined || isSpared(turn.state, subject)) return
  const said = ownTestimony(turn, subject)
  if (said === testimony || said === 'silent') return
  const { trust, signer } = turn.env
  const accusation = sealAccusation(trust.mesh, signer, subject, belief.signed.record.incarnation, testimony)
  if (heed(turn, accusation)) forward(turn, undefined, subject, (items) => items.accusations.push(accusation.bytes))
}

/** What admits us now: what our record says, once we have made one. */
export function ownAdmission({ env, state }: Turn): Admission {
  return state.view.get(env.signer.peer)?.signed.admission ?? env.admission
}

/** Signs and announces what we are now, above every incarnation of ours that was ever seen. */
export function publish(turn: Turn, admission = ownAdmission(turn)): void {
  const { trust, signer, bootId } = turn.env
  if (isOut(turn, signer.peer)) return
  const { content, leaving, clone } = turn.state
  const incarnation = incarnationAbove(turn.state.incarnation)
  const record = {
    ...content,
    incarnation,
    bootId,
    leaving: leaving !== undefined,
    ...(clone === undefined ? {} : { overrides: clone.bootId }),
  }
  const signed = sealRecord(trust.mesh, signer, admission, record)
  change(turn, { incarnation, publishedAt: turn.now, refutes: false })
  turn.effects.push({ kind: 'persist', incarnation })
  believe(turn, signed)
  forward(turn, undefined, signer.peer, (items) => (items.record = signed.bytes))
}

/** Answers all accusations against us, and what an earlier life of ours said, with one new incarnation, but not more often than others should make us. */
export function refute(turn: Turn): void {
  const { refutes, publishedAt } = turn.state
  if (refutes && turn.state.clone?.role !== 'passive' && turn.now - publishedAt >= REFUTE_PAUSE * strain(turn)) publish(turn)
}
