/**
 * Keys and signatures without cryptography: an envelope is the signer, a keyed digest and the payload. As fast as a
 * simulation needs, and as strict: nobody makes an envelope in the name of a key without its `Signer`, and one altered
 * byte, or another domain, opens nothing. All envelopes that were ever sealed are on record, for the laws to look up.
 */
import { createHash } from 'node:crypto'
import {
  accept,
  keyOf,
  parseMeshId,
  parsePeerId,
  refuse,
  sure,
  wallTime,
  type Admission,
  type Bytes,
  type Eviction,
  type Lineage,
  type MeshId,
  type PeerId,
  type Reissue,
  type Signer,
  type Verifier,
  type View,
} from '@vxmesh/core'
import {
  certifyInvite,
  certifyMember,
  openEviction,
  openLineage,
  openReissue,
  reissue,
  sealEviction,
  sealSuccession,
  verifyChain,
  type Trust,
} from '@vxmesh/gossip'

/** Nothing that was certified ends within a simulation. */
const LATER = wallTime(Number.MAX_SAFE_INTEGER)

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const PEER_LENGTH = 52
const MAC_LENGTH = 16
const HEAD_LENGTH = PEER_LENGTH + MAC_LENGTH

/** A peer id that is well-formed and different for every text. */
export function peerNamed(text: string): PeerId {
  const digest = createHash('sha512').update(text).digest()
  const peer = parsePeerId(`12D3KooW${[...digest.subarray(0, 44)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')}`)
  if (!peer.ok) throw new Error(peer.reason)
  return peer.value
}

/** The keys of one simulated world, and one mesh in it. */
export class Seals {
  readonly trust: Trust
  readonly mesh: MeshId
  /** SHA-256 of the envelopes that each key sealed, with which nobody in the simulation can argue. */
  readonly #sealed = new Map<PeerId, Set<string>>()
  /** Those envelopes themselves. */
  readonly #envelopes = new Set<string>()
  readonly #meshKey: Signer
  #rotations = 0
  #issued = 0
  readonly #invite: Signer
  readonly #inviteCertificate: Bytes

  constructor(world: string) {
    this.#meshKey = this.signer(peerNamed(`${world} mesh`))
    const mesh = parseMeshId(this.#meshKey.peer)
    if (!mesh.ok) throw new Error(mesh.reason)
    this.mesh = mesh.value
    this.#invite = this.signer(peerNamed(`${world} invite`))
    this.#inviteCertificate = certifyInvite(this.#meshKey, this.#invite.peer)
    this.trust = { mesh: this.mesh, verifier: VERIFIER }
  }

  signer(peer: PeerId): Signer {
    const sealed = this.#sealed.get(peer) ?? new Set<string>()
    this.#sealed.set(peer, sealed)
    return {
      peer,
      seal: (domain, payload) => {
        const envelope = Uint8Array.from(Buffer.concat([Buffer.from(peer), Buffer.from(keyedDigest(peer, domain, payload)), payload]))
        this.#envelopes.add(asText(envelope))
        sealed.add(createHash('sha256').update(envelope).digest('hex'))
        return envelope
      },
    }
  }

  /** What one member verifies with, and a way to ask how many envelopes it opened since it was last asked. */
  counted(): { readonly trust: Trust; readonly opened: () => number } {
    let count = 0
    const open: Verifier['open'] = (domain, envelope) => {
      count++
      return VERIFIER.open(domain, envelope)
    }
    const opened = () => {
      const all = count
      count = 0
      return all
    }
    return { trust: { mesh: this.mesh, verifier: { open } }, opened }
  }

  /** What admits a peer. */
  admit(peer: PeerId): Admission {
    return sure(verifyChain(this.trust, certifyMember(this.mesh, this.#invite, this.#inviteCertificate, peer)))
  }

  /** The key of the mesh, as one knows it, is followed by another. */
  rotate(lineage: Lineage): Lineage {
    this.#rotations++
    const [from, to] = [keyOf(this.mesh, lineage), peerNamed(`${this.mesh} key ${String(this.#rotations)}`)]
    const succession = sealSuccession(this.mesh, this.signer(from), this.signer(to), LATER)
    return sure(openLineage(this.trust, [...lineage.map(({ bytes }) => bytes), succession]))
  }

  /** The key of the mesh, as one knows it, certifies members anew whom another had. */
  certify(lineage: Lineage, view: View): readonly Reissue[] {
    const key = keyOf(this.mesh, lineage)
    const former = [...view.values()].filter(({ signed: { admission }, evicted }) => admission.issuer.key !== key && !evicted)
    const trust = { ...this.trust, lineage }
    return former.flatMap(({ signed: { admission } }) => {
      // As the operator's command does: whom no key of the mesh admitted that it knows of it does not take over.
      const admitted = verifyChain(trust, admission.chain)
      return admitted.ok ? [sure(openReissue(trust, reissue(this.signer(key), this.mesh, admitted.value, wallTime(++this.#issued))))] : []
    })
  }

  /** The mesh key, as one knows it, says that this one is a member no more. */
  evict(peer: PeerId, lineage: Lineage): Eviction {
    return sure(openEviction(this.trust, sealEviction(this.signer(keyOf(this.mesh, lineage)), peer, this.mesh, lineage)))
  }

  /** Whether `peer` really sealed the envelope with this hash. */
  sealed(peer: PeerId, hash: string): boolean {
    return this.#sealed.get(peer)?.has(hash) ?? false
  }

  /** Whether an envelope was really sealed by the key that it names. */
  genuine(envelope: Bytes): boolean {
    return this.#envelopes.has(asText(envelope))
  }
}

/** The key that an envelope names, whether or not it sealed it. */
export function signerOf(envelope: Bytes): PeerId | undefined {
  const signer = parsePeerId(asText(envelope.subarray(0, PEER_LENGTH)))
  return signer.ok ? signer.value : undefined
}

/** Every byte as one character. */
function asText({ buffer, byteOffset, length }: Bytes): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

const VERIFIER: Verifier = {
  open: (domain, envelope) => {
    const head = asText(envelope.subarray(0, HEAD_LENGTH))
    const signer = parsePeerId(head.slice(0, PEER_LENGTH))
    const payload = envelope.slice(HEAD_LENGTH)
    if (!signer.ok || head.slice(PEER_LENGTH) !== keyedDigest(signer.value, domain, payload)) return refuse('bad signature')
    return accept({ signer: signer.value, payload })
  },
}

/** 64 bits that depend on the key, the domain and every byte. Whoever calls this without being asked to sign is a forger. */
function keyedDigest(peer: PeerId, domain: string, payload: Bytes): string {
  let low = 0x811c_9dc5
  let high = 0xdead_beef
  const mix = (value: number) => {
    low = Math.imul(low ^ value, 0x85eb_ca6b)
    high = Math.imul(high ^ value ^ (low >>> 15), 0xc2b2_ae35)
  }
  for (const text of [peer, domain]) for (let at = 0; at < text.length; at++) mix(text.charCodeAt(at))
  for (const byte of payload) mix(byte)
  mix(payload.length)
  return [high ^ (high >>> 13), low ^ (low >>> 16)].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}
