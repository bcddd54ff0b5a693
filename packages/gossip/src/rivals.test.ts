import { sure, type Bytes } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyMember, sealEviction, verifyChain } from './certificate.ts'
import { rootOf, summarise } from './digest.ts'
import { END, anew, keysOf, loser, loserKey, met, other, second, winner, winnerKey } from './libp2p/rotated.ts'
import {
  a,
  b,
  chainOf,
  d,
  inviteIdentity,
  lineageOf,
  mesh,
  meshKey,
  otherKey,
  recordOf,
  secondKey,
  Stepped,
  thirdKey,
  trust,
} from './libp2p/stepped.ts'
import type { Identity } from './libp2p/signer.ts'
import { sealRecord } from './message.ts'
import { sealSuccession } from './succession.ts'

describe('a rotation by two operators at once', () => {
  test('the same one holds everywhere, and both are told', () => {
    const one = met()
      .frame(1, { successions: [loser] })
      .frame(1, { reissues: [anew(b, loserKey)] })
    one.frame(2, { successions: [winner] })
    const two = met()
      .frame(1, { successions: [winner] })
      .frame(2, { successions: [loser] })
    expect([keysOf(one.state.lineage), keysOf(two.state.lineage)]).toEqual([[winnerKey.peer], [winnerKey.peer]])
    expect([one.state.contested, two.state.contested]).toEqual([loserKey.peer, loserKey.peer])
    // Whoever brought what does not hold is told what does, and all others that there was such a one.
    expect(two.sent().map(({ link, frame }) => [link, frame.successions])).toEqual([
      [1, [loser]],
      [3, [loser]],
      [2, [winner]],
    ])
    expect([one.state.root, one.state.view.get(b.peer)?.reissue]).toEqual([two.state.root, undefined])
    expect(one.state.root).toEqual(rootOf(one.state))
    // And what the other key made counts for nothing, for whom it made it as well: the one that holds makes it anew.
    one.frame(1, { reissues: [anew(a, winnerKey)] })
    expect(one.state.view.get(a.peer)?.signed.admission.issuer.key).toBe(winnerKey.peer)
  })

  test('and a third: that there was another is said once, whoever repeats it', () => {
    const third = sealSuccession(mesh, meshKey, thirdKey, END)
    const [least, ...losers] = [
      [secondKey, second],
      [otherKey, other],
      [thirdKey, third],
    ].toSorted(([one], [two]) => ((one as Identity).peer < (two as Identity).peer ? -1 : 1)) as [Identity, Bytes][]
    const member = met().frame(1, { successions: [least![1]] })
    const said = [0, 1, 0, 1, 0, 1].map((at) => member.frame(2, { successions: [losers[at]![1]] }).kinds())
    expect(said.map((kinds) => kinds.includes('contested'))).toEqual([true, false, false, false, false, false])
    expect(member.sent().map(({ link, frame }) => [link, frame.successions])).toEqual([[2, [least![1]]]])
    expect(member.state.contested).toBe(losers[0]![0].peer)
  })
})

describe('a key that lost its place to another', () => {
  const lost = lineageOf(loser)
  const byLoser = (of: Identity, incarnation: number): Bytes => {
    const chain = certifyMember(mesh, inviteIdentity, anew(of, loserKey), of.peer)
    const admission = sure(verifyChain({ ...trust, lineage: lost }, chain))
    return sealRecord(mesh, of, admission, { ...recordOf(of).record, incarnation: incarnation as never }).bytes
  }
  const believing = () =>
    met()
      .frame(1, { successions: [loser] })
      .frame(3, { records: [byLoser(d, 101)] })

  test('revokes all the same, also for who never believed it, and after a restart', () => {
    const bytes = sealEviction(loserKey, d.peer, mesh, lost)
    const [one, two] = [believing().frame(1, { evictions: [bytes] }), met().frame(1, { successions: [winner] })]
    one.frame(2, { successions: [winner] })
    two.frame(2, { successions: [loser] }).frame(2, { evictions: [bytes] })
    expect([one, two].map(({ state }) => [...state.evictions.keys()])).toEqual([[d.peer], [d.peer]])
    expect(one.state.root).toEqual(two.state.root)
    const after = new Stepped(a, [], '2', {
      saved: { records: [], accusations: [], evictions: [bytes] },
      lineage: one.state.lineage,
    })
    expect([...after.state.evictions.keys()]).toEqual([d.peer])
  })

  test('leaves what it certified to those who believed it, and they tell nobody', () => {
    const [one, two] = [believing().frame(2, { successions: [winner] }), met().frame(1, { successions: [winner] })]
    expect(one.state.view.get(d.peer)?.signed.record.incarnation).toBe(101)
    expect(one.state.root).toEqual(rootOf(one.state))
    expect(summarise(one.state).map(({ peer }) => peer)).not.toContain(d.peer)
    one.frame(1, { wants: [d.peer] })
    expect(one.sent().flatMap(({ frame }) => frame.records ?? [])).toEqual([])
    // What all may believe goes before it, older or not, and then all hold the same.
    one.frame(1, { records: [recordOf(d).bytes] })
    expect(one.state.view.get(d.peer)?.signed.record.incarnation).toBe(100)
    expect(one.frame(3, { records: [byLoser(d, 102)] }).state.view.get(d.peer)?.signed.record.incarnation).toBe(100)
    expect([one.state.root, one.state.root]).toEqual([two.state.root, rootOf(one.state)])
  })

  test('is no offence of who relays what it certified, and heard of no other', () => {
    const member = met().frame(1, { successions: [winner] })
    member.frame(2, { successions: [loser] })
    for (let times = 0; times < 100; times++) member.frame(2, { records: [byLoser(d, 101 + times)], reissues: [anew(d, loserKey)] })
    expect(member.wait(1000).filter(({ kind }) => kind === 'unlink')).toEqual([])
    expect([...member.state.dropped.values()].reduce((sum, each) => sum + each, 0)).toBe(200)
    expect(member.state.shunned.size).toBe(0)
  })

  test('leaves a member what it was by the key before, also when that started anew meanwhile', () => {
    const taken = met().frame(1, { successions: [loser], reissues: [anew(a, loserKey)] })
    const { former, admission } = taken.effects.find((effect) => effect.kind === 'admitted')!
    expect([former?.chain, admission.issuer.key]).toEqual([chainOf(a.peer), loserKey.peer])
    const after = new Stepped(a, [], '2', { lineage: lost, fallback: former, admission }).meet(1, b)
    after.frame(1, { successions: [winner] })
    expect(after.effects).toContainEqual({
      kind: 'admitted',
      admission: expect.objectContaining({ chain: chainOf(a.peer) }),
      former: undefined,
    })
    expect(after.state.view.get(a.peer)?.signed.admission.issuer.key).toBe(mesh)
  })
})
