/**
 * Signed envelopes as libp2p defines them (RFC 0002): the signature covers the domain, the payload type and the payload,
 * each preceded by its length. Ed25519 only, and synchronous, so that a record is verified in the turn it arrives.
 */
import {
  generateKeyPair,
  privateKeyFromProtobuf,
  privateKeyToProtobuf,
  publicKeyFromProtobuf,
  publicKeyToProtobuf,
} from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { encode } from 'uint8-varint'
import { concat } from 'uint8arrays/concat'
import { equals } from 'uint8arrays/equals'
import { fromString } from 'uint8arrays/from-string'
import { accept, parsePeerId, refuse, type Bytes, type PeerId, type Result, type Signer, type Verifier } from '@vxmesh/core'
import { decode } from '../decode.ts'
import { Envelope } from '../wire.js'

/** A private key with what is done with it: sign, and open a libp2p node in its name. */
export type Identity = Signer & { readonly privateKey: Ed25519PrivateKey }

/** What kind of thing is in our envelopes; not a registered multicodec, so spelt out. */
const PAYLOAD_TYPE = fromString('vxmesh')

export async function makeIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair('Ed25519'))
}

/** Reads a private key in libp2p's protobuf form, as `privateKeyBytes` wrote it. */
export function parseIdentity(bytes: Bytes): Result<Identity> {
  try {
    const key = privateKeyFromProtobuf(bytes)
    return key.type === 'Ed25519' ? accept(identityOf(key)) : refuse('not an Ed25519 private key')
  } catch {
    return refuse('not a private key')
  }
}

export function privateKeyBytes(identity: Identity): Bytes {
  return Uint8Array.from(privateKeyToProtobuf(identity.privateKey))
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  const peer = peerOf(privateKey.publicKey)
  const publicKey = Uint8Array.from(publicKeyToProtobuf(privateKey.publicKey))
  return {
    peer,
    privateKey,
    seal: (domain, payload) =>
      Envelope.encode({
        publicKey,
        payloadType: PAYLOAD_TYPE,
        payload,
        signature: Uint8Array.from(now(privateKey.sign(signed(domain, PAYLOAD_TYPE, payload)))),
      }),
  }
}

export const envelopeVerifier: Verifier = {
  open(domain, bytes) {
    const envelope = decode(Envelope, bytes)
    if (!envelope.ok) return envelope
    const { publicKey, payloadType, payload, signature } = envelope.value
    try {
      const key = publicKeyFromProtobuf(publicKey)
      if (key.type !== 'Ed25519') return refuse('not an Ed25519 key')
      // One statement has one envelope: spelt otherwise it would be news to everybody, as often as somebody likes.
      const canonical = Envelope.encode({ publicKey: Uint8Array.from(publicKeyToProtobuf(key)), payloadType, payload, signature })
      if (!equals(canonical, bytes)) return refuse('malformed envelope')
      const genuine = now(key.verify(signed(domain, payloadType, payload), signature))
      return genuine ? accept({ signer: peerOf(key), payload }) : refuse('the signature does not hold')
    } catch {
      return refuse('malformed key or signature')
    }
  },
}

function peerOf(publicKey: Ed25519PrivateKey['publicKey']): PeerId {
  const peer = parsePeerId(peerIdFromPublicKey(publicKey).toString())
  if (!peer.ok) throw new Error(`an Ed25519 key whose peer id is ${peer.reason}`)
  return peer.value
}

function signed(domain: string, payloadType: Bytes, payload: Bytes): Uint8Array {
  return concat([fromString(domain), payloadType, payload].flatMap((part) => [encode(part.length), part]))
}

/** libp2p's types allow for keys that sign elsewhere; Ed25519 on Node signs and verifies on the spot. */
function now<Value>(answer: Value | Promise<Value>): Value {
  if (answer instanceof Promise) throw new Error('Ed25519 answered later')
  return answer
}
