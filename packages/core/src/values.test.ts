import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ip } from './samples.ts'
import {
  addressRange,
  contains,
  family,
  hostless,
  hostOf,
  incarnationAbove,
  parseDeviceName,
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  parsePort,
  parseVni,
  parseWallTime,
  sure,
  type Result,
} from './values.ts'

const PEER = `12D3KooW${'a'.repeat(44)}`

const parsers: Readonly<Record<string, (text: string) => Result<string | number>>> = {
  'a peer id': parsePeerId,
  'a mesh id': parseMeshId,
  'a member name': parseMemberName,
  'a VXLAN id': parseVni,
  'a port': parsePort,
  'a MAC address': parseMac,
  'an IP address': parseIp,
  'an interface address': parseInterfaceAddress,
  'a device name': parseDeviceName,
}

describe.each<[string, readonly (readonly [text: string, canonical: string | number])[], readonly string[]]>([
  [
    'a peer id',
    [[PEER, PEER]],
    ['', '12D3KooW', `12D3KooW${'a'.repeat(43)}`, `12D3KooW${'0'.repeat(44)}`, `${PEER}a`, `${PEER}\n`, ` ${PEER}`],
  ],
  [
    'a member name',
    [
      ['a', 'a'],
      ['host-00', 'host-00'],
      ['x'.repeat(63), 'x'.repeat(63)],
    ],
    ['', 'A', '-a', 'a-', 'a.b', 'a b', 'a\n', 'ä', 'x'.repeat(64), '\u001B[31m'],
  ],
  [
    'a VXLAN id',
    [
      ['1', 1],
      ['16777215', 16_777_215],
    ],
    ['', '0', '16777216', '-1', '1.5', '0x10', '016', '1e3', ' 1', '1\n', '99999999999999999999'],
  ],
  [
    'a port',
    [
      ['1', 1],
      ['65535', 65_535],
    ],
    ['0', '65536', '', '080', '+80'],
  ],
  [
    'a MAC address',
    [
      ['02:00:00:00:00:ff', '02:00:00:00:00:ff'],
      ['AA:BB:CC:DD:EE:FF', 'aa:bb:cc:dd:ee:ff'],
    ],
    ['', '02-00-00-00-00-ff', '02:00:00:00:00', '02:00:00:00:00:ff:00', '0g:00:00:00:00:00'],
  ],
  [
    'an IP address',
    [
      ['10.0.0.1', '10.0.0.1'],
      ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['::', '::'],
      ['fe80::1', 'fe80::1'],
    ],
    [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '0x0a.0.0.1',
      '167772161',
      '10.0.0.1/24',
      'fe80::1%eth0',
      '::ffff:10.0.0.1',
      '::1::',
      'localhost',
      ' 10.0.0.1',
      '10.0.0.1\n',
    ],
  ],
  [
    'an interface address',
    [
      ['192.168.234.1/23', '192.168.234.1/23'],
      ['2001:db8:0::1/64', '2001:db8::1/64'],
      ['10.0.0.1/32', '10.0.0.1/32'],
    ],
    ['', '10.0.0.1', '10.0.0.1/', '10.0.0.1/0', '10.0.0.1/33', '10.0.0.1/08', '::1/129', '10.0.0.1/24/24', '/24', '10.0.0.1/-1'],
  ],
  [
    'a device name',
    [
      ['provider0', 'provider0'],
      ['vx.16-a_b', 'vx.16-a_b'],
      ['x'.repeat(15), 'x'.repeat(15)],
    ],
    ['', 'x'.repeat(16), '-x', '.', '..', 'a/b', 'a b', 'a:b', 'a\n', 'ä'],
  ],
])('%s', (what, good, bad) => {
  const parse = parsers[what]!
  test.each(good)('%j is one, written %j', (text, canonical) => expect(parse(text)).toEqual({ ok: true, value: canonical }))
  test.each(bad)('%j is not', (text) => expect(parse(text).ok).toBe(false))
})

test.each(Object.entries(parsers))('whatever text %s is read from, it is refused or read again as it is', (_what, parse) => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.ipV4(),
    fc.ipV6(),
    fc.domain(),
    fc.integer().map(String),
    fc.constant(PEER),
  )
  fc.assert(
    fc.property(text, (each) => {
      const once = parse(each)
      expect(once.ok ? parse(String(once.value)) : once).toEqual(once)
    }),
  )
})

test.each([
  ['one', 1, true],
  ['the ceiling', Number.MAX_SAFE_INTEGER - 1, true],
  ['above the ceiling, where nothing could be raised any more', Number.MAX_SAFE_INTEGER, false],
  ['zero', 0, false],
  ['a fraction', 1.5, false],
  ['what no number can hold', 2n ** 64n, false],
])('as an incarnation, %s', (_what, value, ok) => {
  expect(parseIncarnation(value).ok).toBe(ok)
})

test('an incarnation above another is one more, and at the ceiling there is no more', () => {
  const ceiling = Number.MAX_SAFE_INTEGER - 1
  expect(incarnationAbove(sure(parseIncarnation(9)))).toBe(10)
  expect(incarnationAbove(sure(parseIncarnation(ceiling)))).toBe(ceiling)
})

test.each([
  [0n, true],
  [2n ** 53n, false],
  [-1, false],
  [1.5, false],
])('%s as a wall time', (value, ok) => {
  expect(parseWallTime(value).ok).toBe(ok)
})

test.each([
  ['10.0.0.1', 'usable'],
  ['203.0.113.9', 'usable'],
  ['2001:db8::1', 'usable'],
  ['fd00::1', 'usable'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['::', 'unspecified'],
  ['127.0.0.9', 'loopback'],
  ['::1', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['fe80::1', 'link-local'],
  ['224.0.0.1', 'multicast'],
  ['ff02::1', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['240.0.0.1', 'reserved'],
  ['::ffff:a00:1', 'reserved'],
] as const)('%s is %s', (text, range) => {
  expect(addressRange(ip(text))).toBe(range)
})

test.each([
  ['192.168.234.1/23', '192.168.235.255', true],
  ['192.168.234.1/23', '192.168.236.0', false],
  ['10.0.0.1/32', '10.0.0.1', true],
  ['2001:db8::1/64', '2001:db8::ffff', true],
  ['2001:db8::1/64', '10.0.0.1', false],
])('%s contains %s: %s', (network, address, inside) => {
  expect(contains(sure(parseInterfaceAddress(network)), ip(address))).toBe(inside)
})

test('an interface address has a host, and a host a family', () => {
  expect(hostOf(sure(parseInterfaceAddress('2001:db8::1/64')))).toBe('2001:db8::1')
  expect([family(ip('10.0.0.1')), family(ip('::1'))]).toEqual(['ipv4', 'ipv6'])
})

test.each([
  ['192.168.234.0/23', 'network'],
  ['192.168.235.0/23', undefined],
  ['192.168.235.255/23', 'broadcast'],
  ['192.168.234.255/23', undefined],
  ['192.0.2.4/30', 'network'],
  ['192.0.2.7/30', 'broadcast'],
  ['192.0.2.4/31', undefined],
  ['192.0.2.5/31', undefined],
  ['192.0.2.4/32', undefined],
  ['2001:db8::/64', undefined],
])('%s is hostless: %s', (text, what) => {
  expect(hostless(sure(parseInterfaceAddress(text)))).toBe(what)
})
