import { describe, expect, test } from 'vitest'
import { desired, withStanding, type Caution, type Desired } from './desired.ts'
import { claim, ip, letter, peer, signed, viewOf } from './samples.ts'
import type { Standing } from './member.ts'
import type { TunnelClaim } from './record.ts'
import { slot, table } from './table.ts'
import { unreachableOf } from './tunnel.ts'
import {
  instant,
  parseGreKey,
  parseInterfaceAddress,
  parseMac,
  parsePort,
  parseVni,
  parseWallTime,
  sure,
  ZERO_MAC,
  type PeerId,
} from './values.ts'

/** What member a programs for b. */
function verdictOnB(standing: Standing, theirs: Partial<TunnelClaim> | undefined, ours: Partial<TunnelClaim> = {}): string {
  const own = claim('a', ours)
  const view = viewOf([signed('a', 1, { tunnels: [own] }), signed('b', 1, { tunnels: theirs === undefined ? [] : [claim('b', theirs)] })])
  const standings = new Map<PeerId, Standing>([
    [peer('a'), { state: 'alive' }],
    [peer('b'), standing],
  ])
  const verdict = desired(view, standings, peer('a'), own).verdicts.get(peer('b'))
  if (verdict?.kind === 'wanted') return slot(verdict.entries[0]!).replace('flood ', '')
  return verdict?.kind === 'refused' ? verdict.reason : `unwanted: ${verdict?.why ?? 'nobody'}`
}

const alive: Standing = { state: 'alive' }

test.each<[string, Standing, string]>([
  ['alive', alive, '10.0.0.98'],
  ['suspect', { state: 'suspect', accusers: 2 }, '10.0.0.98'],
  ['restarting', { state: 'restarting', since: instant(0) }, '10.0.0.98'],
  ['dead', { state: 'dead', because: 'quorum' }, 'unwanted: gone'],
  ['left', { state: 'left' }, 'unwanted: gone'],
])('a member that is %s: %s', (_name, standing, expected) => {
  expect(verdictOnB(standing, {})).toBe(expected)
})

const refused = 'another address family'
const inside = (text: string) => [sure(parseInterfaceAddress(text))]

test.each<[string, string, string, string]>([
  ['our own address', '10.0.0.97', '10.0.0.97', '10.0.0.97 is our own underlay address'],
  ['zero', '0.0.0.0', '10.0.0.97', '0.0.0.0 is no destination: its range is unspecified'],
  ['multicast', '239.1.1.1', '10.0.0.97', '239.1.1.1 is no destination: its range is multicast'],
  ['broadcast', '255.255.255.255', '10.0.0.97', '255.255.255.255 is no destination: its range is broadcast'],
  ['class E', '240.0.0.1', '10.0.0.97', '240.0.0.1 is no destination: its range is reserved'],
  ['loopback', '127.0.0.1', '10.0.0.97', '127.0.0.1 is no destination: its range is loopback'],
  ['loopback from loopback, where all is one host', '127.0.0.2', '127.0.0.1', '127.0.0.2'],
  ['link-local', '169.254.1.1', '10.0.0.97', '169.254.1.1 is no destination: its range is link-local'],
  ['link-local from link-local', '169.254.1.1', '169.254.1.2', '169.254.1.1'],
  ['IPv6 from IPv4', '2001:db8::1', '10.0.0.97', `2001:db8::1 cannot be reached from 10.0.0.97: ${refused}`],
  ['IPv4 from IPv6', '10.0.0.98', '2001:db8::1', `10.0.0.98 cannot be reached from 2001:db8::1: ${refused}`],
  ['IPv6 from IPv6', '2001:db8::2', '2001:db8::1', '2001:db8::2'],
  ['inside our overlay', '192.168.235.9', '10.0.0.97', '192.168.235.9 lies inside the overlay 192.168.234.97/23'],
  ['a public address from a private one', '203.0.113.9', '10.0.0.97', '203.0.113.9'],
])('an underlay address that is %s (%s from %s): %s', (_name, theirs, ours, expected) => {
  expect(verdictOnB(alive, { underlay: ip(theirs) }, { underlay: ip(ours) })).toBe(expected)
})

test('a member whose membership ended long enough ago has no entry, and takes nothing from others', () => {
  const own = claim('a')
  const view = viewOf([
    signed('a', 1, { tunnels: [own] }),
    signed('b', 1),
    signed('c', 1, { tunnels: [claim('c', { mac: claim('b').mac })] }),
  ])
  const standings = new Map<PeerId, Standing>(['a', 'b', 'c'].map((of) => [peer(of), alive]))
  const { verdicts, conflicts, table: wanted } = desired(view, standings, peer('a'), own, { lapsed: new Set([peer('b')]) })
  expect(verdicts.get(peer('b'))).toEqual({ kind: 'refused', reason: 'its membership has ended' })
  expect([conflicts.size, wanted.has('flood 10.0.0.98'), wanted.has('flood 10.0.0.99')]).toEqual([0, false, true])
})

describe('an underlay address', () => {
  const own = claim('a')
  const places = ['flood 10.0.0.98', 'fdb 02:00:00:00:00:62', 'neighbour 192.168.234.98']
  const given = (caution: Partial<Caution>): Desired => {
    const view = viewOf([signed('a', 1, { tunnels: [own] }), signed('b', 1)])
    return desired(view, new Map(['a', 'b'].map((of) => [peer(of), alive])), peer('a'), own, caution)
  }
  const unreached = { kind: 'refused', reason: 'nobody has reached this member at 10.0.0.98' }

  test('at which its member was reached is one', () => {
    expect([...given({ whereabouts: () => 'reached' }).table.keys()]).toEqual(places)
  })

  test('at which nobody has reached it gets nothing, and what is there stays for now, as it is', () => {
    const wanted = given({ whereabouts: () => 'unheard' })
    expect([wanted.verdicts.get(peer('b')), wanted.table.size]).toEqual([unreached, 0])
    const there = table([
      { kind: 'flood', underlay: ip('10.0.0.98') },
      { kind: 'fdb', mac: sure(parseMac('02:00:00:00:00:62')), underlay: ip('10.0.0.7') },
      { kind: 'admitted', underlay: ip('10.0.0.98') },
    ])
    expect([...withStanding(wanted, there).keys()]).toEqual(['flood 10.0.0.98', 'admitted 10.0.0.98'])
    expect(withStanding(wanted, new Map())).toBe(wanted.table)
  })

  test.each<[Standing]>([[{ state: 'evicted' }], [{ state: 'left' }], [{ state: 'dead', because: 'quorum' }]])(
    'that was of a member that is gone (%o) keeps nothing there, whoever says that it is there now',
    (gone) => {
      const view = viewOf([signed('a', 1, { tunnels: [own] }), signed('b', 1), signed('c', 1, { tunnels: [claim('b')] })])
      const marked = view.map((belief, each) => (each === peer('c') ? { ...belief, evicted: gone.state === 'evicted' } : belief))
      const standings = new Map<PeerId, Standing>([
        [peer('a'), alive],
        [peer('b'), alive],
        [peer('c'), gone],
      ])
      const wanted = desired(marked, standings, peer('a'), own, { whereabouts: () => 'unheard' })
      expect([wanted.verdicts.get(peer('b')), wanted.table.size, wanted.standing.size]).toEqual([unreached, 0, 0])
      expect(wanted.evicted.has('flood 10.0.0.98')).toBe(gone.state === 'evicted')
    },
  )

  test('of a member that has moved counts once it was reached there: until then packets go where it was', () => {
    const before = new Map([[peer('b'), { underlay: ip('10.0.0.7'), port: sure(parsePort(4789)) }]])
    const places = [...given({ whereabouts: () => 'unheard', before }).table.values()]
    expect(places.map((entry) => ('underlay' in entry ? entry.underlay : undefined))).toEqual(['10.0.0.7', '10.0.0.7', undefined])
    const never = given({ whereabouts: () => 'elsewhere', before })
    expect([never.verdicts.get(peer('b')), never.table.size, never.standing.size]).toEqual([unreached, 0, 0])
  })

  test('outside of those that were given is none, whoever was reached there', () => {
    const { verdicts, standing } = given({ within: (address) => address !== '10.0.0.98' })
    const reason = '10.0.0.98 lies outside of the underlay that was given (--underlay)'
    expect([verdicts.get(peer('b')), standing.size]).toEqual([{ kind: 'refused', reason }, 0])
  })
})

test('a member without this tunnel has no entry', () => {
  expect(verdictOnB(alive, undefined)).toBe('unwanted: elsewhere')
  expect(verdictOnB(alive, { id: sure(parseVni(17)) })).toBe('unwanted: elsewhere')
})

describe('a lost claim', () => {
  const early = { overlay: inside('192.168.234.9/23'), claimedAt: sure(parseWallTime(1)) }
  const late = { overlay: inside('192.168.234.9/23'), claimedAt: sure(parseWallTime(2)) }

  test('of another member keeps it from being programmed', () => {
    expect(verdictOnB(alive, late, early)).toBe('192.168.234.9 is claimed by another member')
  })

  test('of our own keeps us from programming anybody', () => {
    expect(verdictOnB(alive, early, late)).toBe('192.168.234.9 is claimed by another member')
  })
})

/** What member a writes for b, each as its place and where it leads. */
function entriesForB(theirs: Partial<TunnelClaim>, ours: Partial<TunnelClaim> = {}): readonly string[] {
  const own = claim('a', ours)
  const view = viewOf([signed('a', 1, { tunnels: [own] }), signed('b', 1, { tunnels: [claim('b', theirs)] })])
  const standings = new Map<PeerId, Standing>(['a', 'b'].map((of) => [peer(of), alive]))
  return [...desired(view, standings, peer('a'), own).table.values()].map((entry) => {
    if (entry.kind === 'neighbour') return `${slot(entry)} is ${'mac' in entry ? entry.mac : entry.underlay}`
    if (entry.kind !== 'flood' && entry.kind !== 'fdb') return slot(entry)
    const port = entry.port === undefined ? '' : ` port ${String(entry.port)}`
    return entry.kind === 'flood' ? slot(entry) : `${slot(entry)} to ${entry.underlay}${port}`
  })
}

const FLOOD = 'flood 10.0.0.98'
const FDB = 'fdb 02:00:00:00:00:62 to 10.0.0.98'
const addresses = (...texts: readonly string[]) => ({ overlay: texts.map((text) => sure(parseInterfaceAddress(text))) })
const mac = (text: string) => ({ mac: sure(parseMac(text)) })

describe('a member gets', () => {
  test.each<[string, Partial<TunnelClaim>, Partial<TunnelClaim>, readonly string[]]>([
    ['all three kinds of entry', {}, {}, [FLOOD, FDB, 'neighbour 192.168.234.98 is 02:00:00:00:00:62']],
    [
      'a neighbour for each of its addresses, of both families where we have both, once each',
      addresses('192.168.234.9/23', 'fd00::9/64', '192.168.234.9/24', 'fe80::9/64'),
      addresses('192.168.234.97/23', 'fd00::1/64'),
      [FLOOD, FDB, ...['192.168.234.9', 'fd00::9', 'fe80::9'].map((each) => `neighbour ${each} is 02:00:00:00:00:62`)],
    ],
    ['none for an address of a family that we have no address of', addresses('fd00::9/64'), {}, [FLOOD, FDB]],
    ['none where we have no address at all', {}, { overlay: [] }, [FLOOD, FDB]],
    ["none for an address that is nobody's", addresses('224.0.0.1/4', '255.255.255.255/8', '127.0.0.1/8', '0.0.0.1/8'), {}, [FLOOD, FDB]],
    ['none for the broadcast address of its network', addresses('192.168.234.255/24'), {}, [FLOOD, FDB]],
    ['none for the broadcast address of ours', addresses('192.168.235.255/22'), {}, [FLOOD, FDB]],
    ['the flood entry alone, when it is a port of a bridge and tells no MAC address', mac('00:00:00:00:00:00'), {}, [FLOOD]],
    ["the flood entry alone, when its MAC address is a group's", mac('01:00:5e:00:00:01'), {}, [FLOOD]],
    ["the flood entry alone, when its MAC address is everybody's", mac('ff:ff:ff:ff:ff:ff'), {}, [FLOOD]],
    [
      'its port, where that is not ours',
      { port: sure(parsePort(8472)) },
      {},
      [`${FLOOD} port 8472`, `${FDB} port 8472`, 'neighbour 192.168.234.98 is 02:00:00:00:00:62'],
    ],
  ])('%s', (_name, theirs, ours, expected) => {
    expect(entriesForB(theirs, ours)).toEqual(expected)
  })
})

test('the table holds the entries of each member that is wanted, and none for ourselves', () => {
  const members = ['a', 'b', 'c', 'd']
  const view = viewOf(members.map((of) => signed(of, 1)))
  const standings = new Map<PeerId, Standing>(members.map((of) => [peer(of), of === 'c' ? { state: 'left' } : alive]))
  const { table, verdicts } = desired(view, standings, peer('a'), claim('a'))
  expect([...table.keys()].toSorted()).toEqual([
    'fdb 02:00:00:00:00:62',
    'fdb 02:00:00:00:00:64',
    'flood 10.0.0.100',
    'flood 10.0.0.98',
    'neighbour 192.168.234.100',
    'neighbour 192.168.234.98',
  ])
  expect([...verdicts.keys()].map(letter).toSorted()).toEqual(['b', 'c', 'd'])
})

const gre = (key?: number) =>
  ({ mode: 'gre', id: key === undefined ? undefined : sure(parseGreKey(key)), port: undefined, mac: ZERO_MAC }) as const

describe('with GRE', () => {
  const there = addresses('192.168.234.9/23')
  const unreachable = ['unreachable 192.168.234.0/24', 'unreachable 192.168.235.0/24']
  test.each<[string, Partial<TunnelClaim>, Partial<TunnelClaim>, readonly string[]]>([
    [
      'a member gets a neighbour and a route, and the rest of the network is unreachable',
      { ...gre(5), ...there },
      gre(5),
      ['neighbour 192.168.234.9 is 10.0.0.98', 'route 192.168.234.9', ...unreachable],
    ],
    ['one of another key gets nothing', { ...gre(6), ...there }, gre(5), unreachable],
    ['one without a key is not one of the key 0', { ...gre(), ...there }, gre(0), unreachable],
    ['one of VXLAN with an id of that number gets nothing', { ...there, id: sure(parseVni(5)) }, gre(5), unreachable],
    ['one that claims our own address gets nothing', { ...gre(5), ...addresses('192.168.234.97/23') }, gre(5), []],
    [
      'of several addresses those count of whose family we have one',
      { ...gre(), ...addresses('192.168.234.9/23', 'fd00:234::2/64') },
      { ...gre(), ...addresses('fd00:234::1/128') },
      ['neighbour fd00:234::2 is 10.0.0.98', 'route fd00:234::2'],
    ],
  ])('%s', (_name, theirs, ours, expected) => {
    const entries = entriesForB(theirs, ours)
    expect(entries.filter((each) => expected.length > 0 || !each.startsWith('unreachable'))).toEqual(expected)
  })
})

test.each<[string, readonly string[], readonly string[]]>([
  ['two addresses in one network: its halves once', ['fd00:234::1/64', 'fd00:234::9/64'], ['fd00:234:0:0:8000::/65', 'fd00:234::/65']],
  ['a network of two: each by itself', ['10.0.0.1/31'], ['10.0.0.0/32', '10.0.0.1/32']],
  ['an odd length', ['10.77.77.77/13'], ['10.72.0.0/14', '10.76.0.0/14']],
  ['one address alone: nothing', ['10.0.0.1/32'], []],
])('unreachable but for the members with %s', (_name, own, expected) => {
  const networks = [...table(unreachableOf(own.map((text) => sure(parseInterfaceAddress(text))))).keys()]
  expect(networks.map((place) => place.replace('unreachable ', '')).toSorted()).toEqual(expected)
})
