import { EXPIRY_GRACE, incarnationAbove, sure, UNBOUND, wallTime } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { certifyInvite, certifyMember, verifyChain } from './certificate.ts'
import type { Identity } from './libp2p/signer.ts'
import { a, b, c, content, d, inviteIdentity, meshKey, recordOf, start, Stepped, trust } from './libp2p/stepped.ts'
import { sealRecord } from './message.ts'

const YEAR = 365 * 86_400_000
const bounded = certifyInvite(meshKey, inviteIdentity.peer, { ...UNBOUND, until: wallTime(YEAR) })
const chainOf = (of: Identity) => certifyMember(trust.mesh, inviteIdentity, bounded, of.peer)
const record = (of: Identity) =>
  sealRecord(trust.mesh, of, sure(verifyChain(trust, chainOf(of))), { ...content, bootId: '1', incarnation: start, leaving: false })
/** Members that are linked to a, of whom these are members until a year has passed. */
const among = (...ending: readonly Identity[]) => {
  const member = new Stepped(a)
  for (const [index, of] of [b, c, d].entries()) {
    member.take({ kind: 'linked', link: index, peer: of.peer, dialled: undefined })
    member.frame(index, { hello: ending.includes(of) ? chainOf(of) : recordOf(of).admission.chain })
    member.frame(index, { records: [ending.includes(of) ? record(of).bytes : recordOf(of).bytes] })
  }
  return member
}
const greeted = (member: Stepped, of: Identity) => {
  member.take({ kind: 'linked', link: 9, peer: of.peer, dialled: undefined }).frame(9, { hello: chainOf(of) })
  return [...member.state.dropped.keys()][0] ?? member.state.links.get(9)?.phase
}
/** As many links carry a heartbeat as stand. */
const live = (member: Stepped, duration: number) => {
  for (const end = member.now + duration; member.now < end;) {
    member.wait(250)
    for (const { id } of member.state.links.values()) member.frame(id, { root: member.state.root })
  }
}
const REFUSED = 'not admitted: its membership has ended'

describe('a membership that has ended', () => {
  test('leaves the link that stands and is good for no new one', () => {
    const member = among(b)
    member.ahead = 2 * YEAR
    live(member, 11_000)
    expect([...member.state.links.values()].map(({ phase }) => phase)).toEqual(['open', 'open', 'open'])
    expect([...member.state.ended.keys()]).toEqual([b.peer])
    member.take({ kind: 'unlinked', link: 0 })
    expect(greeted(member, b)).toBe(REFUSED)
  })

  test('lets nobody in who is new, and everybody until its end', () => {
    expect(greeted(new Stepped(a), b)).toBe('open')
    const late = new Stepped(a)
    late.ahead = 2 * YEAR
    expect(greeted(late, b)).toBe(REFUSED)
  })

  test('is no silence: whoever nobody has links to any more is not accused, and keeps its standing for a week', () => {
    const member = among(b)
    member.ahead = 2 * YEAR
    live(member, 11_000)
    member.take({ kind: 'unlinked', link: 0 }).take({ kind: 'undialled', target: b.peer, failure: 'unanswered' })
    live(member, 30_000)
    member.take({ kind: 'undialled', target: b.peer, failure: 'refused' })
    live(member, 5000)
    expect(member.state.standings.get(b.peer)).toEqual({ state: 'alive' })
    expect(member.state.lapsed.size).toBe(0)
    // A week, for whose length nothing else was done.
    member.now += EXPIRY_GRACE
    const effects = member.wait(11_000)
    expect([...member.state.lapsed]).toEqual([b.peer])
    expect(effects.map(({ kind }) => kind)).toContain('changed')
  })

  test('that is renewed is one of the others again in the same turn', () => {
    const member = among(b)
    member.ahead = 2 * YEAR
    live(member, 11_000)
    member.frame(0, { records: [recordOf(b, incarnationAbove(start)).bytes] })
    expect(member.state.ended.size).toBe(0)
    expect(member.state.view.get(b.peer)?.signed.admission.bounds.until).toBeUndefined()
  })

  test('that most have at once keeps nobody from those it knows: the clock may be wrong, or all came by one invite', () => {
    const member = among(b, c, d)
    member.ahead = 2 * YEAR
    live(member, 11_000)
    expect(member.state.ended.size).toBe(3)
    member.take({ kind: 'unlinked', link: 0 })
    expect(greeted(member, b)).toBe('open')
  })
})
