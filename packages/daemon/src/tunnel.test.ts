import {
  table,
  type Device,
  type DeviceName,
  type Entry,
  type IpAddress,
  type MacAddress,
  type MemberMtu,
  type MemberName,
  type Mtu,
  type Port,
  type Vni,
} from '@vxmesh/core'
import { expect, test } from 'vitest'
import type { TunnelRow } from './answers.ts'
import type { Picture } from './reconciler.ts'
import { conflictsIn, lossesIn, tunnelRow, type Shown } from './tunnel.ts'

const DEVICE = {
  name: 'provider0',
  local: '10.0.0.1',
  port: 8472 as Port,
  mtu: 1450,
  addresses: ['192.168.234.1/23'],
  origin: 'adopted',
} as unknown as Device
const MAC = '02:00:00:00:00:02' as MacAddress
const [FLOOD, FDB, NEIGHBOUR] = [
  { kind: 'flood', underlay: '10.0.0.2' as IpAddress },
  { kind: 'fdb', mac: MAC, underlay: '10.0.0.2' as IpAddress },
  { kind: 'neighbour', overlay: '192.168.234.2' as IpAddress, mac: MAC },
] as const
const counts = (wanted: number, present: number) => ({ wanted, present })

const TUNNEL: Shown['tunnel'] = { device: 'provider0' as DeviceName, mode: 'vxlan', id: 16 as Vni }

const SELF = 'bastion' as MemberName

function pictureOf(
  wanted: readonly Entry[],
  present: readonly Entry[] | undefined,
  parts: Partial<Picture> = {},
  { device = {}, mtus = [] }: { readonly device?: Partial<Device>; readonly mtus?: readonly MemberMtu[] } = {},
): Picture {
  const reading = present && { device: { ...DEVICE, ...device }, entries: table(present), marked: new Set<string>() }
  const desired = { table: table(wanted), standing: new Map(), evicted: new Set<string>(), verdicts: new Map(), conflicts: new Map() }
  return {
    reading,
    decision: { desired, hold: undefined, mtus, enforces: '' },
    homeless: false,
    foreign: 0,
    obstacles: [],
    differs: [],
    rejections: [],
    repairs: 0,
    writes: 0,
    room: 1450,
    ...parts,
  }
}

function rowOf(...picture: Parameters<typeof pictureOf>): TunnelRow {
  return tunnelRow({ tunnel: TUNNEL, picture: pictureOf(...picture) }, SELF)
}

test.each<[string, readonly Entry[], TunnelRow['entries']['kinds']]>([
  ['are all there', [FLOOD, FDB, NEIGHBOUR], { flood: counts(1, 1), fdb: counts(1, 1), neighbour: counts(1, 1) }],
  ['lack one', [FLOOD, NEIGHBOUR], { flood: counts(1, 1), fdb: counts(1, 0), neighbour: counts(1, 1) }],
  [
    'lead elsewhere',
    [FLOOD, { ...FDB, underlay: '10.0.0.3' as IpAddress }, { ...NEIGHBOUR, mac: '02:00:00:00:00:03' as MacAddress }],
    { flood: counts(1, 1), fdb: counts(1, 0), neighbour: counts(1, 0) },
  ],
])('entries that %s are counted by kind', (_name, present, kinds) => {
  const { entries } = rowOf([FLOOD, FDB, NEIGHBOUR], present)
  expect(entries.kinds).toEqual(kinds)
  expect(entries.present).toBe(Object.values(kinds ?? {}).reduce((sum, each) => sum + each.present, 0))
})

test('a tunnel without its device is what is known of it', () => {
  expect(rowOf([FLOOD], undefined)).toEqual({
    device: 'provider0',
    mode: 'vxlan',
    id: 16,
    port: null,
    mtu: null,
    mtu_room: 1450,
    mtu_smallest: null,
    master: null,
    local: null,
    addresses: [],
    origin: null,
    entries: { wanted: 1, present: 0, foreign: 0, kinds: { flood: counts(1, 0), fdb: counts(0, 0), neighbour: counts(0, 0) } },
    guard: null,
    repairs: 0,
    writes: 0,
  })
})

test('a tunnel on a device of somebody else counts what is foreign, and repairs', () => {
  expect(rowOf([FLOOD], [FLOOD], { foreign: 3, repairs: 2 })).toMatchObject({
    origin: 'adopted',
    port: 8472,
    entries: { wanted: 1, present: 1, foreign: 3 },
    repairs: 2,
  })
})

const mtus = (...limits: readonly number[]) =>
  limits.map((limit, index) => ({ name: `host-0${String(index)}`, limit, mtu: limit }) as MemberMtu)

test.each<[string, readonly MemberMtu[], Partial<Device>, Mtu, TunnelRow['mtu_smallest']]>([
  ['ours, alone', [], {}, undefined, { mtu: 1450, name: 'bastion' }],
  ['ours, where nobody has less', mtus(1450, 8950), {}, undefined, { mtu: 1450, name: 'bastion' }],
  ['another', mtus(1380, 1450), {}, undefined, { mtu: 1380, name: 'host-00' }],
  ['another, which we follow', mtus(1380, 1450), { mtu: 1380 }, 'mesh', { mtu: 1380, name: 'host-00' }],
  ['what our underlay has room for', mtus(1460), { mtu: 1500 }, undefined, { mtu: 1450, name: 'bastion' }],
])('the smallest in the mesh is %s', (_name, others, parts, mtu, smallest) => {
  const picture = pictureOf([], [], {}, { device: parts, mtus: others })
  expect(tunnelRow({ tunnel: { ...TUNNEL, mtu }, picture }, SELF).mtu_smallest).toEqual(smallest)
})

test.each<[string, readonly MemberMtu[], Partial<Device>, Mtu, readonly string[]]>([
  ['nowhere, when all are alike', mtus(1450, 1450), {}, undefined, []],
  ['nowhere, when others have more', mtus(8950), {}, undefined, []],
  [
    'at members with less',
    mtus(1380, 1400, 1450),
    {},
    undefined,
    [
      'provider0 has mtu 1450, host-00 only 1380, host-01 only 1400: longer packets to there are lost; "--mtu mesh" on every host makes them alike',
    ],
  ],
  ['until we have followed', mtus(1380), {}, 'mesh', ['provider0 has mtu 1450, host-00 only 1380: longer packets to there are lost']],
  [
    'on our own underlay',
    mtus(1500),
    { mtu: 1500 },
    undefined,
    ['provider0 has mtu 1500 and its underlay room for 1450: longer packets are lost or cut: ip link set dev provider0 mtu 1450'],
  ],
])('packets that are too long are lost %s', (_name, others, parts, mtu, losses) => {
  expect(lossesIn({ tunnel: { ...TUNNEL, mtu }, picture: pictureOf([], [], {}, { device: parts, mtus: others }) })).toEqual(losses)
})

test('what somebody else has where an entry is wanted is a conflict, told with the command that ends it', () => {
  const fdb: Entry = { ...FDB, underlay: '10.9.9.9' as IpAddress, port: 4789 as Port }
  const neighbour: Entry = { ...NEIGHBOUR, mac: '02:00:00:00:00:99' as MacAddress }
  const obstacles = [
    { wanted: FDB, found: fdb },
    { wanted: NEIGHBOUR, found: neighbour },
  ]
  expect(conflictsIn({ tunnel: TUNNEL, picture: pictureOf([FDB, NEIGHBOUR], [fdb, neighbour], { obstacles }) })).toEqual([
    'conflict: "bridge fdb replace 02:00:00:00:00:02 dst 10.0.0.2 dev provider0" is wanted, but somebody else has dst 10.9.9.9 port 4789 there, which is left alone; to make room: bridge fdb delete 02:00:00:00:00:02 dst 10.9.9.9 port 4789 dev provider0',
    'conflict: "ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:02 dev provider0 nud permanent protocol 118" is wanted, but somebody else has lladdr 02:00:00:00:00:99 there, which is left alone; to make room: ip neighbour delete 192.168.234.2 dev provider0',
  ])
})
