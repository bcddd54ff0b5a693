import { describe, expect, test } from 'vitest'
import { conflicts } from './claims.ts'
import { claim, ip, letter, peer, signed, sure, viewOf, VNI } from './samples.ts'
import type { Standing } from './member.ts'
import type { TunnelClaim } from './record.ts'
import { instant, parseInterfaceAddress, parseVni, parseWallTime, ZERO_MAC, type PeerId } from './values.ts'

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
  return [...conflicts(view, standings, VNI).values()]
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
