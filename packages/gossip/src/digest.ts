/**
 * Comparing whole views without sending them. A belief has a fingerprint, a view the sum (exclusive or) of them: equal
 * roots mean equal views. When roots differ one side sends the summary of its view, the other answers with what is
 * newer on its side and asks for what is newer there.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { Belief, Bytes, PeerId, View } from '@vxmesh/core'
import { FINGERPRINT_BYTES, type Summary } from './message.ts'

/** Beliefs are immutable, so what was computed of one stays true; the memo dies with the belief. */
const fingerprints = new WeakMap<Belief, Bytes>()

function fingerprint(belief: Belief): Bytes {
  const known = fingerprints.get(belief)
  if (known !== undefined) return known
  const { record, hash } = belief.signed
  const accusers = [...belief.accusations.values()].map((each) => `${each.observer} ${each.testimony}`).sort()
  const made = Uint8Array.from(
    sha256(utf8ToBytes([record.peer, record.incarnation, hash, ...accusers].join('\n'))).subarray(0, FINGERPRINT_BYTES),
  )
  fingerprints.set(belief, made)
  return made
}

/** Likewise of views: most heartbeats carry the root of the one before. */
const roots = new WeakMap<View, Bytes>()

/** The digest of a whole view: 16 bytes. */
export function rootOf(view: View): Bytes {
  const known = roots.get(view)
  if (known !== undefined) return known
  const root = new Uint8Array(FINGERPRINT_BYTES)
  for (const belief of view.values()) fingerprint(belief).forEach((byte, index) => (root[index]! ^= byte))
  roots.set(view, root)
  return root
}

export function sameDigest(a: Bytes, b: Bytes): boolean {
  return a.every((byte, index) => byte === b[index])
}

export function summarise(view: View): readonly Summary[] {
  return [...view].map(([peer, belief]) => ({
    peer,
    incarnation: belief.signed.record.incarnation,
    fingerprint: fingerprint(belief),
  }))
}

/** What a peer with these summaries lacks, and what it has that we lack. */
export function difference(
  view: View,
  summaries: readonly Summary[],
): { readonly offers: readonly PeerId[]; readonly wants: readonly PeerId[] } {
  const theirs = new Map(summaries.map((summary) => [summary.peer, summary]))
  const offers = [...view].flatMap(([peer, belief]) => {
    const summary = theirs.get(peer)
    const newer = summary === undefined || belief.signed.record.incarnation > summary.incarnation
    return newer || differs(belief, summary) ? [peer] : []
  })
  const wants = summaries.flatMap((summary) => {
    const belief = view.get(summary.peer)
    const newer = belief === undefined || summary.incarnation > belief.signed.record.incarnation
    return newer || differs(belief, summary) ? [summary.peer] : []
  })
  return { offers, wants }
}

/** Equal incarnations whose accusations, or contents, are not: each side has something to give. */
function differs(belief: Belief, summary: Summary): boolean {
  return belief.signed.record.incarnation === summary.incarnation && !sameDigest(fingerprint(belief), summary.fingerprint)
}
