/**
 * Comparing whole views without sending them. A belief has a fingerprint; the digest of a set of beliefs is the sum
 * (exclusive or) of their fingerprints, so that it follows a change without being made anew. Equal roots mean equal
 * views. Where roots differ, the 256 digests of the buckets that members fall into say where, and only the summaries of
 * those buckets travel: with one difference among 10,000 members about 2 kB and 40 summaries, instead of 10,000.
 *
 * An eviction is summarised like a belief about the key it names, of the last of all incarnations: so it is offered to
 * whoever lacks it, and wanted. A belief that others need not share counts for nothing: about an evicted member, say.
 * The keys of the mesh, where there was more than one, are summarised in the same way, under the first.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import {
  EMPTY_VIEW,
  FIRST_KEY,
  isPrivate,
  LAST_INCARNATION,
  pendingReissue,
  type Belief,
  type Bytes,
  type Eviction,
  type Evictions,
  type Knowledge,
  type Lineage,
  type PeerId,
} from '@vxmesh/core'
import { BUCKET_BYTES, BUCKETS } from './buckets.ts'
import { FINGERPRINT_BYTES, type Summary } from './message.ts'

/** What can be told of a key. */
type Item = Belief | Eviction | Lineage

/** Beliefs are immutable, so what was computed of one stays true; the memo dies with the belief. */
const fingerprints = new WeakMap<Item, Bytes>()

function fingerprint(what: Item): Bytes {
  const known = fingerprints.get(what)
  if (known !== undefined) return known
  const made = Uint8Array.from(sha256(utf8ToBytes(contents(what).join('\n'))).subarray(0, FINGERPRINT_BYTES))
  fingerprints.set(what, made)
  return made
}

/** What makes two of them differ. Of an eviction that is what it says, and not the signature. */
function contents(what: Item): readonly (string | number)[] {
  if ('length' in what) return ['succeeded', ...what.map(({ hash }) => hash)]
  if ('key' in what) return ['evicted', what.key]
  const { record, hash } = what.signed
  return [
    record.peer,
    record.incarnation,
    hash,
    ...[...what.accusations.values()].map((each) => `${each.observer} ${each.testimony}`).sort(),
    // One that has been taken up, or cannot be, others need not hold.
    ...(pendingReissue(what) === undefined ? [] : ['reissued', pendingReissue(what)!.hash]),
  ]
}

export const EMPTY_ROOT: Bytes = new Uint8Array(FINGERPRINT_BYTES)

/** The digest of all that is known: 16 bytes. */
export function rootOf(known: Knowledge): Bytes {
  const root = new Uint8Array(FINGERPRINT_BYTES)
  for (const [, what] of items(known)) mix(root, fingerprint(what))
  return root
}

/** The digest of evictions as members tell it to each other, in hexadecimal: empty where there are none. */
export function evictionsDigest({ evictions }: { readonly evictions: Evictions }): string {
  return evictions.isEmpty() ? '' : bytesToHex(rootOf({ view: EMPTY_VIEW, evictions, lineage: FIRST_KEY }))
}

/** What is held of each key that counts. */
function* items({ view, evictions, lineage }: Knowledge): Generator<readonly [PeerId, Item]> {
  yield* evictions
  if (lineage[0] !== undefined) yield [lineage[0].mesh, lineage]
  for (const item of view) if (!isPrivate(item[1])) yield item
}

function itemOf({ view, evictions, lineage }: Knowledge, key: PeerId): Item | undefined {
  if (lineage[0]?.mesh === key) return lineage
  const belief = view.get(key)
  return evictions.get(key) ?? (belief === undefined || isPrivate(belief) ? undefined : belief)
}

function incarnationOf(what: Item): Summary['incarnation'] {
  return 'key' in what || 'length' in what ? LAST_INCARNATION : what.signed.record.incarnation
}

/** The root after one belief took the place of another, or of none, an eviction came, or other keys of the mesh did. */
export function rootAfter(root: Bytes, was: Belief | Lineage | undefined, is: Item | undefined): Bytes {
  const next = Uint8Array.from(root)
  for (const what of [was, is]) if (what !== undefined && !isNothing(what)) mix(next, fingerprint(what))
  return next
}

/** Whether nobody is told of it: of a belief that others need not share, or of the first key of the mesh while there is no other. */
function isNothing(what: Item): boolean {
  return 'length' in what ? what.length === 0 : 'evicted' in what && isPrivate(what)
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
export function bucketsOf(known: Knowledge): Bytes {
  const buckets = new Uint8Array(BUCKETS * BUCKET_BYTES)
  for (const [key, what] of items(known)) {
    const at = bucketOf(key) * BUCKET_BYTES
    mix(buckets.subarray(at, at + BUCKET_BYTES), fingerprint(what))
  }
  return buckets
}

/** The buckets in which what is known differs from that with these digests. */
export function differingBuckets(known: Knowledge, theirs: Bytes): ReadonlySet<number> {
  const ours = bucketsOf(known)
  const differs = (bucket: number): boolean => {
    const at = bucket * BUCKET_BYTES
    return !sameDigest(ours.subarray(at, at + BUCKET_BYTES), theirs.subarray(at, at + BUCKET_BYTES))
  }
  return new Set(Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter(differs))
}

/** What is held of the keys in some buckets, or of all. */
export function summarise(known: Knowledge, buckets?: ReadonlySet<number>): readonly Summary[] {
  return [...within(known, buckets)].map(([peer, what]) => ({ peer, incarnation: incarnationOf(what), fingerprint: fingerprint(what) }))
}

function within(known: Knowledge, buckets: ReadonlySet<number> | undefined): Iterable<readonly [PeerId, Item]> {
  return buckets === undefined ? items(known) : [...items(known)].filter(([key]) => buckets.has(bucketOf(key)))
}

/** What a peer with these summaries of some buckets, or of all, lacks, and what it has that we lack. */
export function difference(
  known: Knowledge,
  summaries: readonly Summary[],
  buckets?: ReadonlySet<number>,
): { readonly offers: readonly PeerId[]; readonly wants: readonly PeerId[] } {
  const theirs = new Map(summaries.map((summary) => [summary.peer, summary]))
  const offers = [...within(known, buckets)].flatMap(([key, what]) => {
    const summary = theirs.get(key)
    return summary === undefined || incarnationOf(what) > summary.incarnation || differs(what, summary) ? [key] : []
  })
  const wants = summaries.flatMap((summary) => {
    const what = itemOf(known, summary.peer)
    return what === undefined || summary.incarnation > incarnationOf(what) || differs(what, summary) ? [summary.peer] : []
  })
  return { offers, wants }
}

/** Equal incarnations whose accusations, or contents, are not: each side has something to give. */
function differs(what: Item, summary: Summary): boolean {
  return incarnationOf(what) === summary.incarnation && !sameDigest(fingerprint(what), summary.fingerprint)
}
