import { describe, expect, test } from 'vitest'
import { a, b, chainOf, SEED, seedAt, Stepped, stranger } from './libp2p/stepped.ts'
import type { Input } from './state.ts'

describe('a place where a member may be', () => {
  const PLACE = seedAt('/ip4/10.0.0.5/tcp/4788')
  const approach: Input = { kind: 'approach', place: PLACE }

  test('is dialled, and who is there becomes a link like any other', () => {
    const member = new Stepped(a).take(approach)
    expect(member.effects).toEqual([{ kind: 'dial', target: PLACE, addresses: undefined }])
    expect(member.meet(1, b, PLACE).state.links.get(1)).toMatchObject({ phase: 'open', peer: b.peer })
    expect(member.state.seeds.size).toBe(0)
  })

  test.each<[string, (member: Stepped) => Stepped]>([
    ['nobody answers', (member) => member.take({ kind: 'undialled', target: PLACE, failure: 'unanswered' })],
    [
      'who is there does not admit us',
      (member) => member.take({ kind: 'linked', link: 1, peer: b.peer, dialled: PLACE }).take({ kind: 'unlinked', link: 1 }),
    ],
    [
      'who is there is nobody that we admit',
      (member) => member.take({ kind: 'linked', link: 1, peer: stranger.peer, dialled: PLACE }).frame(1, { hello: chainOf(b.peer) }),
    ],
  ])('is forgotten when %s: it is no seed, and no trouble', (_what, meet) => {
    const member = meet(new Stepped(a).take(approach))
    expect(member.kinds()).not.toContain('trouble')
    expect([...member.state.dials.keys()]).toEqual([])
    expect(member.wait(10_000).filter(({ kind }) => kind === 'dial')).toEqual([])
  })

  test('is not dialled by who leaves, nor where a seed is dialled anyway', () => {
    expect(new Stepped(a).meet(1, b).take({ kind: 'leave' }).take(approach).kinds()).not.toContain('dial')
    expect(new Stepped(a, [SEED]).take({ kind: 'approach', place: SEED }).kinds()).not.toContain('dial')
  })
})

test('a seed that leads to a member which is linked to us already is not dialled again, whichever end let the second link go', () => {
  const member = new Stepped(a, [SEED]).meet(1, b)
  member.take({ kind: 'linked', link: 2, peer: b.peer, dialled: SEED }).take({ kind: 'unlinked', link: 2 })
  expect(member.state.seeds.get(SEED)).toEqual({ peer: b.peer, trouble: undefined })
  expect(member.wait(1000).filter(({ kind }) => kind === 'dial')).toEqual([])
})
