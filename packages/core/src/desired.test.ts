import { describe, expect, test } from 'vitest'
import { desired } from './desired.ts'
import { claim, ip, letter, peer, signed, sure, viewOf } from './samples.ts'
import type { Standing } from './member.ts'
import type { TunnelClaim } from './record.ts'
import { instant, parseInterfaceAddress, parseMac, parsePort, parseVni, parseWallTime, type PeerId } from './values.ts'

/** What member a programs for b. */
function verdictOnB(standing: Standing, theirs: Partial<TunnelClaim> | undefined, ours: Partial<TunnelClaim> = {}): string {
  const own = claim('a', ours)
  const view = viewOf([signed('a', 1, { tunnels: [own] }), signed('b', 1, { tunnels: theirs === undefined ? [] : [claim('b', theirs)] })])
  const standings = new Map<PeerId, Standing>([
    [peer('a'), { state: 'alive' }],
    [peer('b'), standing],
  ])
  const verdict = desired(view, standings, peer('a'), own).verdicts.get(peer('b'))
  if (verdict?.kind === 'wanted') return verdict.entries[0]!.underlay
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

describe('a member on another port', () => {
  const there = { port: sure(parsePort(8472)) }
  const slotsOf = (theirs: Partial<TunnelClaim>) => {
    const view = viewOf([signed('a', 1), signed('b', 1, { tunnels: [claim('b', theirs)] })])
    const standings = new Map<PeerId, Standing>(['a', 'b'].map((of) => [peer(of), alive]))
    return [...desired(view, standings, peer('a'), claim('a')).table.keys()]
  }

  test('is sent to on that port, and so is what is for its device, which would be learned with ours', () => {
    expect(slotsOf(there)).toEqual(['flood 10.0.0.98 port 8472', 'fdb 02:00:00:00:00:62 10.0.0.98 port 8472'])
  })

  test.each(['00:00:00:00:00:00', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff'])('that says its device is %s gets no entry for that', (mac) => {
    expect(slotsOf({ ...there, mac: sure(parseMac(mac)) })).toEqual(['flood 10.0.0.98 port 8472'])
  })
})

test('the table holds one entry for each member that is wanted, and none for ourselves', () => {
  const members = ['a', 'b', 'c', 'd']
  const view = viewOf(members.map((of) => signed(of, 1)))
  const standings = new Map<PeerId, Standing>(members.map((of) => [peer(of), of === 'c' ? { state: 'left' } : alive]))
  const { table, verdicts } = desired(view, standings, peer('a'), claim('a'))
  expect([...table.keys()].toSorted()).toEqual(['flood 10.0.0.100', 'flood 10.0.0.98'])
  expect([...verdicts.keys()].map(letter).toSorted()).toEqual(['b', 'c', 'd'])
})
