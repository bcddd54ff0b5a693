import { keyOf, sure, UNBOUND, wallTime, type Bytes, type Lineage, type Signer } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyInvite, certifyMember, openReissue, parseInvite, reissue, renderInvite, verifyChain } from './certificate.ts'
import { DAY, END, met, newcomer, rotated, second } from './libp2p/rotated.ts'
import { admissionOf, b, inviteIdentity, mesh, meshKey, otherKey, secondKey, stranger, thirdKey, trust } from './libp2p/stepped.ts'
import { privateKeyBytes, type Identity } from './libp2p/signer.ts'
import { HELLO_MOST } from './message.ts'
import { openLineage, sealSuccession } from './succession.ts'

const third = sealSuccession(mesh, secondKey, thirdKey, wallTime(60 * DAY))
/** Another, in its name. */
const forged = ({ peer }: Identity): Signer => ({ peer, seal: (domain, payload) => stranger.seal(domain, payload) })

describe('successions', () => {
  test('are believed in order, from the first key on, and say until when the key before holds', () => {
    const lineage = sure(openLineage(trust, [second, third]))
    expect(lineage.map(({ from, to, until }) => [from, to, until])).toEqual([
      [meshKey.peer, secondKey.peer, END],
      [secondKey.peer, thirdKey.peer, 60 * DAY],
    ])
    expect(keyOf(mesh, lineage)).toBe(thirdKey.peer)
  })

  const inner = (from: Identity, to: Identity, words: Bytes) =>
    from.seal(`vxmesh-succession/1/${mesh}`, to.seal(`vxmesh-successor/1/${mesh}`, words))
  test.each<[string, readonly Bytes[], string]>([
    ['that begin with another key than the first', [third], 'succession out of turn'],
    ['with the same one twice', [second, second], 'succession out of turn'],
    ['that lead back to a key', [second, sealSuccession(mesh, secondKey, meshKey, END)], 'succession out of turn'],
    ['that the key before did not sign', [sealSuccession(mesh, forged(meshKey), secondKey, END)], 'succession that not both keys signed'],
    ['that the next key did not sign', [sealSuccession(mesh, meshKey, forged(secondKey), END)], 'succession that not both keys signed'],
    ['of another mesh', [sealSuccession(sure(verifyMesh(otherKey)), meshKey, secondKey, END)], 'succession that not both keys signed'],
    ['with one bit changed', [second.map((byte, at) => (at === 200 ? byte ^ 1 : byte))], 'succession that not both keys signed'],
    ['that say nothing', [inner(meshKey, secondKey, new Uint8Array(0))], 'malformed succession'],
    ['of too great a length', [new Uint8Array(513)], 'succession too long'],
    ['too many', Array.from({ length: 17 }, () => second), 'too many successions'],
  ])('%s are neither believed nor said on', (_name, list, reason) => {
    expect(openLineage(trust, list)).toEqual({ ok: false, reason })
    const member = met().frame(3, { successions: list })
    expect(member.state.lineage).toEqual([])
    expect(member.sent()).toEqual([])
  })

  test('as many as there may be fit into a greeting, with the longest certificates', () => {
    expect(16 * second.length + 2048 + 512).toBeLessThan(HELLO_MOST)
  })
})

function verifyMesh(key: Identity) {
  const parsed = parseInvite(trust.verifier, renderInvite(certifyInvite(key, inviteIdentity.peer), privateKeyBytes(inviteIdentity)))
  return parsed.ok ? { ok: true as const, value: parsed.value.mesh } : parsed
}

describe('a certificate', () => {
  test('by a former key holds until the overlap is over, and no longer than it says', () => {
    const under = (lineage: Lineage, until?: number) => {
      const certificate = certifyInvite(meshKey, inviteIdentity.peer, {
        ...UNBOUND,
        until: until === undefined ? undefined : wallTime(until),
      })
      return sure(verifyChain({ ...trust, lineage }, certifyMember(mesh, inviteIdentity, certificate, b.peer)))
    }
    expect(under([]).bounds).toMatchObject({ until: undefined, notAfter: undefined })
    expect(under(rotated).bounds).toMatchObject({ until: END, notAfter: END })
    expect(under(rotated, DAY).bounds).toMatchObject({ until: DAY, notAfter: END })
    expect(under(rotated, DAY).certified).toMatchObject({ until: DAY, notAfter: undefined })
    expect(under(rotated).issuer).toEqual({ key: meshKey.peer, generation: 0 })
  })

  test('by a later key is believed by who knows of it only', () => {
    expect(verifyChain({ ...trust, lineage: rotated }, newcomer(b))).toMatchObject({
      ok: true,
      value: { bounds: { until: undefined }, issuer: { generation: 1 } },
    })
    expect(verifyChain(trust, newcomer(b))).toEqual({ ok: false, reason: 'invite certificate not signed by its mesh' })
  })

  test('of an invite carries what it takes to believe it', () => {
    const certificate = certifyInvite(secondKey, inviteIdentity.peer, UNBOUND, mesh)
    const line = (lineage: Lineage) => renderInvite(certificate, privateKeyBytes(inviteIdentity), [], lineage)
    expect(parseInvite(trust.verifier, line(rotated))).toMatchObject({ ok: true, value: { mesh, lineage: rotated } })
    expect(parseInvite(trust.verifier, line([]))).toEqual({ ok: false, reason: 'invite certificate not signed by its mesh' })
  })

  test.each<[string, Bytes]>([
    ['by the first key', reissue(meshKey, mesh, admissionOf(b.peer), wallTime(1))],
    ['by a stranger', reissue(stranger, mesh, admissionOf(b.peer), wallTime(1))],
    ['for nobody alone', certifyInvite(secondKey, inviteIdentity.peer, UNBOUND, mesh)],
    ['of another mesh', reissue(secondKey, sure(verifyMesh(otherKey)), admissionOf(b.peer), wallTime(1))],
  ])('made anew %s is none', (_name, bytes) => {
    expect(openReissue({ ...trust, lineage: rotated }, bytes)).toEqual({
      ok: false,
      reason: 'certificate that no later key of the mesh made anew',
    })
  })
})
