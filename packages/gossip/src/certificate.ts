/**
 * Who may be a member. The mesh key seals an invite certificate for an invite's key; with that key a host seals its own
 * member certificate. Mesh key, invite, member: everybody verifies the chain offline and nobody must be online to issue
 * anything. A certificate is identified by what is in it, never by its bytes: a signature may be malleable.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  accept,
  boundedBy,
  FIRST_KEY,
  issuerIn,
  keyOf,
  parseInterfaceAddress,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  parseWallTime,
  refuse,
  SUCCESSIONS_MOST,
  UNBOUND,
  type Admission,
  type Bounds,
  type Bytes,
  type Eviction,
  type Lineage,
  type MeshId,
  type PeerId,
  type Reissue,
  type Result,
  type Signer,
  type Verifier,
  type WallTime,
} from '@vxmesh/core'
import { fromString } from 'uint8arrays/from-string'
import { toString } from 'uint8arrays/to-string'
import { decode } from './decode.ts'
import { bytesOf, openLineage, SUCCESSION_MOST } from './succession.ts'
import { Chain, Eviction as EvictionMessage, Invite, InviteCertificate, MemberCertificate } from './wire.js'

/** What a verifier of records and connections must know: the mesh, how to open envelopes, and which keys came after the first, if any did. */
export type Trust = { readonly mesh: MeshId; readonly verifier: Verifier; readonly lineage?: Lineage }

const INVITE_DOMAIN = 'vxmesh-invite/1'

function memberDomain(mesh: MeshId): string {
  return `vxmesh-member/1/${mesh}`
}

/** An invite as read from its file: certificate and private key, both still in bytes. */
export type ParsedInvite = {
  readonly mesh: MeshId
  /** Up to the key of the mesh that certified it, at least. */
  readonly lineage: Lineage
  readonly key: PeerId
  readonly bounds: Bounds
  readonly certificate: Bytes
  readonly privateKey: Bytes
  readonly seeds: readonly string[]
}

/**
 * The mesh key's word that whoever holds the private half of `invite` may admit members.
 * @param mesh the first key of the mesh, if that is another
 */
export function certifyInvite(meshKey: Signer, invite: PeerId, bounds: Bounds = UNBOUND, mesh: PeerId = meshKey.peer): Bytes {
  return sealInvite(meshKey, invite, bounds, mesh, 0)
}

function sealInvite(meshKey: Signer, key: PeerId, bounds: Bounds, mesh: PeerId, issued: number): Bytes {
  const { peer = '', name = '', addresses, members, notAfter = 0, until = 0 } = bounds
  const bound = { peer, name, addresses: [...addresses], members, notAfter: BigInt(notAfter), validUntil: BigInt(until) }
  return meshKey.seal(INVITE_DOMAIN, InviteCertificate.encode({ mesh, key, ...bound, issued: BigInt(issued) }))
}

/** The chain that admits `peer`: its member certificate, sealed by the invite's key, under the invite's own certificate. */
export function certifyMember(mesh: MeshId, invite: Signer, inviteCertificate: Bytes, peer: PeerId): Bytes {
  const member = invite.seal(memberDomain(mesh), MemberCertificate.encode({ mesh, peer }))
  return Chain.encode({ invite: inviteCertificate, member })
}

/** What a chain says. Refused unless every signature on the way from the mesh key holds and every name on it agrees. */
export function verifyChain(trust: Trust, bytes: Bytes): Result<Admission> {
  const chain = decode(Chain, bytes)
  if (!chain.ok) return refuse('malformed certificate chain')
  const invite = openInviteCertificate(trust.verifier, chain.value.invite)
  if (!invite.ok) return invite
  if (invite.value.mesh !== trust.mesh) return refuse('certificate of another mesh')
  const { lineage = FIRST_KEY } = trust
  const issuer = issuerIn(trust.mesh, lineage, invite.value.signer)
  if (issuer.generation < 0) return refuse('invite certificate not signed by its mesh')
  const sealed = trust.verifier.open(memberDomain(trust.mesh), chain.value.member)
  if (!sealed.ok) return refuse('member certificate with a bad signature')
  if (sealed.value.signer !== invite.value.key) return refuse('member certificate not signed by its invite')
  const member = decode(MemberCertificate, sealed.value.payload)
  if (!member.ok || member.value.mesh !== trust.mesh) return refuse('member certificate of another mesh')
  const peer = parsePeerId(member.value.peer)
  if (!peer.ok) return peer
  const { key, bounds: certified } = invite.value
  if (certified.peer !== undefined && certified.peer !== peer.value) return refuse('member certificate by an invite for another peer')
  return accept({ chain: bytes, peer: peer.value, invite: key, issuer, certified, bounds: boundedBy(certified, issuer, lineage) })
}

/** The chain with another certificate of the same invite in it. */
export function rechain(chain: Bytes, invite: Bytes): Bytes {
  return Chain.encode({ invite, member: Chain.decode(chain).member })
}

type InviteWords = {
  readonly mesh: MeshId
  readonly signer: PeerId
  readonly key: PeerId
  readonly bounds: Bounds
  readonly issued: WallTime
}

/** What it says, whoever signed it. */
function openInviteCertificate(verifier: Verifier, bytes: Bytes): Result<InviteWords> {
  const sealed = verifier.open(INVITE_DOMAIN, bytes)
  if (!sealed.ok) return refuse('invite certificate with a bad signature')
  const certificate = decode(InviteCertificate, sealed.value.payload, { addresses: ADDRESSES_MOST })
  if (!certificate.ok) return refuse('malformed invite certificate')
  const mesh = parseMeshId(certificate.value.mesh)
  const key = parsePeerId(certificate.value.key)
  const bounds = parseBounds(certificate.value)
  const issued = parseWallTime(certificate.value.issued)
  if (!mesh.ok || !key.ok || !bounds.ok || !issued.ok) return refuse('malformed invite certificate')
  return accept({ mesh: mesh.value, signer: sealed.value.signer, key: key.value, bounds: bounds.value, issued: issued.value })
}

/** How many networks an invite may name. */
export const ADDRESSES_MOST = 16

function parseBounds({ peer, name, addresses, members, notAfter, validUntil }: InviteCertificate): Result<Bounds> {
  const bound = {
    peer: peer === '' ? accept(undefined) : parsePeerId(peer),
    name: name === '' ? accept(undefined) : parseMemberName(name),
    notAfter: notAfter === 0n ? accept(undefined) : parseWallTime(notAfter),
    until: validUntil === 0n ? accept(undefined) : parseWallTime(validUntil),
  }
  const networks = addresses.map(parseInterfaceAddress)
  if (!bound.peer.ok || !bound.name.ok || !bound.notAfter.ok || !bound.until.ok || networks.some(({ ok }) => !ok))
    return refuse('malformed bounds')
  return accept({
    peer: bound.peer.value,
    name: bound.name.value,
    addresses: networks.flatMap((network) => (network.ok ? [network.value] : [])),
    members,
    notAfter: bound.notAfter.value,
    until: bound.until.value,
  })
}

/** Longest certificate of an invite, in bytes: with as many networks as it may name. */
const CERTIFICATE_MOST = 2048

/**
 * A member's invite, certified anew for it alone: nobody else comes by that invite under this key. It may come to the door
 * of those who do not know it whenever it likes, since it was a member before.
 */
export function reissue(
  meshKey: Signer,
  mesh: MeshId,
  { peer, invite, certified }: Pick<Admission, 'peer' | 'invite' | 'certified'>,
  issued: WallTime,
): Bytes {
  return sealInvite(meshKey, invite, { ...certified, peer, notAfter: undefined }, mesh, issued)
}

/** The same as it came, believed only if a later key of the mesh signed it. */
export function openReissue(trust: Trust, bytes: Bytes): Result<Reissue> {
  if (bytes.length > CERTIFICATE_MOST) return refuse('certificate too long')
  const words = openInviteCertificate(trust.verifier, bytes)
  if (!words.ok) return words
  const { mesh, signer, key, bounds, issued } = words.value
  const issuer = issuerIn(trust.mesh, trust.lineage ?? FIRST_KEY, signer)
  if (mesh !== trust.mesh || issuer.generation < 1 || bounds.peer === undefined)
    return refuse('certificate that no later key of the mesh made anew')
  return accept({ subject: bounds.peer, invite: key, issuer, issued, bytes, hash: bytesToHex(sha256(bytes)) })
}

/** Longest eviction envelope, in bytes: it says two keys, has one signature, and brings the successions up to its signer. */
const EVICTION_MOST = 512 + SUCCESSIONS_MOST * SUCCESSION_MOST

function evictionDomain(mesh: MeshId): string {
  return `vxmesh-eviction/1/${mesh}`
}

/**
 * The word of the mesh key that whoever has this key, or was admitted by an invite of this key, is no member any more.
 * @param lineage how that came to be the key of the mesh, where it is not the first
 */
export function sealEviction(meshKey: Signer, key: PeerId, mesh: MeshId = meshNamed(meshKey.peer), lineage: Lineage = FIRST_KEY): Bytes {
  return meshKey.seal(evictionDomain(mesh), EvictionMessage.encode({ mesh, key, successions: [...bytesOf(lineage)] }))
}

/** The mesh whose first key this is. */
export function meshNamed(key: PeerId): MeshId {
  const mesh = parseMeshId(key)
  if (!mesh.ok) throw new Error(mesh.reason)
  return mesh.value
}

/**
 * An eviction as it came, believed only if a key signed it that was made one of the mesh, for which it brings the evidence.
 * Whether that key speaks for the mesh still, or lost its place to another, is all the same: an eviction is for ever, and
 * all must hold the same ones.
 */
export function openEviction(trust: Trust, bytes: Bytes): Result<Eviction> {
  if (bytes.length > EVICTION_MOST) return refuse('eviction too long')
  const sealed = trust.verifier.open(evictionDomain(trust.mesh), bytes)
  if (!sealed.ok) return refuse('eviction not signed by the mesh')
  const message = decode(EvictionMessage, sealed.value.payload, { successions: SUCCESSIONS_MOST })
  const key = message.ok ? parsePeerId(message.value.key) : message
  if (!key.ok || !message.ok || message.value.mesh !== trust.mesh) return refuse('malformed eviction')
  const lineage = openLineage(trust, message.value.successions, trust.lineage)
  if (!lineage.ok || keyOf(trust.mesh, lineage.value) !== sealed.value.signer) return refuse('eviction not signed by the mesh')
  return accept({ key: key.value, bytes, hash: bytesToHex(sha256(bytes)) })
}

const INVITE_PREFIX = 'vxmesh-invite-1-'
const CHECKSUM_BYTES = 4

/** The invite as one line to paste or to keep in a file: a prefix, then base64url of the protobuf and the start of its SHA-256. */
export function renderInvite(certificate: Bytes, privateKey: Bytes, seeds: readonly string[] = [], lineage: Lineage = FIRST_KEY): string {
  const body = Invite.encode({ certificate, privateKey, seeds: [...seeds], successions: [...bytesOf(lineage)] })
  const checked = Uint8Array.from([...body, ...sha256(body).subarray(0, CHECKSUM_BYTES)])
  return INVITE_PREFIX + toString(checked, 'base64url')
}

/** Undefined for text of a length that no bytes have, or whose last letter says more than there is room for. */
function decodeBase64(text: string): Bytes | undefined {
  try {
    return fromString(text, 'base64url')
  } catch {
    return undefined
  }
}

/** Reads what `renderInvite` wrote. The checksum finds a line that was cut or mistyped; the signature is checked as well. */
export function parseInvite(verifier: Verifier, text: string): Result<ParsedInvite> {
  const line = text.trim()
  if (!line.startsWith(INVITE_PREFIX)) return refuse(`not an invite: it does not begin with ${INVITE_PREFIX}`)
  const encoded = line.slice(INVITE_PREFIX.length)
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) return refuse('the invite is damaged: it holds characters that no invite has')
  const checked = decodeBase64(encoded)
  if (checked === undefined || checked.length <= CHECKSUM_BYTES) return refuse('the invite is damaged: it is cut short')
  const body = checked.subarray(0, -CHECKSUM_BYTES)
  const checksum = checked.subarray(-CHECKSUM_BYTES)
  if (
    !sha256(body)
      .subarray(0, CHECKSUM_BYTES)
      .every((byte, index) => byte === checksum[index])
  ) {
    return refuse('the invite is damaged: its checksum does not match, copy it again')
  }
  const invite = decode(Invite, body, { seeds: 8, successions: SUCCESSIONS_MOST })
  if (!invite.ok) return refuse('the invite is damaged')
  const { certificate, privateKey, seeds, successions } = invite.value
  const words = openInviteCertificate(verifier, certificate)
  if (!words.ok) return words
  const { mesh, signer, key, bounds } = words.value
  const lineage = openLineage({ mesh, verifier }, successions)
  if (!lineage.ok) return lineage
  if (issuerIn(mesh, lineage.value, signer).generation < 0) return refuse('invite certificate not signed by its mesh')
  return accept({ mesh, lineage: lineage.value, key, bounds, certificate, privateKey, seeds })
}
