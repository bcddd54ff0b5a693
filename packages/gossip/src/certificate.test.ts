import { parseMeshId, UNBOUND, wallTime, type Bounds, type Bytes, type InterfaceAddress, type MemberName } from '@vxmesh/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { certifyInvite, certifyMember, parseInvite, renderInvite, verifyChain } from './certificate.ts'
import { envelopeVerifier, makeIdentity, privateKeyBytes, type Identity } from './libp2p/signer.ts'
import { Chain } from './wire.js'

const [mesh, otherMesh, invite, otherInvite, member, stranger] = await Promise.all(Array.from({ length: 6 }, makeIdentity))

function meshOf(key: Identity | undefined) {
  const id = parseMeshId(key!.peer)
  if (!id.ok) throw new Error(id.reason)
  return id.value
}

const trust = { mesh: meshOf(mesh), verifier: envelopeVerifier }
const certificate = certifyInvite(mesh!, invite!.peer)
const BOUNDS: Bounds = {
  peer: member!.peer,
  name: 'db' as MemberName,
  addresses: ['192.168.234.9/32' as InterfaceAddress],
  members: 2,
  notAfter: wallTime(1_750_000_000_000),
  until: wallTime(1_790_000_000_000),
}
const chain = certifyMember(trust.mesh, invite!, certificate, member!.peer)

function flipped(bytes: Bytes, at: number): Bytes {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
}

test.each<[string, Bytes, string]>([
  ['from the mesh key to the member', chain, member!.peer],
  ['that was bound to another peer', certifyMember(trust.mesh, invite!, certificate, stranger!.peer), stranger!.peer],
  [
    'of another mesh',
    certifyMember(meshOf(otherMesh), invite!, certifyInvite(otherMesh!, invite!.peer), member!.peer),
    'certificate of another mesh',
  ],
  [
    'whose invite another mesh key signed',
    certifyMember(trust.mesh, invite!, certifyInvite(otherMesh!, invite!.peer), member!.peer),
    'certificate of another mesh',
  ],
  [
    'made for another mesh under our invite',
    certifyMember(meshOf(otherMesh), invite!, certificate, member!.peer),
    'member certificate with a bad signature',
  ],
  [
    'signed by another invite than the one it shows',
    certifyMember(trust.mesh, otherInvite!, certificate, member!.peer),
    'member certificate not signed by its invite',
  ],
  [
    'signed by the member itself',
    certifyMember(trust.mesh, member!, certificate, member!.peer),
    'member certificate not signed by its invite',
  ],
  ['with its two halves exchanged', exchanged(), 'invite certificate with a bad signature'],
  ['that is empty', new Uint8Array(0), 'invite certificate with a bad signature'],
  ['that is no protobuf', Uint8Array.of(255, 255, 255), 'malformed certificate chain'],
])('a chain %s', (_name, bytes, expected) => {
  const admitted = verifyChain(trust, bytes)
  expect(admitted.ok ? admitted.value.peer : admitted.reason).toBe(expected)
})

function exchanged(): Bytes {
  const { invite: first, member: second } = Chain.decode(chain)
  return Chain.encode({ invite: second, member: first })
}

test('a chain with any one bit changed admits nobody else', () => {
  const admitted = Array.from(chain, (_, at) => verifyChain(trust, flipped(chain, at))).flatMap((each) =>
    each.ok ? [each.value.peer] : [],
  )
  expect(admitted.filter((peer) => peer !== member!.peer)).toEqual([])
})

test('whatever bytes are shown as a chain are refused, not thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(verifyChain(trust, Uint8Array.from(bytes)).ok).toBe(false)
    }),
  )
})

describe('an invite', () => {
  const text = renderInvite(certificate, privateKeyBytes(invite!))

  test('is one line, and is read as it was written', () => {
    expect(text).toMatch(/^vxmesh-invite-1-[A-Za-z0-9_-]+$/)
    expect(parseInvite(envelopeVerifier, `  ${text}\n`)).toEqual({
      ok: true,
      value: {
        mesh: trust.mesh,
        lineage: [],
        key: invite!.peer,
        bounds: UNBOUND,
        certificate,
        privateKey: privateKeyBytes(invite!),
        seeds: [],
      },
    })
  })

  test('carries what it binds and where members may be found, and so does every certificate made with it', () => {
    const bounded = certifyInvite(mesh!, invite!.peer, BOUNDS)
    const parsed = parseInvite(envelopeVerifier, renderInvite(bounded, privateKeyBytes(invite!), ['192.0.2.1', 'host:4788']))
    expect(parsed).toMatchObject({ ok: true, value: { bounds: BOUNDS, seeds: ['192.0.2.1', 'host:4788'] } })
    expect(verifyChain(trust, certifyMember(trust.mesh, invite!, bounded, member!.peer))).toMatchObject({
      ok: true,
      value: { bounds: BOUNDS },
    })
  })

  test('for one peer admits no other', () => {
    const other = certifyMember(trust.mesh, invite!, certifyInvite(mesh!, invite!.peer, BOUNDS), stranger!.peer)
    expect(verifyChain(trust, other)).toEqual({ ok: false, reason: 'member certificate by an invite for another peer' })
  })

  test.each<[string, string, RegExp]>([
    ['nothing', '', /not an invite/],
    ['a peer id', member!.peer, /not an invite/],
    ['one cut short', text.slice(0, 40), /checksum/],
    ['one cut to nothing', text.slice(0, 18), /cut short/],
    ['one of which only the beginning is left', 'vxmesh-invite-1-', /damaged/],
    ['one with a letter mistyped', text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), /damaged/],
    ['one with a space inside', text.replace(/(.{30})/, '$1 '), /characters/],
    ['one signed by nobody', renderInvite(flipped(certificate, certificate.length - 1), privateKeyBytes(invite!)), /bad signature/],
  ])('that is %s is refused, with the reason', (_name, damaged, reason) => {
    const parsed = parseInvite(envelopeVerifier, damaged)
    expect(parsed.ok ? 'accepted' : parsed.reason).toMatch(reason)
  })

  test('with any one character changed is refused', () => {
    for (let at = 0; at < text.length; at++) {
      const damaged = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1)
      expect(parseInvite(envelopeVerifier, damaged).ok).toBe(false)
    }
  })
})
