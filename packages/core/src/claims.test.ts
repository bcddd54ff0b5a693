import { describe, expect, test } from 'vitest'
import { conflicts, trespass } from './claims.ts'
import { claim, ip, letter, peer, signed, viewOf, VNI } from './samples.ts'
import type { Standing } from './member.ts'
import type { TunnelClaim } from './record.ts'
import { instant, parseInterfaceAddress, parseMemberName, parseVni, parseWallTime, sure, ZERO_MAC, type PeerId } from './values.ts'

const at = (time: number) => ({ claimedAt: sure(parseWallTime(time)) })
const overlay = (...addresses: readonly string[]) => ({ overlay: addresses.map((address) => sure(parseInterfaceAddress(address))) })
const shared = overlay('192.168.234.9/23')

const alive: Standing = { state: 'alive' }
const restarting: Standing = { state: 'restarting', since: instant(0) }
const dead: Standing = { state: 'dead', because: 'quorum' }

type Member = readonly [letter: string, claim: Partial<TunnelClaim>, standing?: Standing]

function judge(members: readonly Member[]): readonly string[] {
  const view = viewOf(members.map(([of, parts]) => signed(of, 1, { tunnels: [claim(of, parts)] })))
  const standings = new Map<PeerId, Standing>(members.map(([of, , standing = alive]) => [peer(of), standing]))
  return [...conflicts(view, standings, { mode: 'vxlan', id: VNI }).values()]
    .map(({ loser, winner, what }) => `${letter(winner)} has ${what}, not ${letter(loser)}`)
    .toSorted()
}

describe.each<[string, readonly Member[], readonly string[]]>([
  [
    'members with addresses of their own do not conflict',
    [
      ['a', {}],
      ['b', {}],
    ],
    [],
  ],
  [
    'the earlier claim wins',
    [
      ['a', { ...shared, ...at(2) }],
      ['b', { ...shared, ...at(1) }],
    ],
    ['b has 192.168.234.9, not a'],
  ],
  [
    'a claim with another prefix length is a claim on the same address',
    [
      ['a', { ...overlay('192.168.234.9/24'), ...at(1) }],
      ['b', { ...shared, ...at(2) }],
    ],
    ['a has 192.168.234.9, not b'],
  ],
  [
    'a member that runs wins over one that restarts, however early',
    [
      ['a', { ...shared, ...at(1) }, restarting],
      ['b', { ...shared, ...at(2) }],
    ],
    ['b has 192.168.234.9, not a'],
  ],
  [
    'the dead claim nothing',
    [
      ['a', { ...shared, ...at(1) }, dead],
      ['b', { ...shared, ...at(2) }],
    ],
    [],
  ],
  [
    'one of several addresses is enough',
    [
      ['a', { ...overlay('192.168.234.8/23', '192.168.234.9/23'), ...at(1) }],
      ['b', { ...shared, ...at(2) }],
    ],
    ['a has 192.168.234.9, not b'],
  ],
  [
    'a MAC address is claimed too',
    [
      ['a', { mac: claim('x').mac, ...at(1) }],
      ['b', { mac: claim('x').mac, ...at(2) }],
    ],
    ['a has 02:00:00:00:00:78, not b'],
  ],
  [
    'ports of bridges tell no MAC address, and share none',
    [
      ['a', { mac: ZERO_MAC }],
      ['b', { mac: ZERO_MAC }],
    ],
    [],
  ],
  [
    'a loser holds nothing against a third',
    [
      ['a', { ...shared, ...at(1) }],
      ['b', { ...overlay('192.168.234.9/23', '192.168.234.8/23'), ...at(2) }],
      ['c', { ...overlay('192.168.234.8/23'), ...at(3) }],
    ],
    ['a has 192.168.234.9, not b'],
  ],
  [
    'of three claims the first stands',
    [
      ['a', { ...shared, ...at(3) }],
      ['b', { ...shared, ...at(2) }],
      ['c', { ...shared, ...at(1) }],
    ],
    ['c has 192.168.234.9, not a', 'c has 192.168.234.9, not b'],
  ],
  [
    'an underlay address may be shared: two hosts behind one address are not our affair',
    [
      ['a', { underlay: ip('10.1.1.1') }],
      ['b', { underlay: ip('10.1.1.1') }],
    ],
    [],
  ],
  [
    'a tunnel of another id is none of this one',
    [
      ['a', { ...shared, id: sure(parseVni(17)) }],
      ['b', shared],
    ],
    [],
  ],
])('%s', (_name, members, expected) => {
  test('in whatever order they are known', () => {
    expect(judge(members)).toEqual(expected)
    expect(judge(members.toReversed())).toEqual(expected)
  })
})

test('claims of one moment are decided by a hash, for everybody alike', () => {
  const both: readonly Member[] = [
    ['a', shared],
    ['b', shared],
  ]
  expect(judge(both)).toHaveLength(1)
  expect(judge(both)).toEqual(judge(both.toReversed()))
})

describe('what an invite binds', () => {
  const db = sure(parseMemberName('db'))
  const nine = sure(parseInterfaceAddress('192.168.234.9/32'))
  const at = (of: string, claimedAt: number, address = '192.168.234.9/23') =>
    claim(of, { overlay: [sure(parseInterfaceAddress(address))], claimedAt: sure(parseWallTime(claimedAt)) })
  const lostBy = (...records: readonly ReturnType<typeof signed>[]) => {
    const view = viewOf(records)
    const standings = new Map(records.map(({ record }) => [record.peer, { state: 'alive' } as const]))
    return [...conflicts(view, standings, { mode: 'vxlan', id: VNI }).values()].map(
      ({ loser, winner, what }) => `${letter(loser)} lost ${what} to ${letter(winner)}`,
    )
  }

  test.each<[string, readonly ReturnType<typeof signed>[], readonly string[]]>([
    [
      'an address, though another claimed it earlier',
      [signed('a', 1, { tunnels: [at('a', 1)] }), signed('b', 1, { tunnels: [at('b', 2)], bounds: { addresses: [nine] } })],
      ['a lost 192.168.234.9 to b'],
    ],
    [
      'nothing that lies outside of it: such a claim wins nothing',
      [
        signed('a', 1, { tunnels: [at('a', 1, '192.168.234.8/23')], bounds: { addresses: [nine] } }),
        signed('b', 1, { tunnels: [at('b', 2, '192.168.234.8/23')] }),
      ],
      [],
    ],
    [
      'a name, which nobody else may have',
      [signed('a', 1, { name: db }), signed('b', 1, { name: db, bounds: { name: db } })],
      ['a lost the name db to b'],
    ],
    ['no name that it does not say: two may have it', [signed('a', 1, { name: db }), signed('b', 1, { name: db })], []],
  ])('is %s', (_name, records, expected) => {
    expect(lostBy(...records)).toEqual(expected)
  })

  test.each<[string, ReturnType<typeof signed>, string | undefined]>([
    ['the name', signed('a', 1, { bounds: { name: db } }), 'its invite is for the name db'],
    ['the address', signed('a', 1, { bounds: { addresses: [nine] } }), '192.168.234.97/23 is not among the addresses of its invite'],
    ['nothing', signed('a', 1), undefined],
    ['what it claims', signed('a', 1, { name: db, tunnels: [at('a', 1)], bounds: { name: db, addresses: [nine] } }), undefined],
  ])('and for %s a claim outside of it is no claim', (_name, record, expected) => {
    expect(trespass(record, record.record.tunnels[0]!)).toBe(expected)
  })
})
