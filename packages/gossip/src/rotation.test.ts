import { sure } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyMember, sealEviction, verifyChain } from './certificate.ts'
import { rootOf, summarise } from './digest.ts'
import { DAY, END, anew, keysOf, loser, loserKey, met, newcomer, rotated, second, winner } from './libp2p/rotated.ts'
import {
  a,
  b,
  c,
  chainOf,
  d,
  inviteIdentity,
  mesh,
  meshKey,
  recordOf,
  secondKey,
  Stepped,
  stranger,
  thirdKey,
  trust,
} from './libp2p/stepped.ts'
import { openRecord, sealRecord } from './message.ts'
import { bytesOf, sealSuccession } from './succession.ts'

describe('a rotation that comes over a link', () => {
  test('is written down before it is said on, and is news once', () => {
    const member = met().frame(1, { successions: [second] })
    expect(member.kinds()[0]).toBe('succeed')
    expect(member.sent().map(({ link, frame }) => [link, frame.successions])).toEqual(expect.arrayContaining([[2, [second]]]))
    expect(keysOf(member.state.lineage)).toEqual([secondKey.peer])
    expect(
      member.state.view
        .map(({ signed }) => signed.admission.bounds.until)
        .toSet()
        .toArray(),
    ).toEqual([END])
    expect(member.state.root).toEqual(rootOf(member.state))
    expect(member.frame(2, { successions: [second] }).effects).toEqual([])
  })

  test('ends no link and changes no standing', () => {
    const member = met()
    const { links, standings } = member.state
    expect(member.frame(1, { successions: [second] }).state.standings).toEqual(standings)
    expect(new Set(member.state.links.keys())).toEqual(new Set(links.keys()))
  })

  test('makes a member take up what was certified anew for it, written down first, and say so', () => {
    const member = met().frame(1, { successions: [second], reissues: [anew(a)] })
    expect(member.kinds().filter((kind) => ['succeed', 'admitted', 'persist'].includes(kind))).toEqual(['succeed', 'admitted', 'persist'])
    const own = member.state.view.get(a.peer)!.signed
    expect([own.admission.issuer.key, own.admission.invite, own.admission.bounds.until]).toEqual([
      secondKey.peer,
      inviteIdentity.peer,
      undefined,
    ])
    const said = member.sent().flatMap(({ frame }) => frame.records ?? [])
    expect(said).toContainEqual(own.bytes)
    expect(openRecord({ ...trust, lineage: rotated }, own.bytes, () => undefined).ok).toBe(true)
    expect(member.state.root).toEqual(rootOf(member.state))
  })

  test('is followed by what was certified anew for another, which is passed on until it is taken up, and kept', () => {
    const member = met()
      .frame(1, { successions: [second] })
      .frame(1, { reissues: [anew(c)] })
    expect(member.sent().flatMap(({ link, frame }) => (frame.reissues ?? []).map((bytes) => [link, bytes]))).toContainEqual([2, anew(c)])
    const root = member.state.root
    const admission = sure(verifyChain({ ...trust, lineage: rotated }, certifyMember(mesh, inviteIdentity, anew(c), c.peer)))
    const record = { ...recordOf(c).record, incarnation: 101 as never }
    member.frame(2, { records: [sealRecord(mesh, c, admission, record).bytes] })
    expect(member.state.view.get(c.peer)!.signed.admission.issuer.generation).toBe(1)
    expect(member.state.root).not.toEqual(root)
    expect(member.state.root).toEqual(rootOf(member.state))
    expect(member.state.seen.size).toBe(5)
  })

  test('lets former keys evict, and later ones', () => {
    const member = met().frame(1, { successions: [second] })
    member
      .frame(1, { evictions: [sealEviction(secondKey, c.peer, mesh, rotated)] })
      .frame(1, { evictions: [sealEviction(meshKey, d.peer)] })
    expect([...member.state.evictions.keys()].toSorted()).toEqual([c.peer, d.peer].toSorted())
  })

  test('takes over who joins with the former invite again, as soon as the new key is told to', () => {
    const member = met().frame(1, { successions: [second], reissues: [anew(a)] })
    const admission = sure(verifyChain({ ...trust, lineage: rotated }, chainOf(a.peer)))
    member.take({ kind: 'renew', admission })
    expect(member.state.view.get(a.peer)?.signed.admission.issuer.key).toBe(secondKey.peer)
  })

  test('of a key that was followed by another and has ended comes too late', () => {
    const member = met().frame(1, { successions: [loser] })
    member.ahead = END + 700_000
    member.frame(2, { successions: [winner] })
    expect(keysOf(member.state.lineage)).toEqual([loserKey.peer])
    expect(member.effects).toEqual([{ kind: 'dropped', peer: c.peer, reason: 'succession of a key that had another successor' }])
    expect(member.frame(2, { successions: [loser, sealSuccession(mesh, loserKey, thirdKey, END)] }).state.lineage).toHaveLength(2)
  })

  test('is told to who has none when views are compared, and before all that may need it', () => {
    const knows = met().frame(1, { successions: [second], reissues: [anew(c)] })
    const nothing = { covered: new Set(Array.from({ length: 256 }, (_, bucket) => bucket)), summaries: [] }
    const answer = knows.frame(3, { summaries: nothing }).sent()
    expect(answer.flatMap(({ frame }) => frame.successions ?? [])).toEqual([second])
    expect(answer.flatMap(({ frame }) => frame.reissues ?? [])).toEqual([anew(c)])
    const same = summarise(knows.state)
    expect(
      knows
        .frame(3, { summaries: { ...nothing, summaries: same } })
        .sent()
        .map(({ frame }) => [frame.successions, frame.wants]),
    ).toEqual([[undefined, []]])
    const asked = new Stepped(d)
      .meet(1, a)
      .frame(1, { summaries: { ...nothing, summaries: same } })
      .sent()
    expect(asked[0]?.frame.wants).toEqual(expect.arrayContaining([mesh, c.peer]))
    expect(
      knows
        .frame(3, { wants: [mesh] })
        .sent()
        .map(({ frame }) => frame.successions),
    ).toEqual([[second]])
  })
})

describe('at the door', () => {
  const knowing = () => met().frame(1, { successions: [second], reissues: [anew(a)] })

  test('a newcomer by a later key is let in by who never heard of it', () => {
    const member = new Stepped(a).take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined })
    member.frame(9, { hello: newcomer(b), successions: [second] })
    expect(member.state.links.get(9)?.phase).toBe('open')
    expect(keysOf(member.state.lineage)).toEqual([secondKey.peer])
  })

  test('a newcomer by the former key is let in until the overlap is over, and then no more', () => {
    const member = new Stepped(a).frame(1, {}).take({ kind: 'succeed', lineage: rotated })
    member.take({ kind: 'linked', link: 8, peer: b.peer, dialled: undefined }).frame(8, { hello: chainOf(b.peer) })
    expect(member.state.links.get(8)?.phase).toBe('open')
    member.ahead = END
    member.take({ kind: 'linked', link: 9, peer: c.peer, dialled: undefined }).frame(9, { hello: chainOf(c.peer) })
    expect(member.effects).toContainEqual({ kind: 'unlink', link: 9, reason: 'not admitted: its invite has expired' })
    expect(member.sent().filter(({ link }) => link === 9)).toEqual([])
  })

  test('each shows the successions with its certificates', () => {
    const dials = knowing().take({ kind: 'linked', link: 9, peer: stranger.peer, dialled: b.peer })
    expect(dials.sent().map(({ frame }) => frame.successions)).toEqual([[second]])
    const answers = knowing()
      .take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined })
      .frame(9, { hello: chainOf(b.peer) })
    expect(answers.sent().find(({ frame }) => frame.hello !== undefined)?.frame.successions).toEqual([second])
  })

  test('a member that was away until the overlap was over is told what was made for it, and a stranger nothing', () => {
    const member = knowing().frame(1, { reissues: [anew(b), anew(c), anew(d)] })
    for (const [link, of] of [
      [2, c],
      [3, d],
    ] as const) {
      const admission = sure(verifyChain({ ...trust, lineage: rotated }, certifyMember(mesh, inviteIdentity, anew(of), of.peer)))
      member.frame(link, { records: [sealRecord(mesh, of, admission, { ...recordOf(of).record, incarnation: 101 as never }).bytes] })
    }
    member.take({ kind: 'unlinked', link: 1 })
    member.ahead = END + DAY
    member.wait(11_000)
    member.take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined }).frame(9, { hello: chainOf(b.peer) })
    expect(member.effects).toContainEqual({ kind: 'unlink', link: 9, reason: 'not admitted: its membership has ended' })
    const told = member.sent().filter(({ link }) => link === 9)
    expect(told.map(({ frame }) => [frame.successions, frame.reissues])).toEqual([[[second], [anew(b)]]])
    // It takes that up from whom it dialled, and comes again.
    const away = new Stepped(b)
      .meet(1, a)
      .take({ kind: 'unlinked', link: 1 })
      .take({ kind: 'linked', link: 2, peer: a.peer, dialled: a.peer })
    away.take({ kind: 'frame', link: 2, bytes: told[0]!.bytes })
    expect(away.kinds()).toEqual(expect.arrayContaining(['succeed', 'admitted', 'unlink']))
    const dial = away.wait(20_000)
    expect(dial.some((effect) => effect.kind === 'dial' && effect.target === a.peer)).toBe(true)
    away.take({ kind: 'linked', link: 3, peer: a.peer, dialled: a.peer })
    const { hello, successions } = away.sent()[0]!.frame
    expect(verifyChain({ ...trust, lineage: rotated }, hello!)).toMatchObject({ ok: true, value: { issuer: { generation: 1 } } })
    expect(successions).toEqual([second])
    member.take({ kind: 'linked', link: 10, peer: stranger.peer, dialled: undefined }).frame(10, { hello: chainOf(stranger.peer) })
    expect(member.sent().filter(({ link }) => link === 10)).toEqual([])
  })

  test('nobody that was not dialled has a word in what certifies us', () => {
    const member = new Stepped(a).take({ kind: 'linked', link: 9, peer: b.peer, dialled: undefined })
    member.frame(9, { successions: [second], reissues: [anew(a)] })
    expect(member.state.view.get(a.peer)?.reissue).toBeUndefined()
  })
})

test('a daemon that starts anew knows what it knew: the keys, and what was made for members that have not taken it up', () => {
  const before = met().frame(1, { successions: [second], reissues: [anew(c)] })
  const saved = {
    records: [...before.state.view.values()].map(({ signed }) => signed.bytes),
    accusations: [],
    evictions: [],
    reissues: [...before.state.view.values()].flatMap(({ reissue: made }) => made?.bytes ?? []),
  }
  const after = new Stepped(a, [], '2', { saved, lineage: before.state.lineage })
  expect(bytesOf(after.state.lineage)).toEqual([second])
  expect(after.state.view.get(c.peer)?.reissue?.bytes).toEqual(anew(c))
  expect(after.state.root).toEqual(rootOf(after.state))
})
