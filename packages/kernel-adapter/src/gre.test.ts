import type { DeviceName, Entry, GreKey, InterfaceAddress, IpAddress, Operation, TunnelSpec } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { parseRoutes, parseUnreachable } from './gre.ts'
import { decide, deviceOf, type Present } from './link.ts'
import { parseAddresses, parseLink, parseNeighbours } from './read.ts'
import { describe as inWords, stepCommand, words } from './render.ts'

const DEVICE = 'provider0' as DeviceName
const HERE = '192.168.226.4' as IpAddress
const HERE_6 = 'fd00:226::4' as IpAddress
const OVERLAY = '192.168.234.1/23' as InterfaceAddress
const SPEC: TunnelSpec = {
  device: DEVICE,
  mode: 'gre',
  id: 1234 as GreKey,
  local: HERE,
  port: undefined,
  addresses: [OVERLAY],
  alias: 'vxmesh:M:gre:1234',
}
const HOST = [
  { name: 'eth0', mtu: 1500, addresses: [HERE, '192.168.226.14' as IpAddress, HERE_6], wire: undefined },
  { name: 'eth1', mtu: 9000, addresses: ['10.0.0.4' as IpAddress], wire: undefined },
]

/** As iproute2 6.1 shows the device of the recipe, and what differs. */
function shown({
  data = {},
  kind = 'gre',
  ...parts
}: { readonly data?: object; readonly kind?: string; readonly ifalias?: string } = {}): Present {
  const info_data = { remote: 'any', local: HERE, ttl: 0, pmtudisc: true, ikey: '0.0.4.210', okey: '0.0.4.210', ...data }
  const text = JSON.stringify([
    {
      ifindex: 6,
      link: null,
      ifname: 'provider0',
      flags: ['NOARP', 'UP', 'LOWER_UP'],
      mtu: 1472,
      link_type: 'gre',
      address: HERE,
      linkinfo: { info_kind: kind, info_data },
      addr_info: [{ family: 'inet', local: '192.168.234.1', prefixlen: 23 }],
      ...parts,
    },
  ])
  const [link, addresses] = [parseLink(text), parseAddresses(text)]
  if (!link.ok || !addresses.ok) throw new Error('not read')
  return { link: link.value, addresses: addresses.value }
}

function commands(spec: TunnelSpec, present: Present | undefined): readonly string[] | string {
  const steps = decide(spec, present, HOST)
  return steps.ok ? steps.value.map((step) => words(stepCommand(spec, step))) : steps.reason.reason
}

const OURS = { ifalias: 'vxmesh:M:gre:1234' }
const INSTEAD = 'choose another device name, or delete it first (ip link delete dev provider0)'

describe('the device', () => {
  test.each<[string, Partial<TunnelSpec>, Present | undefined, readonly string[] | string]>([
    [
      'is made where there is none',
      {},
      undefined,
      [
        'ip link add name provider0 mtu 1472 type gre local 192.168.226.4 key 1234',
        'ip link set dev provider0 alias vxmesh:M:gre:1234',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip link set dev provider0 up',
      ],
    ],
    [
      'is made 24 bytes below its underlay without a key',
      { id: undefined, local: '10.0.0.4' as IpAddress, addresses: [] },
      undefined,
      [
        'ip link add name provider0 mtu 8976 type gre local 10.0.0.4',
        'ip link set dev provider0 alias vxmesh:M:gre:1234',
        'ip link set dev provider0 up',
      ],
    ],
    ['of the recipe is taken as it is', { local: undefined }, shown(), []],
    [
      'that we made follows the host, and keeps its key',
      { local: '192.168.226.14' as IpAddress },
      shown(OURS),
      ['ip link set dev provider0 type gre local 192.168.226.14 key 1234'],
    ],
    [
      'that somebody else made does not',
      { local: '192.168.226.14' as IpAddress },
      shown(),
      'provider0 sends from 192.168.226.4, not 192.168.226.14; leave --local out, or change the device first (ip link set dev provider0 type gre local 192.168.226.14 key 1234)',
    ],
    ['of another key is refused', { id: 5 as GreKey }, shown(), `provider0 carries GRE key 1234, not GRE key 5; ${INSTEAD}`],
    ['with a key where none is asked for', { id: undefined }, shown(), `provider0 carries GRE key 1234, not GRE without a key; ${INSTEAD}`],
    [
      'without the key that is asked for, even 0',
      { id: 0 as GreKey },
      shown({ data: { ikey: undefined, okey: undefined } }),
      `provider0 carries GRE without a key, not GRE key 0; ${INSTEAD}`,
    ],
    ['with two keys', {}, shown({ data: { okey: '0.0.0.5' } }), `provider0 sends with another GRE key than it takes; ${INSTEAD}`],
    ['to one member', {}, shown({ data: { remote: '192.168.226.5' } }), `provider0 leads to 192.168.226.5 alone; ${INSTEAD}`],
    [
      'in external mode',
      {},
      shown({ data: { external: true } }),
      `provider0 is a gre device in external mode, without a key of its own; ${INSTEAD}`,
    ],
    ['of another kind', {}, shown({ kind: 'gretap' }), `provider0 is a device of kind gretap, not gre; ${INSTEAD}`],
    ['of GRE for VXLAN', { mode: 'vxlan' }, shown(), `provider0 is a device of kind gre, not vxlan; ${INSTEAD}`],
    [
      'over IPv6 is an external one',
      { local: HERE_6 },
      undefined,
      [
        'ip link add name provider0 mtu 1452 type ip6gre external',
        'ip link set dev provider0 alias vxmesh:M:gre:1234',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip link set dev provider0 up',
      ],
    ],
    [
      'over IPv6 is taken as it is, wherever it is to send from',
      { local: HERE_6 },
      shown({ kind: 'ip6gre', data: { external: true } }),
      [],
    ],
    [
      'over IPv6 needs to be told where to send from',
      { local: undefined },
      shown({ kind: 'ip6gre', data: { external: true } }),
      'provider0 has no address of its own, as any of GRE over IPv6: give the one of this host to send from',
    ],
    [
      'over IPv6 that is not external is refused',
      { local: HERE_6 },
      shown({ kind: 'ip6gre' }),
      `provider0 is an ip6gre device that is not external, and so sends to one host or to none; ${INSTEAD}`,
    ],
    [
      'over IPv6 for IPv4 is refused',
      {},
      shown({ kind: 'ip6gre', data: { external: true } }),
      `provider0 is a device of kind ip6gre, not gre; ${INSTEAD}`,
    ],
  ])('%s', (_name, spec, present, expected) => {
    expect(commands({ ...SPEC, ...spec }, present)).toEqual(expected)
  })

  test('is what was read, without a port and a MAC address', () => {
    expect(deviceOf(SPEC, shown(OURS))).toMatchObject({
      ok: true,
      value: {
        id: 1234,
        local: HERE,
        port: undefined,
        mac: '00:00:00:00:00:00',
        mtu: 1472,
        up: true,
        origin: 'made',
        addresses: [OVERLAY],
      },
    })
  })
})

const OVERLAY_2 = '192.168.234.2' as IpAddress
const NETWORK = '192.168.234.0/24' as InterfaceAddress

test.each<[Operation['kind'], Entry, string]>([
  [
    'add',
    { kind: 'neighbour', overlay: OVERLAY_2, underlay: '192.168.226.5' as IpAddress },
    'ip neighbour replace 192.168.234.2 lladdr 192.168.226.5 dev provider0 nud permanent protocol 118',
  ],
  ['add', { kind: 'route', overlay: OVERLAY_2 }, 'ip route add 192.168.234.2 dev provider0 protocol 118'],
  ['remove', { kind: 'route', overlay: OVERLAY_2 }, 'ip route delete 192.168.234.2 dev provider0 protocol 118'],
  [
    'add',
    { kind: 'route', overlay: OVERLAY_2, underlay: 'fd00:226::5' as IpAddress, local: HERE_6, key: 1234 as GreKey },
    'ip route add 192.168.234.2 encap ip6 id 1234 key dst fd00:226::5 src fd00:226::4 dev provider0 protocol 118',
  ],
  [
    'remove',
    { kind: 'route', overlay: OVERLAY_2, underlay: 'fd00:226::5' as IpAddress, local: HERE_6, key: undefined },
    'ip route delete 192.168.234.2 dev provider0 protocol 118',
  ],
  ['add', { kind: 'unreachable', network: NETWORK }, 'ip route add unreachable 192.168.234.0/24 metric 4278198272 protocol 118'],
])('to %s it: %o', (kind, entry, typed) => {
  expect(inWords(kind === 'remove' ? { kind, entry } : { kind: 'add', entry }, DEVICE)).toBe(typed)
})

test('neighbours lead to addresses of the underlay; those that the kernel invents are left out', () => {
  const read = parseNeighbours(
    JSON.stringify([
      { dst: '192.168.234.2', lladdr: '192.168.226.5', state: ['PERMANENT'], protocol: '118' },
      { dst: '192.168.234.3', lladdr: '192.168.226.6', state: ['PERMANENT'] },
      { dst: '192.168.234.9', lladdr: '192.168.226.4', state: ['NOARP'] },
    ]),
    'gre',
  )
  if (!read.ok) throw new Error(read.reason)
  expect([...read.value.entries.keys()]).toEqual(['neighbour 192.168.234.2', 'neighbour 192.168.234.3'])
  expect([...read.value.marked]).toEqual(['neighbour 192.168.234.2'])
})

// Recorded from iproute2 6.1, kept running with `-details` and by itself.
const UNICAST = { type: '1', table: '254', flags: [] }
const ROUTES = [
  { ...UNICAST, dst: '192.168.234.0/23', protocol: '2', scope: '253', prefsrc: '192.168.234.1' },
  { ...UNICAST, dst: '192.168.234.2', protocol: '118', scope: '253' },
  { ...UNICAST, dst: '192.168.234.2', scope: '253', metric: 7 },
  { ...UNICAST, dst: '192.168.234.3', protocol: '3', scope: '253' },
  { dst: '192.168.234.4', scope: '253', flags: [] },
  { ...UNICAST, dst: '192.168.234.5', table: '100', protocol: '3', scope: '253' },
  { ...UNICAST, dst: '192.168.234.6', gateway: '192.168.234.2', protocol: '3', scope: '0' },
  { ...UNICAST, dst: '10.9.9.9', protocol: '3', scope: '253' },
  { ...UNICAST, dst: 'default', protocol: '3', scope: '253' },
  { ...UNICAST, dst: 'fd00:234::2', protocol: '118', scope: '0', metric: 1024, pref: 'medium' },
  { ...UNICAST, dst: 'fe80::/64', protocol: '2', scope: '0', metric: 256, pref: 'medium' },
]

test('of the routes through the device those to single addresses are read, and of others those inside its networks', () => {
  const read = parseRoutes(JSON.stringify(ROUTES), [NETWORK])
  if (!read.ok) throw new Error(read.reason)
  const places = ['192.168.234.3', '192.168.234.4', '192.168.234.2', 'fd00:234::2'].map((overlay) => `route ${overlay}`)
  expect([...read.value.entries.keys()].toSorted()).toEqual(places.toSorted())
  expect([...read.value.marked]).toEqual(['route 192.168.234.2', 'route fd00:234::2'])
})

test('a route over IPv6 says where it leads, which JSON has under the name of what it is for', () => {
  // As iproute2 6.1 prints it.
  const text =
    '[{"type":"1","dst":"192.168.234.2","encap":"ip6","id":1234,"src":"fd00:226::4","dst":"fd00:226::5","hoplimit":0,"tc":0,"key":true,"table":"254","protocol":"118","scope":"253","flags":[]},' +
    '{"type":"1","dst":"fd00:234::2","encap":"ip6","id":0,"src":"::","dst":"fd00:226::6","hoplimit":0,"tc":0,"table":"254","protocol":"118","scope":"0","metric":1024,"flags":[],"pref":"medium"}]'
  const read = parseRoutes(text, [NETWORK])
  if (!read.ok) throw new Error(read.reason)
  expect([...read.value.entries.values()]).toEqual([
    { kind: 'route', overlay: OVERLAY_2, local: HERE_6, underlay: 'fd00:226::5', key: 1234 },
    { kind: 'route', overlay: 'fd00:234::2', local: '::', underlay: 'fd00:226::6', key: undefined },
  ])
})

test('of what is unreachable that for the sake of this tunnel is read, whoever made it so', () => {
  const ours = { type: '7', scope: '0', metric: 4_278_198_272, protocol: '118', flags: [] }
  const shown = [
    { ...ours, dst: '192.168.234.0/24' },
    { ...ours, dst: '192.168.235.0/24', protocol: '3' },
    { ...ours, dst: '10.0.0.0/9', table: '254' },
    { ...ours, dst: '10.0.0.1' },
    { ...ours, dst: 'fd00:234::/65', dev: 'lo', table: '254', pref: 'medium' },
    { ...ours, dst: 'fd00:235::/65', dev: 'lo', metric: 1024, protocol: '3' },
    { type: '7', dst: 'default', dev: 'lo', metric: 4_294_967_295, flags: [] },
  ]
  const read = parseUnreachable(JSON.stringify(shown), [
    NETWORK,
    ...['192.168.235.0/24', '10.0.0.1/32', 'fd00:234::/65', 'fd00:235::/65'],
  ] as InterfaceAddress[])
  if (!read.ok) throw new Error(read.reason)
  const places = ['192.168.234.0/24', '10.0.0.1/32', 'fd00:234::/65'].map((network) => `unreachable ${network}`)
  expect([...read.value.entries.keys()].toSorted()).toEqual([...places, 'unreachable 192.168.235.0/24'].toSorted())
  expect([...read.value.marked]).toEqual(places)
})
