import { incarnationAbove, parseIncarnation, sure } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyInvite, certifyMember } from './certificate.ts'
import type { Identity } from './libp2p/signer.ts'
import {
  a,
  admissionOf,
  b,
  c,
  chainOf,
  content,
  d,
  incarnationsIn,
  mesh,
  recordOf,
  SEED,
  start,
  Stepped,
  stranger,
  trust,
} from './libp2p/stepped.ts'
import { openRecord, sealAccusation, sealRecord, type Frame } from './message.ts'
import { REFUTE_PAUSE } from './beliefs.ts'
import { SHUN } from './state.ts'

describe('at the door', () => {
  test.each<[string, Frame | undefined]>([
    ['says nothing', undefined],
    ['speaks before it is admitted', { wants: [a.peer] }],
    ['shows certificates of another', { hello: chainOf(c.peer) }],
    [
      'shows its own word for certificates',
      { hello: certifyMember(mesh, stranger, certifyInvite(stranger, stranger.peer), stranger.peer) },
    ],
  ])('a stranger that %s is told nothing, and shown out', (_name, frame) => {
    const member = new Stepped(a).meet(1, b)
    member.take({ kind: 'linked', link: 2, peer: stranger.peer, dialled: undefined })
    const effects = [...member.effects, ...(frame === undefined ? [] : member.frame(2, frame).effects), ...member.wait(4000)]
    expect(effects.some((effect) => effect.kind === 'unlink' && effect.link === 2)).toBe(true)
    expect(effects.some((effect) => effect.kind === 'send' && effect.link === 2)).toBe(false)
    expect(member.state.links.has(2)).toBe(false)
    expect([...member.state.dials.keys(), ...member.state.watches.keys()]).not.toContain(stranger.peer)
  })

  test('whoever dials shows its certificates, and nothing else', () => {
    const member = new Stepped(a, [SEED]).take({ kind: 'linked', link: 1, peer: b.peer, dialled: SEED })
    expect(member.sent().map(({ frame }) => frame)).toEqual([
      { hello: chainOf(a.peer), records: [], accusations: [], evictions: [], wants: [], questions: [], answers: [], reached: [] },
    ])
    expect(member.sent(member.wait(2000))).toEqual([])
  })

  test('whoever was dialled shows its own only to the admitted, in a frame of their own, and then says who it is', () => {
    const member = new Stepped(a).take({ kind: 'linked', link: 1, peer: b.peer, dialled: undefined })
    expect(member.sent()).toEqual([])
    const [hello, body] = member.frame(1, { hello: chainOf(b.peer) }).sent()
    expect(hello?.frame).toMatchObject({ hello: chainOf(a.peer), records: [] })
    expect(body?.frame.root).toHaveLength(16)
    expect(incarnationsIn([body!])).toEqual([101])
  })

  test('a link that is closed before we are admitted says that we are unwelcome, and is tried again later', () => {
    const member = new Stepped(a, [SEED]).take({ kind: 'linked', link: 1, peer: b.peer, dialled: SEED }).take({ kind: 'unlinked', link: 1 })
    expect(member.kinds()).toContain('trouble')
    expect(member.state.seeds.get(SEED)).toEqual({ peer: undefined, trouble: 'unwelcome' })
    expect(member.wait(1000).some((effect) => effect.kind === 'dial' && effect.target === SEED)).toBe(true)
  })

  test('a peer that sends no frames is shunned for a while, and then let in again', () => {
    const member = new Stepped(a).meet(1, b).take({ kind: 'frame', link: 1, bytes: Uint8Array.of(255, 255) })
    expect(member.kinds()).toEqual(expect.arrayContaining(['dropped', 'unlink']))
    expect(member.take({ kind: 'linked', link: 2, peer: b.peer, dialled: undefined }).kinds()).toEqual(['unlink'])
    member.wait(SHUN + 500)
    expect(member.take({ kind: 'linked', link: 3, peer: b.peer, dialled: undefined }).kinds()).toEqual([])
  })

  test('so is one that says much that is not believed, and none that says little of it now and then', () => {
    const rubbish = { records: [Uint8Array.of(1)] }
    const member = new Stepped(a).meet(1, b)
    for (let count = 0; count < 50; count++) member.frame(1, rubbish)
    expect(member.state.links.has(1)).toBe(true)
    for (let count = 0; count < 14; count++) member.frame(1, rubbish)
    expect(member.state.links.has(1)).toBe(false)
    const patient = new Stepped(a).meet(1, b)
    for (let count = 0; count < 200; count++) patient.take({ kind: 'tick' }, 250).frame(1, rubbish)
    expect(patient.state.links.has(1)).toBe(true)
  })
})

describe('of two links to one peer', () => {
  test.each<[string, Identity, Identity, 'ours' | 'theirs']>([
    ['the one we dialled, where our id is smaller', a, b, 'ours'],
    ['the one they dialled, where theirs is', b, a, 'theirs'],
  ])('dialled at once there stays %s', (_name, self, other, stays) => {
    const member = new Stepped(self, [SEED])
    member.take({ kind: 'linked', link: 1, peer: other.peer, dialled: SEED })
    member.take({ kind: 'linked', link: 2, peer: other.peer, dialled: undefined })
    member.frame(2, { hello: chainOf(other.peer) }).frame(1, { hello: chainOf(other.peer) })
    expect([...member.state.links.keys()]).toEqual([stays === 'ours' ? 1 : 2])
  })

  test('the later stays, where the earlier has stood for a while: whoever dials anew has lost it', () => {
    const member = new Stepped(a, [SEED]).meet(1, b, SEED)
    for (let passed = 0; passed < 20; passed++) {
      member.wait(250)
      member.frame(1, {})
    }
    member.take({ kind: 'linked', link: 2, peer: b.peer, dialled: undefined }).frame(2, { hello: chainOf(b.peer) })
    expect([...member.state.links.keys()]).toEqual([2])
  })
})

describe('what is new', () => {
  const met = () => new Stepped(a).meet(1, b).meet(2, c)

  test('goes on to all others in the turn it arrives, and not back', () => {
    const record = recordOf(d)
    const member = met().frame(1, { records: [record.bytes] })
    expect(member.sent().map(({ link, frame }) => [link, frame.records])).toEqual([[2, [record.bytes]]])
    expect(member.kinds()).toContain('member')
  })

  test('goes on once', () => {
    const record = recordOf(d)
    const member = met()
      .frame(1, { records: [record.bytes] })
      .frame(2, { records: [record.bytes] })
    expect(member.sent()).toEqual([])
  })

  test('and is not true goes nowhere', () => {
    const forged = recordOf(d).bytes.map((byte, index, all) => (index === all.length - 1 ? byte ^ 1 : byte))
    const member = met().frame(1, { records: [forged] })
    expect(member.sent()).toEqual([])
    expect(member.effects).toEqual([{ kind: 'dropped', peer: b.peer, reason: 'record with a bad signature' }])
  })

  test('is told to whoever comes with something older', () => {
    const newer = recordOf(c, incarnationAbove(start))
    const member = met()
      .frame(2, { records: [newer.bytes] })
      .frame(1, { records: [recordOf(c).bytes] })
    expect(member.sent().map(({ link, frame }) => [link, frame.records])).toEqual([[1, [newer.bytes]]])
  })
})

describe('our own record', () => {
  test('is written down before anybody is told', () => {
    const member = new Stepped(a).meet(1, b).take({ kind: 'announce', content })
    expect(member.kinds().indexOf('persist')).toBe(0)
    expect(member.kinds()).toContain('send')
    expect(incarnationsIn(member.sent())).toEqual([102])
  })

  test('refutes an accusation with a higher incarnation, and not more often than an accuser should make us', () => {
    const member = new Stepped(a).meet(1, b).meet(2, c)
    const accuse = (by: Identity) => sealAccusation(mesh, by, a.peer, member.state.incarnation, 'silent').bytes
    member.wait(REFUTE_PAUSE)
    member.frame(1, { accusations: [accuse(b)] })
    expect(incarnationsIn(member.sent())).toContain(102)
    member.frame(2, { accusations: [accuse(c)] })
    expect(incarnationsIn(member.sent())).toEqual([])
    expect(incarnationsIn(member.sent(member.wait(REFUTE_PAUSE)))).toContain(103)
  })

  test('is raised above what an earlier life of ours said', () => {
    const member = new Stepped(a).meet(1, b).frame(1, { records: [recordOf(a, sure(parseIncarnation(5000))).bytes] })
    const frames = member.sent([...member.effects, ...member.wait(REFUTE_PAUSE)])
    expect(Math.max(...incarnationsIn(frames))).toBe(5001)
  })

  test('is not raised by what we said before in this life', () => {
    const member = new Stepped(a).meet(1, b).frame(1, { records: [recordOf(a, sure(parseIncarnation(50))).bytes] })
    member.wait(1000)
    expect(member.state.incarnation).toBe(101)
  })
})

describe('a leave', () => {
  test('is told to all, and is over when two have heard it', () => {
    const member = new Stepped(a).meet(1, b).meet(2, c).meet(3, d).take({ kind: 'leave' })
    expect(member.sent().map(({ link }) => link)).toEqual([1, 2, 3])
    const farewell = member.state.incarnation
    expect(member.frame(1, { farewell }).kinds()).not.toContain('left')
    expect(member.frame(3, { farewell }).kinds()).toContain('left')
  })

  test('is over at once where there is nobody, and soon where nobody answers', () => {
    expect(new Stepped(a).take({ kind: 'leave' }).kinds()).toContain('left')
    const unheard = new Stepped(a).meet(1, b).take({ kind: 'leave' })
    expect([unheard.effects, unheard.wait(300)].map((effects) => effects.some(({ kind }) => kind === 'left'))).toEqual([false, true])
  })

  test('of another is answered to it', () => {
    const leaving = recordOf(b, incarnationAbove(start), true)
    const member = new Stepped(a).meet(1, b).frame(1, { records: [leaving.bytes] })
    expect(member.sent().map(({ frame }) => frame.farewell)).toEqual([101])
    expect(member.state.standings.get(b.peer)).toEqual({ state: 'left' })
  })
})

describe('another machine with our key', () => {
  const ours = '8'
  /** Its record, above all that was said before, made to override one of this boot id. */
  const clone = (bootId: string, incarnation: number, overrides?: string, leaving = false) =>
    sealRecord(mesh, a, admissionOf(a.peer), {
      ...content,
      bootId,
      incarnation: sure(parseIncarnation(incarnation)),
      leaving,
      ...(overrides === undefined ? {} : { overrides }),
    }).bytes
  const meeting = (...records: readonly Uint8Array<ArrayBuffer>[]) => {
    const member = new Stepped(a, [], ours).meet(1, b).meet(2, c)
    const effects = records.flatMap((bytes) => [...member.frame(1, { records: [bytes] }).effects, ...member.wait(REFUTE_PAUSE)])
    return { member, effects }
  }

  test('is taken for an earlier life of ours until it says that it overrides this one', () => {
    const { member, effects } = meeting(clone('3', 500), clone('3', 600), clone('3', 700))
    expect(effects.map(({ kind }) => kind)).not.toContain('cloned')
    expect(member.state.incarnation).toBe(701)
    expect(member.state.links.size).toBe(2)
  })

  test('is told, with whom it shares its key, and we give way where our boot id is the greater', () => {
    const { member, effects } = meeting(clone('3', 500), clone('3', 600, ours))
    expect(effects.find((effect) => effect.kind === 'cloned')).toMatchObject({ clone: { bootId: '3', role: 'passive' } })
    expect(member.state.links.size).toBe(0)
    expect(Math.max(...incarnationsIn(member.sent(effects)))).toBe(501)
    expect(member.take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined }).kinds()).toContain('unlink')
    expect(member.wait(30_000).some(({ kind }) => kind === 'dial')).toBe(false)
  })

  test('gets its proof from us before we fall silent', () => {
    const { member, effects } = meeting(clone('3', 500, ours))
    const last = member.sent(effects).findLast(({ frame }) => (frame.records?.length ?? 0) > 0)
    expect(sure(openRecord(trust, last!.frame.records!.at(-1)!, () => undefined)).record).toMatchObject({
      incarnation: 501,
      overrides: '3',
    })
    expect(member.state.links.size).toBe(0)
  })

  test('gives way to us where its boot id is the greater', () => {
    const { member, effects } = meeting(clone('f', 500, ours))
    expect(effects.find((effect) => effect.kind === 'cloned')).toMatchObject({ clone: { bootId: 'f', role: 'active' } })
    expect(member.state.incarnation).toBe(501)
    expect(member.state.links.size).toBe(2)
  })

  test('is looked for again, and we come back once nobody answers for it', () => {
    const { member } = meeting(clone('3', 500, ours))
    const accusation = sealAccusation(mesh, c, a.peer, sure(parseIncarnation(member.state.incarnation)), 'silent')
    member.wait(70_000)
    expect(member.effects.length + member.state.dials.size).toBeGreaterThan(0)
    member.meet(5, b).frame(5, { accusations: [accusation.bytes] })
    expect(member.kinds()).toContain('cloned')
    expect(Math.max(...incarnationsIn(member.sent([...member.effects, ...member.wait(REFUTE_PAUSE)])))).toBeGreaterThan(501)
  })

  test('that left speaks for nobody any more', () => {
    const { member, effects } = meeting(clone('3', 500, undefined, true))
    expect(effects.map(({ kind }) => kind)).not.toContain('cloned')
    expect(member.state.incarnation).toBe(501)
  })
})

describe('a link that takes no more', () => {
  test('is owed what happens meanwhile, of each member only the latest, and gets it when it drains', () => {
    const member = new Stepped(a).meet(1, b).meet(2, c).take({ kind: 'congested', link: 2 })
    for (const number of [200, 300, 400]) {
      member.frame(1, { records: [recordOf(b, sure(parseIncarnation(number))).bytes] })
      expect(member.sent().filter(({ link }) => link === 2)).toEqual([])
    }
    expect([...member.state.links.get(2)!.owed]).toEqual([b.peer])
    expect(incarnationsIn(member.take({ kind: 'drained', link: 2 }).sent())).toEqual([400])
    expect(member.state.links.get(2)!.owed.size).toBe(0)
  })
})
