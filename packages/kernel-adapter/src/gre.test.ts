import type { DeviceName, Entry, GreKey, InterfaceAddress, IpAddress, Operation, TunnelSpec } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { parseRoutes } from './gre.ts'
import { decide, deviceOf, type Present } from './link.ts'
import { parseAddresses, parseLink, parseNeighbours } from './read.ts'
import { describe as inWords, stepCommand, words } from './render.ts'

const DEVICE = 'provider0' as DeviceName
const HERE = '192.168.226.4' as IpAddress
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
  { name: 'eth0', mtu: 1500, addresses: [HERE, '192.168.226.14' as IpAddress] },
  { name: 'eth1', mtu: 9000, addresses: ['10.0.0.4' as IpAddress] },
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
      'over IPv6',
      { local: 'fd00::4' as IpAddress },
      undefined,
      'fd00::4 is an IPv6 address, and the kernel has multipoint GRE over IPv4 only',
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

test('of the routes of all our tunnels those of this one are read', () => {
  const routes = [
    { dst: '192.168.234.2', dev: 'provider0', scope: 'link', flags: [] },
    { dst: '192.168.234.3', dev: 'provider1', scope: 'link', flags: [] },
    { dst: '192.168.0.0/16', dev: 'provider0', scope: 'link', flags: [] },
    { dst: '192.168.234.4', gateway: '192.168.234.2', dev: 'provider0', flags: [] },
    { type: 'unreachable', dst: '192.168.234.0/24', metric: 4_278_198_272, flags: [] },
    { type: 'unreachable', dst: '10.0.0.0/9', metric: 4_278_198_272, flags: [] },
  ]
  const read = parseRoutes(JSON.stringify(routes), DEVICE, [NETWORK])
  if (!read.ok) throw new Error(read.reason)
  expect([...read.value.keys()]).toEqual(['route 192.168.234.2', 'unreachable 192.168.234.0/24'])
})
