import { Map } from 'immutable'
import {
  parseIncarnation,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  sure,
  wallTime,
  type IpAddress,
  type PeerId,
  type TunnelClaim,
} from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { sealRecord } from './message.ts'
import { whereabouts } from './reach.ts'
import type { Effect } from './state.ts'
import { a, admissionOf, b, c, chainOf, content, mesh, start, Stepped } from './libp2p/stepped.ts'
import type { Identity } from './libp2p/signer.ts'

const ip = (text: string): IpAddress => sure(parseIp(text))
const HERE = ip('10.0.0.2')
const THERE = ip('10.0.0.3')
const VICTIM = ip('10.0.0.66')

const claim = (underlay: IpAddress, id = 16): TunnelClaim => ({
  mode: 'vxlan',
  id: sure(parseVni(id)),
  underlay,
  port: sure(parsePort(4789)),
  mac: sure(parseMac('02:00:00:00:00:02')),
  overlay: [],
  claimedAt: wallTime(1),
  mtu: 1450,
  mtuLimit: 1450,
})

/** A record of a member whose tunnels lead there, and that says that it listens at these places. */
const says = (of: Identity, tunnels: readonly IpAddress[], listens: readonly IpAddress[] = [], incarnation = start) =>
  sealRecord(mesh, of, admissionOf(of.peer), {
    ...content,
    tunnels: tunnels.map((underlay, index) => claim(underlay, 16 + index)),
    control: listens.map((address) => ({ address, port: sure(parsePort(4788)) })),
    bootId: '1',
    incarnation,
    leaving: false,
  }).bytes

const next = sure(parseIncarnation(start + 1))

/** A member with a link to another, from that address. */
const linked = (to: Identity, at: IpAddress, link = 1, member = new Stepped(a)): Stepped =>
  member.take({ kind: 'linked', link, peer: to.peer, dialled: undefined, at }).frame(link, { hello: chainOf(to.peer) })

/** Waits as long, while its first link carries beats. */
const lasting = (member: Stepped, duration: number): readonly Effect[] =>
  Array.from({ length: duration / 250 }, () => [...member.wait(249), ...member.frame(1, { root: new Uint8Array(16) }).effects]).flat()

const where = (member: Stepped, peer: PeerId, address: IpAddress) => whereabouts(member.state, peer, address, member.now)
const tries = (member: Stepped) => member.effects.flatMap((effect) => (effect.kind === 'try' ? [effect.place.address] : []))

describe('a member', () => {
  test('is where its link is, and nowhere else', () => {
    const member = linked(b, HERE).frame(1, { records: [says(b, [HERE, VICTIM])] })
    expect([where(member, b.peer, HERE), where(member, b.peer, VICTIM)]).toEqual(['reached', 'unheard'])
    lasting(member, 10_500)
    expect(where(member, b.peer, VICTIM)).toBe('elsewhere')
  })

  test('that has more addresses is looked for where it says that it listens, later and later', () => {
    const member = linked(b, HERE).frame(1, { records: [says(b, [HERE, THERE, VICTIM], [HERE, THERE])] })
    expect(tries(member)).toEqual([THERE])
    member.take({ kind: 'tried', peer: b.peer, address: THERE, found: false })
    expect([tries(member), where(member, b.peer, THERE)]).toEqual([[], 'unheard'])
    const again = member.wait(1500).flatMap((effect) => (effect.kind === 'try' ? [effect.place.address] : []))
    expect(again).toEqual([THERE])
    member.take({ kind: 'tried', peer: b.peer, address: THERE, found: true })
    expect([where(member, b.peer, THERE), where(member, b.peer, VICTIM)]).toEqual(['reached', 'unheard'])
  })

  test('is no longer where it was before it moved', () => {
    const member = linked(b, HERE).frame(1, { records: [says(b, [HERE])] })
    member.take({ kind: 'unlinked', link: 1 })
    expect(where(member, b.peer, HERE)).toBe('reached')
    linked(b, THERE, 2, member).frame(2, { records: [says(b, [THERE], [], next)] })
    expect([where(member, b.peer, HERE), where(member, b.peer, THERE)]).toEqual(['unheard', 'reached'])
  })
})

describe('the word of others', () => {
  const told = (by: Identity): Stepped =>
    new Stepped(a).meet(1, by).frame(1, { records: [says(c, [THERE])], reached: [{ peer: c.peer, addresses: [THERE, VICTIM] }] })

  test('counts for what a member claims, and goes on with its record', () => {
    expect([where(told(b), c.peer, THERE), where(told(b), c.peer, VICTIM)]).toEqual(['reached', 'unheard'])
  })

  test('does not count of oneself', () => {
    expect(where(told(c), c.peer, THERE)).toBe('unheard')
  })

  test('goes on with the record, or alone when it comes later', () => {
    const member = new Stepped(a).meet(1, b).meet(2, c)
    member.frame(2, { records: [says(c, [THERE], [], next)] })
    expect(member.sent().flatMap(({ frame }) => frame.reached)).toEqual([])
    member.frame(1, { reached: [{ peer: c.peer, addresses: [THERE] }] })
    expect(where(member, c.peer, THERE)).toBe('reached')
    const found = linked(c, THERE, 3, new Stepped(a).meet(1, b)).frame(3, { records: [says(c, [THERE])] })
    expect(
      found
        .sent()
        .filter(({ link }) => link === 1)
        .flatMap(({ frame }) => frame.reached),
    ).toEqual([{ peer: c.peer, addresses: [THERE] }])
  })

  test('is asked for where it is lacking, as after a restart', () => {
    const member = new Stepped(a).meet(1, b).frame(1, { records: [says(c, [THERE])] })
    const asked = member.sent(lasting(member, 10_500)).flatMap(({ frame }) => frame.wants ?? [])
    expect(asked).toContain(c.peer)
    const asks = new Stepped(b).meet(1, a)
    linked(c, THERE, 2, asks).frame(2, { records: [says(c, [THERE])] })
    asks.frame(1, { wants: [c.peer] })
    expect(asks.sent().flatMap(({ frame }) => frame.reached)).toEqual([{ peer: c.peer, addresses: [THERE] }])
  })
})

test('of a peer whose link is gone and that is no member nothing is kept', () => {
  const member = linked(b, HERE)
  expect(member.state.reached.has(b.peer)).toBe(true)
  member.take({ kind: 'unlinked', link: 1 })
  expect(member.state.reached).toEqual(Map())
})

test('after a restart members are where they had been found, as far as they claim it still', () => {
  const saved = {
    ...{ records: [says(b, [HERE])], accusations: [], evictions: [] },
    reached: [
      { peer: b.peer, addresses: [HERE, THERE] },
      { peer: c.peer, addresses: [VICTIM] },
    ],
  }
  const member = new Stepped(a, [], '2', { saved })
  expect([where(member, b.peer, HERE), where(member, b.peer, THERE), where(member, c.peer, VICTIM)]).toEqual([
    'reached',
    'unheard',
    'unheard',
  ])
})
