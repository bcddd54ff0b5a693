/**
 * Comparing whole views without sending them. A belief has a fingerprint; the digest of a set of beliefs is the sum
 * (exclusive or) of their fingerprints, so that it follows a change without being made anew. Equal roots mean equal
 * views. Where roots differ, the 256 digests of the buckets that members fall into say where, and only the summaries of
 * those buckets travel: with one difference among 10,000 members about 2 kB and 40 summaries, instead of 10,000.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { Belief, Bytes, PeerId, View } from '@vxmesh/core'
import { BUCKET_BYTES, BUCKETS } from './buckets.ts'
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

export const EMPTY_ROOT: Bytes = new Uint8Array(FINGERPRINT_BYTES)

/** The digest of a whole view: 16 bytes. */
export function rootOf(view: View): Bytes {
  const root = new Uint8Array(FINGERPRINT_BYTES)
  for (const belief of view.values()) mix(root, fingerprint(belief))
  return root
}

/** The root after one belief took the place of another, or of none. */
export function rootAfter(root: Bytes, was: Belief | undefined, is: Belief | undefined): Bytes {
  const next = Uint8Array.from(root)
  for (const belief of [was, is]) if (belief !== undefined) mix(next, fingerprint(belief))
  return next
}

/** As much of a fingerprint as the digest is long. */
function mix(into: Uint8Array, what: Bytes): void {
  for (let index = 0; index < into.length; index++) into[index]! ^= what[index]!
}

export function sameDigest(a: Bytes, b: Bytes): boolean {
  return a.every((byte, index) => byte === b[index])
}

/** The bucket that a member falls into: an even spread is all that is asked of it (FNV-1a). */
export function bucketOf(peer: PeerId): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < peer.length; at++) hash = Math.imul(hash ^ peer.charCodeAt(at), 0x0100_0193)
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & (BUCKETS - 1)
}

/** The digests of all buckets, one after the other: 256 times 8 bytes. */
export function bucketsOf(view: View): Bytes {
  const buckets = new Uint8Array(BUCKETS * BUCKET_BYTES)
  for (const [peer, belief] of view) {
    const at = bucketOf(peer) * BUCKET_BYTES
    mix(buckets.subarray(at, at + BUCKET_BYTES), fingerprint(belief))
  }
  return buckets
}

/** The buckets in which a view differs from that with these digests. */
export function differingBuckets(view: View, theirs: Bytes): ReadonlySet<number> {
  const ours = bucketsOf(view)
  const differs = (bucket: number): boolean => {
    const at = bucket * BUCKET_BYTES
    return !sameDigest(ours.subarray(at, at + BUCKET_BYTES), theirs.subarray(at, at + BUCKET_BYTES))
  }
  return new Set(Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter(differs))
}

/** What a view holds of the members in some buckets, or of all. */
export function summarise(view: View, buckets?: ReadonlySet<number>): readonly Summary[] {
  return [...within(view, buckets)].map(([peer, belief]) => ({
    peer,
    incarnation: belief.signed.record.incarnation,
    fingerprint: fingerprint(belief),
  }))
}

function within(view: View, buckets: ReadonlySet<number> | undefined): Iterable<[PeerId, Belief]> {
  return buckets === undefined ? view : [...view].filter(([peer]) => buckets.has(bucketOf(peer)))
}

/** What a peer with these summaries of some buckets, or of all, lacks, and what it has that we lack. */
export function difference(
  view: View,
  summaries: readonly Summary[],
  buckets?: ReadonlySet<number>,
): { readonly offers: readonly PeerId[]; readonly wants: readonly PeerId[] } {
  const theirs = new Map(summaries.map((summary) => [summary.peer, summary]))
  const offers = [...within(view, buckets)].flatMap(([peer, belief]) => {
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
