/**
 * Records, accusations and frames as bytes. What comes from a peer is limited in length before it is decoded and in
 * counts while it is, then turned into core's values or refused; nothing past this file looks at bytes again.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import {
  accept,
  parseIncarnation,
  parseIp,
  parseMemberName,
  parsePeerId,
  refuse,
  SUCCESSIONS_MOST,
  type Accusation,
  type Admission,
  type Bytes,
  type Incarnation,
  type IpAddress,
  type MemberRecord,
  type MeshId,
  type PeerId,
  type Result,
  type SignedRecord,
  type Signer,
  type Testimony,
} from '@vxmesh/core'
import { equals } from 'uint8arrays/equals'
import { bitmap, bitsOf, BUCKET_BYTES, BUCKETS } from './buckets.ts'
import { verifyChain, type Trust } from './certificate.ts'
import { parseControlAddress, parseTunnelClaim, tunnelMessage } from './claim.ts'
import { all, decode } from './decode.ts'
import { loneRoot } from './heartbeat.ts'
import { Accusation as AccusationMessage, Frame as FrameMessage, Record as RecordMessage } from './wire.js'

/** Longest record or accusation envelope, in bytes: as many tunnels with as many addresses as a record may have do fit. */
export const ENVELOPE_MOST = 10 * 1024

/** Longest frame of an admitted peer, in bytes. */
export const FRAME_MOST = 256 * 1024

/** Longest frame before admission: a certificate chain, the successions up to the key that it begins with, and no more. */
export const HELLO_MOST = 12 * 1024

const BOOT_ID = /^[0-9a-f]{1,32}$/

/** How many of each a record may have. */
export const CONTROL_MOST = 8
export const TUNNELS_MOST = 16
export const OVERLAY_MOST = 8

const RECORD_LIMITS = { control: CONTROL_MOST, tunnels: TUNNELS_MOST, tunnels$: { overlay: OVERLAY_MOST } }
const FRAME_LIMITS = {
  records: 256,
  accusations: 1024,
  evictions: 256,
  successions: SUCCESSIONS_MOST,
  reissues: 256,
  summaries: 4096,
  wants: 4096,
  questions: 64,
  answers: 64,
  reached: 256,
  reached$: { addresses: TUNNELS_MOST },
}

/** How many records and accusations we put into one frame, and how long they may be together: well below what a receiver takes. */
export const ITEMS_A_FRAME = 256
export const ITEM_BYTES_A_FRAME = FRAME_MOST / 2

/** How many summaries we put into one frame, at about 90 bytes each. */
export const SUMMARIES_A_FRAME = 1500

function recordDomain(mesh: MeshId): string {
  return `vxmesh-record/1/${mesh}`
}

function accusationDomain(mesh: MeshId): string {
  return `vxmesh-accusation/1/${mesh}`
}

export function hashOf(bytes: Bytes): string {
  return bytesToHex(sha256(bytes))
}

/** A record signed by its owner, ready to be announced. */
export function sealRecord(mesh: MeshId, signer: Signer, admission: Admission, record: Omit<MemberRecord, 'peer'>): SignedRecord {
  const payload = RecordMessage.encode({
    incarnation: BigInt(record.incarnation),
    bootId: record.bootId,
    overrides: record.overrides ?? '',
    leaving: record.leaving,
    name: record.name,
    control: [...record.control],
    chain: admission.chain,
    enforces: hexToBytes(record.enforces),
    tunnels: record.tunnels.map(tunnelMessage),
  })
  const bytes = signer.seal(recordDomain(mesh), payload)
  return { record: { ...record, peer: signer.peer }, bytes, hash: hashOf(bytes), admission }
}

/**
 * A record as it came, believed only if its owner signed it and its owner is admitted.
 * @param held the record already held of a peer, whose certificates need not be verified a second time
 */
export function openRecord(trust: Trust, bytes: Bytes, held: (peer: PeerId) => SignedRecord | undefined): Result<SignedRecord> {
  if (bytes.length > ENVELOPE_MOST) return refuse('record too long')
  const sealed = trust.verifier.open(recordDomain(trust.mesh), bytes)
  if (!sealed.ok) return refuse('record with a bad signature')
  const message = decode(RecordMessage, sealed.value.payload, RECORD_LIMITS)
  if (!message.ok) return refuse('malformed record')
  const { signer } = sealed.value
  const { chain } = message.value
  const known = held(signer)?.admission
  const stands = known !== undefined && known.issuer.generation >= 0 && equals(chain, known.chain)
  const admitted = stands ? accept(known) : verifyChain(trust, chain)
  if (!admitted.ok) return refuse(`record without admission: ${admitted.reason}`)
  if (admitted.value.peer !== signer) return refuse('record with the certificate of another member')
  const record = parseRecord(signer, message.value)
  // Why exactly is its owner's affair: a reason that quotes what was sent would be another one every time.
  return record.ok ? accept({ record: record.value, bytes, hash: hashOf(bytes), admission: admitted.value }) : refuse('malformed record')
}

function parseRecord(peer: PeerId, message: RecordMessage): Result<MemberRecord> {
  const incarnation = parseIncarnation(message.incarnation)
  const name = parseMemberName(message.name)
  const control = all(message.control, parseControlAddress)
  const tunnels = all(message.tunnels, parseTunnelClaim)
  if (!incarnation.ok) return incarnation
  if (!name.ok) return name
  if (!control.ok) return control
  if (!tunnels.ok) return tunnels
  const { bootId, overrides, leaving, enforces } = message
  if (enforces.length !== 0 && enforces.length !== FINGERPRINT_BYTES) return refuse('malformed digest of evictions')
  if (!BOOT_ID.test(bootId) || (overrides !== '' && !BOOT_ID.test(overrides))) return refuse('malformed boot id')
  return accept({
    peer,
    incarnation: incarnation.value,
    bootId,
    ...(overrides === '' ? {} : { overrides }),
    leaving,
    name: name.value,
    enforces: bytesToHex(enforces),
    control: control.value,
    tunnels: tunnels.value,
  })
}

/** Our signed testimony about a member at one incarnation. */
export function sealAccusation(mesh: MeshId, signer: Signer, subject: PeerId, incarnation: Incarnation, testimony: Testimony): Accusation {
  const payload = AccusationMessage.encode({ subject, incarnation: BigInt(incarnation), testimony })
  const bytes = signer.seal(accusationDomain(mesh), payload)
  return { subject, incarnation, observer: signer.peer, testimony, bytes, hash: hashOf(bytes) }
}

/** An accusation as it came. Whether its observer is a member is for the view to know. */
export function openAccusation(trust: Trust, bytes: Bytes): Result<Accusation> {
  if (bytes.length > ENVELOPE_MOST) return refuse('accusation too long')
  const sealed = trust.verifier.open(accusationDomain(trust.mesh), bytes)
  if (!sealed.ok) return refuse('accusation with a bad signature')
  const message = decode(AccusationMessage, sealed.value.payload)
  if (!message.ok) return refuse('malformed accusation')
  const subject = parsePeerId(message.value.subject)
  const incarnation = parseIncarnation(message.value.incarnation)
  const { testimony } = message.value
  if (!subject.ok || !incarnation.ok) return refuse('malformed accusation')
  if (testimony !== 'silent' && testimony !== 'gone') return refuse('accusation of an unknown kind')
  const observer = sealed.value.signer
  if (observer === subject.value) return refuse('accusation of oneself')
  return accept({ subject: subject.value, incarnation: incarnation.value, observer, testimony, bytes, hash: hashOf(bytes) })
}

/** What a view holds of one member, in a few bytes. */
export type Summary = { readonly peer: PeerId; readonly incarnation: Incarnation; readonly fingerprint: Bytes }

export type Summaries = { readonly covered: ReadonlySet<number>; readonly summaries: readonly Summary[] }

/** Asks whether the answerer hears `subject`. */
export type Question = { readonly nonce: number; readonly subject: PeerId }

/** The age of what was never heard: the greatest that the wire carries. */
export const NEVER = 2 ** 32 - 1

/** `age`: milliseconds since the answerer heard the subject; undefined when it cannot tell. */
export type Answer = { readonly nonce: number; readonly age: number | undefined }

/** Where a member was found, by the sender or by others who told it. */
export type Reached = { readonly peer: PeerId; readonly addresses: readonly IpAddress[] }

/** Everything a link carries. A frame may hold any of these at once. */
export type Frame = {
  /** The sender's certificate chain: the first frame each way, and only that. */
  readonly hello?: Bytes
  readonly records?: readonly Bytes[]
  readonly accusations?: readonly Bytes[]
  readonly evictions?: readonly Bytes[]
  readonly reached?: readonly Reached[]
  /** All successions of keys of the mesh that the sender knows of: with the first frame each way as well. */
  readonly successions?: readonly Bytes[]
  /** Certificates of members' invites that a later key of the mesh made anew. */
  readonly reissues?: readonly Bytes[]
  /** The digest of the sender's view. Every frame of an open link is also a heartbeat. */
  readonly root?: Bytes
  /** The digests of the buckets of the sender's view. */
  readonly buckets?: Bytes
  /** What the sender holds of the members in some buckets: of those, all. */
  readonly summaries?: Summaries
  /** Members of which the sender wants the receiver's record and accusations. */
  readonly wants?: readonly PeerId[]
  readonly questions?: readonly Question[]
  readonly answers?: readonly Answer[]
  /** The receiver's own leaving record of this incarnation has arrived. */
  readonly farewell?: Incarnation
}

export function encodeFrame(frame: Frame): Bytes {
  return FrameMessage.encode({
    ...(frame.hello === undefined ? {} : { hello: frame.hello }),
    ...(frame.root === undefined ? {} : { root: frame.root }),
    records: [...(frame.records ?? [])],
    accusations: [...(frame.accusations ?? [])],
    evictions: [...(frame.evictions ?? [])],
    successions: [...(frame.successions ?? [])],
    reissues: [...(frame.reissues ?? [])],
    ...(frame.buckets === undefined ? {} : { buckets: frame.buckets }),
    summaries: (frame.summaries?.summaries ?? []).map((summary) => ({ ...summary, incarnation: BigInt(summary.incarnation) })),
    ...(frame.summaries === undefined ? {} : { covered: bitmap(frame.summaries.covered) }),
    wants: [...(frame.wants ?? [])],
    questions: [...(frame.questions ?? [])],
    answers: (frame.answers ?? []).map(({ nonce, age }) => ({ nonce, linked: age !== undefined, age: age ?? 0 })),
    farewell: BigInt(frame.farewell ?? 0),
    reached: (frame.reached ?? []).map(({ peer, addresses }) => ({ peer, addresses: [...addresses] })),
  })
}

/** A frame as it came. Records and accusations in it are still bytes: each is opened, and refused, on its own. */
export function parseFrame(bytes: Bytes): Result<Frame> {
  if (bytes.length > FRAME_MOST) return refuse('frame too long')
  const lone = loneRoot(bytes, FINGERPRINT_BYTES)
  if (lone !== undefined)
    return accept({ root: lone, records: [], accusations: [], evictions: [], wants: [], questions: [], answers: [], reached: [] })
  const message = decode(FrameMessage, bytes, FRAME_LIMITS)
  if (!message.ok) return refuse('malformed frame')
  const { hello, root, buckets, covered, farewell, records, accusations, evictions, successions, reissues } = message.value
  const summaries = all(message.value.summaries, parseSummary)
  const wants = all(message.value.wants, parsePeerId)
  const questions = all(message.value.questions, ({ nonce, subject }) => {
    const peer = parsePeerId(subject)
    return peer.ok ? accept({ nonce, subject: peer.value }) : peer
  })
  const reached = all(message.value.reached, parseReached)
  const left = farewell === 0n ? accept(undefined) : parseIncarnation(farewell)
  if (!summaries.ok || !wants.ok || !questions.ok || !reached.ok || !left.ok) return refuse('malformed frame')
  const wellFormed = fits(root, FINGERPRINT_BYTES) && fits(buckets, BUCKETS * BUCKET_BYTES) && fits(covered, BUCKETS / 8)
  if (!wellFormed) return refuse('malformed digest')
  return accept({
    ...(hello.length === 0 ? {} : { hello }),
    ...(root.length === 0 ? {} : { root }),
    ...(buckets.length === 0 ? {} : { buckets }),
    ...(covered.length === 0 ? {} : { summaries: { covered: bitsOf(covered), summaries: summaries.value } }),
    ...(left.value === undefined ? {} : { farewell: left.value }),
    ...(successions.length === 0 ? {} : { successions }),
    ...(reissues.length === 0 ? {} : { reissues }),
    records,
    accusations,
    evictions,
    reached: reached.value,
    wants: wants.value,
    questions: questions.value,
    answers: message.value.answers.map(({ nonce, linked, age }) => ({ nonce, age: linked ? age : undefined })),
  })
}

/** Whether a part of a frame that is this long, or left out, is. */
function fits(part: Bytes, length: number): boolean {
  return part.length === 0 || part.length === length
}

/** Length of a fingerprint, and of a root, in bytes. */
export const FINGERPRINT_BYTES = 16

function parseReached(message: FrameMessage['reached'][number]): Result<Reached> {
  const peer = parsePeerId(message.peer)
  const addresses = all(message.addresses, parseIp)
  return peer.ok && addresses.ok ? accept({ peer: peer.value, addresses: addresses.value }) : refuse('malformed address')
}

function parseSummary(message: FrameMessage['summaries'][number]): Result<Summary> {
  const peer = parsePeerId(message.peer)
  const incarnation = parseIncarnation(message.incarnation)
  if (!peer.ok || !incarnation.ok || message.fingerprint.length !== FINGERPRINT_BYTES) return refuse('malformed summary')
  return accept({ peer: peer.value, incarnation: incarnation.value, fingerprint: message.fingerprint })
}
