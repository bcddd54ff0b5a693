import { parseIncarnation, sure, UNBOUND, wallTime, type Bounds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyInvite, certifyMember, openEviction, sealEviction, verifyChain } from './certificate.ts'
import { a, b, c, chainOf, content, d, inviteIdentity, meshKey, recordOf, SEED, start, Stepped, stranger, trust } from './libp2p/stepped.ts'
import type { Identity } from './libp2p/signer.ts'
import { sealAccusation, sealRecord } from './message.ts'

const evictionOf = (of: Identity) => sealEviction(meshKey, of.peer)
const met = () => new Stepped(a).meet(1, b).meet(2, c).meet(3, d)
const later = sure(parseIncarnation(start + 50))

test.each([
  ['by another key than that of the mesh', sealEviction(stranger, b.peer), 'eviction not signed by the mesh'],
  ['by a member', sealEviction(c, b.peer), 'eviction not signed by the mesh'],
  [
    'and changed by one bit',
    evictionOf(b).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte)),
    'eviction not signed by the mesh',
  ],
  ['at too great a length', new Uint8Array(9000), 'eviction too long'],
])('an eviction signed %s is neither believed nor said on', (_name, bytes, reason) => {
  const member = met().frame(3, { evictions: [bytes] })
  expect(member.effects.map((effect) => (effect.kind === 'dropped' ? effect.reason : effect.kind))).toEqual([reason])
  expect(member.state.evictions.size).toBe(0)
  expect(openEviction(trust, bytes)).toEqual({ ok: false, reason })
})

describe('an eviction that comes over a link', () => {
  test('is written down before anything is said, said on, and told to its subject, whose link ends', () => {
    const member = met().frame(3, { evictions: [evictionOf(b)] })
    expect(member.kinds()[0]).toBe('evict')
    expect(member.sent().map(({ link, frame }) => [link, frame.evictions])).toEqual(
      expect.arrayContaining([
        [1, [evictionOf(b)]],
        [2, [evictionOf(b)]],
      ]),
    )
    expect(member.effects).toContainEqual({ kind: 'unlink', link: 1, reason: 'evicted' })
    expect(member.state.standings.get(b.peer)).toEqual({ state: 'evicted' })
    expect(new Set(member.state.links.keys())).toEqual(new Set([2, 3]))
    expect(member.state.members).toBe(3)
    expect([member.state.watches.has(b.peer), member.state.circle.observed.has(b.peer)]).toEqual([false, false])
  })

  test('is news once', () => {
    const member = met()
      .frame(3, { evictions: [evictionOf(b)] })
      .frame(2, { evictions: [evictionOf(b)] })
    expect(member.effects).toEqual([])
  })

  test('of an invite ends the membership of all who came by it, and ours', () => {
    const member = met().frame(3, { evictions: [sealEviction(meshKey, inviteIdentity.peer)] })
    expect(member.state.standings.every(({ state }) => state === 'evicted')).toBe(true)
    expect(member.state.links.size).toBe(0)
  })
})

describe('an evicted member', () => {
  const without = () => met().frame(3, { evictions: [evictionOf(b)] })

  test('that comes to the door is told that it is evicted, and nothing else', () => {
    const member = without().take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined })
    expect(member.sent().map(({ frame }) => frame)).toEqual([
      { records: [], accusations: [], evictions: [evictionOf(b)], wants: [], questions: [], answers: [], reached: [] },
    ])
    expect(member.kinds()).toEqual(['send', 'unlink'])
    expect(member.frame(9, { hello: chainOf(b.peer) }).effects).toEqual([])
  })

  test('says nothing that is believed, whoever brings it: whoever does is told of the eviction', () => {
    const member = without().frame(2, { records: [recordOf(b, later).bytes] })
    expect(member.state.view.get(b.peer)).toMatchObject({ evicted: true, signed: { record: { incarnation: start } } })
    expect(member.sent().map(({ link, frame }) => [link, frame.records, frame.evictions])).toEqual([[2, [], [evictionOf(b)]]])
  })

  test('accuses nobody, and nobody accuses it', () => {
    const accusations = [sealAccusation(trust.mesh, b, c.peer, start, 'silent'), sealAccusation(trust.mesh, c, b.peer, start, 'silent')]
    const member = without().frame(3, { accusations: accusations.map(({ bytes }) => bytes) })
    expect(member.state.view.every((belief) => belief.accusations.isEmpty())).toBe(true)
    expect(member.sent()).toEqual([])
  })

  test('is not dialled any more', () => {
    const member = without()
    expect(member.wait(60_000).filter((effect) => effect.kind === 'dial' && effect.target === b.peer)).toEqual([])
  })

  test('that is where a seed leads is told of as what it is', () => {
    const member = new Stepped(a, [SEED]).meet(2, c).frame(2, { evictions: [evictionOf(b)] })
    member.take({ kind: 'linked', link: 1, peer: b.peer, dialled: SEED })
    expect(member.effects).toContainEqual({ kind: 'trouble', seed: SEED, trouble: 'evicted' })
    expect(member.wait(60_000).filter((effect) => effect.kind === 'dial').length).toBeLessThan(40)
  })
})

describe('who is evicted itself', () => {
  test('ends its links, dials nobody, lets nobody in and says nothing more', () => {
    const member = met().frame(2, { evictions: [evictionOf(a)] })
    expect([member.state.links.size, member.state.standings.get(a.peer)]).toEqual([0, { state: 'evicted' }])
    const { incarnation } = member.state
    expect(member.wait(60_000).filter((effect) => effect.kind === 'dial')).toEqual([])
    expect(member.take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined }).kinds()).toEqual(['unlink'])
    expect(member.state.incarnation).toBe(incarnation)
  })

  test('learns it at the door of whoever it dials, and believes nobody else there', () => {
    const dialling = () => new Stepped(a, [SEED]).take({ kind: 'linked', link: 1, peer: b.peer, dialled: SEED })
    expect(
      dialling()
        .frame(1, { evictions: [evictionOf(a)] })
        .state.standings.get(a.peer),
    ).toEqual({ state: 'evicted' })
    expect(
      dialling()
        .frame(1, { evictions: [sealEviction(b, a.peer)] })
        .state.standings.get(a.peer),
    ).toEqual({ state: 'alive' })
    const asked = new Stepped(a).take({ kind: 'linked', link: 1, peer: b.peer, dialled: undefined })
    expect(asked.frame(1, { evictions: [evictionOf(a)] }).state.standings.get(a.peer)).toEqual({ state: 'alive' })
  })
})

test('of two members, one that missed an eviction is given it when they meet', () => {
  const knows = new Stepped(a).meet(2, d).frame(2, { evictions: [evictionOf(c)] })
  const missed = new Stepped(b).meet(2, c)
  const link = 5
  knows.take({ kind: 'linked', link, peer: b.peer, dialled: undefined })
  missed.take({ kind: 'linked', link, peer: a.peer, dialled: SEED })
  let toMissed = knows.frame(link, { hello: chainOf(b.peer) }).sent()
  for (let round = 0; round < 20 && !missed.state.evictions.has(c.peer); round++) {
    const toKnows = toMissed.filter((each) => each.link === link).flatMap(({ bytes }) => missed.take({ kind: 'frame', link, bytes }).sent())
    toMissed = toKnows.filter((each) => each.link === link).flatMap(({ bytes }) => knows.take({ kind: 'frame', link, bytes }).sent())
  }
  expect(missed.state.standings.get(c.peer)).toEqual({ state: 'evicted' })
})

describe('an invite that admits nobody new', () => {
  /** What a member that knows c says to b at its door, both of them come by an invite of these bounds. */
  const knock = (bounds: Partial<Bounds>, known: boolean) => {
    const certificate = certifyInvite(meshKey, inviteIdentity.peer, { ...UNBOUND, ...bounds })
    const granted = (of: Identity) => sure(verifyChain(trust, certifyMember(trust.mesh, inviteIdentity, certificate, of.peer)))
    const record = (of: Identity) =>
      sealRecord(trust.mesh, of, granted(of), { ...content, bootId: '1', incarnation: start, leaving: false })
    const member = new Stepped(a).meet(1, d).frame(1, { records: [record(c).bytes, ...(known ? [record(b).bytes] : [])] })
    member.take({ kind: 'linked', link: 2, peer: b.peer, dialled: undefined }).frame(2, { hello: granted(b).chain })
    return [...member.state.dropped.keys()][0] ?? member.state.links.get(2)?.phase
  }

  test.each<[string, Partial<Bounds>, boolean, string]>([
    ['has no end and is for any number', {}, false, 'open'],
    ['has not expired', { notAfter: wallTime(100_000) }, false, 'open'],
    ['has expired', { notAfter: wallTime(1) }, false, 'not admitted: its invite has expired'],
    ['has expired since', { notAfter: wallTime(1) }, true, 'open'],
    ['is for one more than came by it', { members: 4 }, false, 'open'],
    ['was used by as many as it is for', { members: 3 }, false, 'not admitted: its invite was used by as many as it is for'],
    ['was used by as many, itself among them', { members: 3 }, true, 'open'],
  ])('or not: one that %s', (_name, bounds, known, expected) => {
    expect(knock(bounds, known)).toBe(expected)
  })
})
