/**
 * Who may be a member. The mesh key seals an invite certificate for an invite's key; with that key a host seals its own
 * member certificate. Mesh key, invite, member: everybody verifies the chain offline and nobody must be online to issue
 * anything. A certificate is identified by what is in it, never by its bytes: a signature may be malleable.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  accept,
  parseInterfaceAddress,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  parseWallTime,
  refuse,
  UNBOUND,
  type Admission,
  type Bounds,
  type Bytes,
  type Eviction,
  type MeshId,
  type PeerId,
  type Result,
  type Signer,
  type Verifier,
} from '@vxmesh/core'
import { fromString } from 'uint8arrays/from-string'
import { toString } from 'uint8arrays/to-string'
import { decode } from './decode.ts'
import { Chain, Eviction as EvictionMessage, Invite, InviteCertificate, MemberCertificate } from './wire.js'

/** What a verifier of records and connections must know: the mesh, and how to open envelopes. */
export type Trust = { readonly mesh: MeshId; readonly verifier: Verifier }

const INVITE_DOMAIN = 'vxmesh-invite/1'

function memberDomain(mesh: MeshId): string {
  return `vxmesh-member/1/${mesh}`
}

/** An invite as read from its file: certificate and private key, both still in bytes. */
export type ParsedInvite = {
  readonly mesh: MeshId
  readonly key: PeerId
  readonly bounds: Bounds
  readonly certificate: Bytes
  readonly privateKey: Bytes
  readonly seeds: readonly string[]
}

/** The mesh key's word that whoever holds the private half of `invite` may admit members. */
export function certifyInvite(meshKey: Signer, invite: PeerId, bounds: Bounds = UNBOUND): Bytes {
  const { peer = '', name = '', addresses, members, notAfter = 0, until = 0 } = bounds
  const bound = { peer, name, addresses: [...addresses], members, notAfter: BigInt(notAfter), validUntil: BigInt(until) }
  return meshKey.seal(INVITE_DOMAIN, InviteCertificate.encode({ mesh: meshKey.peer, key: invite, ...bound }))
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
  const sealed = trust.verifier.open(memberDomain(trust.mesh), chain.value.member)
  if (!sealed.ok) return refuse('member certificate with a bad signature')
  if (sealed.value.signer !== invite.value.key) return refuse('member certificate not signed by its invite')
  const member = decode(MemberCertificate, sealed.value.payload)
  if (!member.ok || member.value.mesh !== trust.mesh) return refuse('member certificate of another mesh')
  const peer = parsePeerId(member.value.peer)
  if (!peer.ok) return peer
  const { key, bounds } = invite.value
  if (bounds.peer !== undefined && bounds.peer !== peer.value) return refuse('member certificate by an invite for another peer')
  return accept({ chain: bytes, peer: peer.value, invite: key, bounds })
}

function openInviteCertificate(verifier: Verifier, bytes: Bytes): Result<{ mesh: MeshId; key: PeerId; bounds: Bounds }> {
  const sealed = verifier.open(INVITE_DOMAIN, bytes)
  if (!sealed.ok) return refuse('invite certificate with a bad signature')
  const certificate = decode(InviteCertificate, sealed.value.payload, { addresses: ADDRESSES_MOST })
  if (!certificate.ok) return refuse('malformed invite certificate')
  const mesh = parseMeshId(certificate.value.mesh)
  const key = parsePeerId(certificate.value.key)
  const bounds = parseBounds(certificate.value)
  if (!mesh.ok || !key.ok || !bounds.ok) return refuse('malformed invite certificate')
  return mesh.value === sealed.value.signer
    ? accept({ mesh: mesh.value, key: key.value, bounds: bounds.value })
    : refuse('invite certificate not signed by its mesh')
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

/** Longest eviction envelope, in bytes: it says two keys and has one signature. */
const EVICTION_MOST = 512

function evictionDomain(mesh: MeshId): string {
  return `vxmesh-eviction/1/${mesh}`
}

/** The word of the mesh key that whoever has this key, or was admitted by an invite of this key, is no member any more. */
export function sealEviction(meshKey: Signer, key: PeerId): Bytes {
  const mesh = parseMeshId(meshKey.peer)
  if (!mesh.ok) throw new Error(mesh.reason)
  return meshKey.seal(evictionDomain(mesh.value), EvictionMessage.encode({ mesh: mesh.value, key }))
}

/** An eviction as it came, believed only if the mesh key signed it. */
export function openEviction(trust: Trust, bytes: Bytes): Result<Eviction> {
  if (bytes.length > EVICTION_MOST) return refuse('eviction too long')
  const sealed = trust.verifier.open(evictionDomain(trust.mesh), bytes)
  if (!sealed.ok || sealed.value.signer !== trust.mesh) return refuse('eviction not signed by the mesh')
  const message = decode(EvictionMessage, sealed.value.payload)
  const key = message.ok ? parsePeerId(message.value.key) : message
  if (!key.ok || !message.ok || message.value.mesh !== trust.mesh) return refuse('malformed eviction')
  return accept({ key: key.value, bytes, hash: bytesToHex(sha256(bytes)) })
}

const INVITE_PREFIX = 'vxmesh-invite-1-'
const CHECKSUM_BYTES = 4

/** The invite as one line to paste or to keep in a file: a prefix, then base64url of the protobuf and the start of its SHA-256. */
export function renderInvite(certificate: Bytes, privateKey: Bytes, seeds: readonly string[] = []): string {
  const body = Invite.encode({ certificate, privateKey, seeds: [...seeds] })
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
  const invite = decode(Invite, body, { seeds: 8 })
  if (!invite.ok) return refuse('the invite is damaged')
  const certificate = openInviteCertificate(verifier, invite.value.certificate)
  return certificate.ok ? accept({ ...certificate.value, ...invite.value }) : certificate
}
