import { generateKeyPair, privateKeyToProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import * as fc from 'fast-check'
import { encode } from 'uint8-varint'
import { concat } from 'uint8arrays/concat'
import { fromString } from 'uint8arrays/from-string'
import { describe, expect, test } from 'vitest'
import type { Bytes } from '@vxmesh/core'
import { Envelope } from '../wire.js'
import { envelopeVerifier, makeIdentity, parseIdentity, privateKeyBytes } from './signer.ts'

const DOMAIN = 'vxmesh-record/1/M'
const PAYLOAD: Bytes = Uint8Array.from(fromString('what a member says about itself'))

const identity = await makeIdentity()
const sealed = identity.seal(DOMAIN, PAYLOAD)

function open(domain: string, bytes: Bytes): string {
  const opened = envelopeVerifier.open(domain, bytes)
  return opened.ok ? `signed by ${opened.value.signer}` : opened.reason
}

/** An envelope that is right in all but the kind of its key. */
async function sealedBy(kind: 'secp256k1' | 'RSA'): Promise<Bytes> {
  const key = kind === 'RSA' ? await generateKeyPair('RSA', 2048) : await generateKeyPair('secp256k1')
  const payloadType = Uint8Array.from(fromString('vxmesh'))
  const signed = concat([fromString(DOMAIN), payloadType, PAYLOAD].flatMap((part) => [encode(part.length), part]))
  const signature = Uint8Array.from(await key.sign(signed))
  return Envelope.encode({ publicKey: Uint8Array.from(publicKeyToProtobuf(key.publicKey)), payloadType, payload: PAYLOAD, signature })
}

describe('an envelope', () => {
  test('opens to who sealed it and what was put in', () => {
    expect(envelopeVerifier.open(DOMAIN, sealed)).toEqual({ ok: true, value: { signer: identity.peer, payload: PAYLOAD } })
  })

  test('may be empty', () => {
    expect(envelopeVerifier.open('', identity.seal('', new Uint8Array(0))).ok).toBe(true)
  })

  test.each([
    ['another mesh', 'vxmesh-record/1/N'],
    ['another purpose', 'vxmesh-accusation/1/M'],
    ['a domain that the right one begins with', 'vxmesh-record/1/'],
    ['none', ''],
  ])('is worth nothing in %s', (_name, domain) => {
    expect(open(domain, sealed)).toBe('the signature does not hold')
  })

  test('does not let bytes wander from the domain into the payload', () => {
    const other = identity.seal(`${DOMAIN}x`, PAYLOAD)
    expect(open(DOMAIN, other)).toBe('the signature does not hold')
  })

  test('is refused whichever of its bits was turned', () => {
    const opened = [...sealed].flatMap((byte, at) =>
      Array.from({ length: 8 }, (_, bit) => Uint8Array.from(sealed.with(at, byte ^ (1 << bit)))).filter(
        (tampered) => envelopeVerifier.open(DOMAIN, tampered).ok,
      ),
    )
    expect(opened).toEqual([])
  })

  test.each([
    ['with a field that we do not know', Uint8Array.of(0x78, 0x01)],
    ['with its payload said twice', Uint8Array.of(0x1a, PAYLOAD.length, ...PAYLOAD)],
  ])('is refused %s, though the signature holds', (_name, extra) => {
    expect(open(DOMAIN, Uint8Array.from([...sealed, ...extra]))).toBe('malformed envelope')
  })

  test('is refused wherever it was cut short', () => {
    const opened = [...sealed.keys()].filter((length) => envelopeVerifier.open(DOMAIN, sealed.subarray(0, length)).ok)
    expect(opened).toEqual([])
  })

  test.each(['secp256k1', 'RSA'] as const)('sealed by a %s key is refused', async (kind) => {
    expect(open(DOMAIN, await sealedBy(kind))).toBe('not an Ed25519 key')
  })

  test('that is garbage is refused and never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => !envelopeVerifier.open(DOMAIN, Uint8Array.from(bytes)).ok))
  })

  test('of garbage in the right places is refused and never throws', () => {
    const bytes = fc.uint8Array({ maxLength: 80 }).map((each) => Uint8Array.from(each))
    fc.assert(
      fc.property(fc.record({ publicKey: bytes, payloadType: bytes, payload: bytes, signature: bytes }), (parts) => {
        expect(envelopeVerifier.open(DOMAIN, Envelope.encode(parts)).ok).toBe(false)
      }),
    )
  })
})

describe('an envelope as libp2p itself has it', () => {
  test('sealed by us opens with RecordEnvelope', async () => {
    const opened = await RecordEnvelope.openAndCertify(sealed, DOMAIN)
    expect(Uint8Array.from(opened.payload)).toEqual(PAYLOAD)
    expect(opened.publicKey.toString()).toBe(identity.privateKey.publicKey.toString())
  })

  test('sealed by us for another domain does not open with RecordEnvelope', async () => {
    await expect(RecordEnvelope.openAndCertify(sealed, 'other')).rejects.toThrow(/signature/i)
  })

  test('sealed by RecordEnvelope opens with us', async () => {
    const key = await generateKeyPair('Ed25519')
    const record = { domain: DOMAIN, codec: Uint8Array.of(3, 1), marshal: () => PAYLOAD, equals: () => false }
    const theirs = await RecordEnvelope.seal(record, key)
    expect(open(DOMAIN, Uint8Array.from(theirs.marshal()))).toBe(`signed by ${peerIdFromPrivateKey(key).toString()}`)
  })
})

describe('an identity', () => {
  test('read back from its bytes is the same', () => {
    const again = parseIdentity(privateKeyBytes(identity))
    expect(again).toMatchObject({ ok: true, value: { peer: identity.peer } })
  })

  test.each([
    ['nothing', async () => new Uint8Array(0), 'not a private key'],
    ['garbage', async () => new Uint8Array(64).fill(7), 'not a private key'],
    ['half a key', async () => privateKeyBytes(identity).subarray(0, 20), 'not a private key'],
    ['a secp256k1 key', async () => privateKeyToProtobuf(await generateKeyPair('secp256k1')), 'not an Ed25519 private key'],
    ['an RSA key', async () => privateKeyToProtobuf(await generateKeyPair('RSA', 2048)), 'not an Ed25519 private key'],
  ])('is not made of %s', async (_name, make, reason) => {
    expect(parseIdentity(Uint8Array.from(await make()))).toEqual({ ok: false, reason })
  })

  test('is not made of garbage, which never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => !parseIdentity(Uint8Array.from(bytes)).ok))
  })
})
