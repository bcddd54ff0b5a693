import { table, type Device, type DeviceName, type Entry, type IpAddress, type MacAddress, type Port, type Vni } from '@vxmesh/core'
import { expect, test } from 'vitest'
import type { TunnelRow } from './answers.ts'
import type { Picture } from './reconciler.ts'
import { conflictsIn, tunnelRow, type Shown } from './tunnel.ts'

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

function pictureOf(wanted: readonly Entry[], present: readonly Entry[] | undefined, parts: Partial<Picture> = {}): Picture {
  const reading = present && { device: DEVICE, entries: table(present), marked: new Set<string>() }
  const desired = { table: table(wanted), evicted: new Set<string>(), verdicts: new Map(), conflicts: new Map() }
  return {
    reading,
    decision: { desired, hold: undefined, enforces: '' },
    homeless: false,
    foreign: 0,
    obstacles: [],
    differs: [],
    rejections: [],
    repairs: 0,
    ...parts,
  }
}

function rowOf(...picture: Parameters<typeof pictureOf>): TunnelRow {
  return tunnelRow({ tunnel: TUNNEL, picture: pictureOf(...picture) })
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
    local: null,
    addresses: [],
    origin: null,
    entries: { wanted: 1, present: 0, foreign: 0, kinds: { flood: counts(1, 0), fdb: counts(0, 0), neighbour: counts(0, 0) } },
    repairs: 0,
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
