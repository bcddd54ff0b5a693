import { describe, expect, test } from 'vitest'
import {
  EMPTY_VIEW,
  instant,
  table,
  type Belief,
  type Conflict,
  type Desired,
  type Device,
  type DeviceName,
  type Entry,
  type IpAddress,
  type MacAddress,
  type MemberName,
  type MemberRecord,
  type PeerId,
  type Port,
  type Standing,
  type TunnelClaim,
  type Verdict,
  type View,
  type Vni,
} from '@vxmesh/core'
import type { SeedState, State } from '@vxmesh/gossip'
import { statusAnswer, type MemberRow, type StatusReport } from './answers.ts'
import type { Picture } from './reconciler.ts'
import { statusReport, type StatusInput } from './status.ts'

const HELD = { reason: 'isolated', replacements: true, brief: false } as const
const GONE: Verdict = { kind: 'unwanted', why: 'gone' }
const [SELF, M, VNI, NOW] = ['A' as PeerId, 'M' as StatusInput['mesh'], 16 as Vni, 100_000] as const
const BY_INVITE = { admission: { invite: 'I', issuer: { key: 'M' }, bounds: { members: 0 } } } as const
/** What a test says of one member; the rest is as usual. */
type Sketch = {
  readonly name?: string
  readonly standing?: Standing
  readonly claim?: Partial<TunnelClaim> | undefined
  readonly verdict?: Verdict
  readonly leaving?: boolean
  /** When it was last heard; null: never. */
  readonly heard?: number | null
}

type Surrounding = {
  readonly conflicts?: readonly Conflict[]
  readonly present?: readonly string[]
  readonly hold?: Picture['decision']['hold']
  readonly seeds?: readonly [string, SeedState['trouble']][]
  readonly device?: Partial<Device> | null
  readonly picture?: Partial<Picture>
}

function underlay(peer: string): IpAddress {
  return `10.0.0.${String(peer.charCodeAt(0) - 64)}` as IpAddress
}

function flood(address: IpAddress): Entry {
  return { kind: 'flood', underlay: address }
}

function wanted(peer: string): Verdict {
  return { kind: 'wanted', entries: [flood(underlay(peer))] }
}

/** The report of A, of a mesh of these. A itself is added. */
function reportOf(members: Readonly<Record<string, Sketch>>, around: Surrounding = {}): StatusReport {
  const all: [string, Sketch][] = Object.entries({ A: { name: 'bastion' }, ...members })
  const none = EMPTY_VIEW as unknown as Belief['accusations']
  const view: View = EMPTY_VIEW.concat(
    all.map(([peer, sketch]) => [peer as PeerId, { signed: { ...BY_INVITE, record: record(peer, sketch) }, accusations: none } as Belief]),
  )
  const maps = EMPTY_VIEW as unknown as { concat(entries: Iterable<[PeerId, unknown]>): unknown }
  const state = {
    view,
    standings: maps.concat(all.map(([peer, { standing }]) => [peer as PeerId, standing ?? { state: 'alive' }])),
    watches: maps.concat(all.map(([peer, { heard }]) => [peer as PeerId, { heard: heard !== null, spoke: instant(heard ?? NOW - 250) }])),
    content: { name: 'bastion' },
    seeds: maps.concat((around.seeds ?? []).map(([seed, trouble]) => [seed as PeerId, { peer: undefined, trouble }])),
    ...{ incarnation: 7, lineage: [] },
    dropped: maps.concat([['malformed frame' as PeerId, 2]]),
    comparisons: { begun: 3, bytes: 277 },
  } as unknown as State
  const verdicts = new Map(all.filter(([peer]) => peer !== 'A').map(([peer, { verdict }]) => [peer as PeerId, verdict ?? wanted(peer)]))
  const entries = [...verdicts.values()].flatMap((verdict) => (verdict.kind === 'wanted' ? verdict.entries : []))
  const conflicts = new Map((around.conflicts ?? []).map((conflict) => [conflict.loser, conflict]))
  const desired: Desired = { table: table(entries), standing: new Map(), evicted: new Set(), verdicts, conflicts }
  const held = around.present ?? all.map(([peer]) => underlay(peer))
  const reading =
    around.device === null
      ? undefined
      : { device: { ...DEVICE, ...around.device }, entries: table(held.map((each) => flood(each as IpAddress))), marked: new Set<string>() }
  const picture: Picture = {
    reading,
    homeless: false,
    foreign: 0,
    obstacles: [],
    differs: [],
    decision: { desired, hold: around.hold, mtus: [], enforces: '' },
    rejections: [],
    ...{ repairs: 0, writes: 0, room: 1450 },
    ...around.picture,
  }
  return statusReport({ ...{ mesh: M, self: SELF, state, now: NOW, wall: WALL }, tunnels: [{ tunnel: TUNNEL, picture }], ...AROUND })
}

const carriedBy = (peer: string, entry: string) => {
  const inside = { overlay: ['192.168.234.9/23'], mac: '02:00:00:00:00:09', mtu: 1450, mtu_limit: 1450 }
  return { device: 'provider0', underlay: underlay(peer), port: 4789, ...inside, entry, note: null }
}
const AROUND = { discovery: { interfaces: ['eth0'], candidates: 2, dials: 1 }, lag: { p50_ms: 0, p99_ms: 1, max_ms: 2 } }
const WALL = 0 as StatusInput['wall']
const TUNNEL = { device: 'provider0' as DeviceName, mode: 'vxlan', id: VNI } as const
const [NONE, ONE] = [0, 1].map((count) => ({ wanted: count, present: count }))

const DEVICE = {
  name: 'provider0',
  id: VNI,
  local: '10.0.0.1',
  port: 4789,
  mac: '02:00:00:00:00:01',
  mtu: 1450,
  addresses: ['192.168.234.1/23'],
  origin: 'made',
} as unknown as Device

function record(peer: string, { name, claim, leaving = false }: Sketch): MemberRecord {
  const device = { port: 4789, mac: '02:00:00:00:00:09', overlay: ['192.168.234.9/23'], mtu: 1450, mtuLimit: 1450 }
  const tunnel = { mode: 'vxlan', id: VNI, underlay: underlay(peer), ...device, ...claim }
  return { peer, name: (name ?? peer.toLowerCase()) as MemberName, incarnation: 5, leaving, tunnels: [tunnel] } as unknown as MemberRecord
}

function rowOf(sketch: Sketch, around: Surrounding = {}): MemberRow {
  return reportOf({ B: sketch }, around).members.find(({ peer }) => peer === 'B')!
}

test('members to which nothing can be sent are named, six of them', () => {
  const verdict: Verdict = { kind: 'refused', reason: '10.0.0.1 is our own underlay address' }
  const { health } = reportOf(Object.fromEntries(Array.from('CBDEFGHI', (peer) => [peer, { verdict }])))
  expect(health).toEqual(['this host cannot talk to b, c, d, e, f, g and 2 more inside the tunnel: see NOTE'])
})

const ALIKE = { port: 4789, mac: '02:00:00:00:00:09', mtu: 1450, mtu_limit: 1450, incarnation: 5, invite: 'I', issuer: 'M', expires: null }

test('a report has every field that the answer promises, and is nothing else', () => {
  const report = reportOf({ B: { name: 'host-00' } })
  expect(statusAnswer.parse(report)).toEqual(report)
  expect(report).toEqual({
    ...{ version: 1, mesh: 'M', rotation: null },
    self: { peer: 'A', name: 'bastion', incarnation: 7 },
    members: [
      {
        name: 'bastion',
        peer: 'A',
        self: true,
        state: 'alive',
        overlay: ['192.168.234.9/23'],
        underlay: '10.0.0.1',
        ...ALIKE,
        seen_ms: null,
        entry: 'none',
        note: null,
        tunnels: [carriedBy('A', 'none')],
      },
      {
        name: 'host-00',
        peer: 'B',
        self: false,
        state: 'alive',
        overlay: ['192.168.234.9/23'],
        underlay: '10.0.0.2',
        ...ALIKE,
        seen_ms: 250,
        entry: 'present',
        note: null,
        tunnels: [carriedBy('B', 'present')],
      },
    ],
    tunnels: [
      {
        device: 'provider0',
        mode: 'vxlan',
        id: 16,
        port: 4789,
        ...{ mtu: 1450, mtu_room: 1450, mtu_smallest: { mtu: 1450, name: 'bastion' }, master: null },
        local: '10.0.0.1',
        addresses: ['192.168.234.1/23'],
        origin: 'made',
        entries: { wanted: 1, present: 1, foreign: 0, kinds: { flood: ONE, fdb: NONE, neighbour: NONE } },
        ...{ guard: null, repairs: 0, writes: 0 },
      },
    ],
    health: [],
    dropped: { 'malformed frame': 2 },
    ...{ anti_entropy: { comparisons: 3, bytes: 277 }, discovery: AROUND.discovery, event_loop_lag: AROUND.lag },
  })
})

test('members are in the order of their names, the own row first', () => {
  const members = { B: { name: 'z' }, C: { name: 'b' }, D: { name: 'a' }, E: { name: 'b' } }
  expect(reportOf(members).members.map(({ name, peer }) => `${name} ${peer}`)).toEqual(['bastion A', 'a D', 'b C', 'b E', 'z B'])
})

describe('a member', () => {
  test.each<[string, Sketch, Partial<MemberRow>]>([
    ['alive', {}, { state: 'alive', entry: 'present', note: null, seen_ms: 250 }],
    ['never heard by this host', { heard: null }, { seen_ms: null }],
    ['heard in the same millisecond, on a clock that is a little ahead', { heard: NOW + 0.4 }, { seen_ms: 0 }],
    ['accused', { standing: { state: 'suspect', accusers: 1 } }, { state: 'suspect', note: 'accused of silence by 1 of the 1 it takes' }],
    [
      'whose daemon is gone',
      { standing: { state: 'restarting', since: instant(NOW - 4600) } },
      { state: 'restarting', entry: 'present', note: 'its host answers, its daemon does not, for 5s' },
    ],
    ...(['quorum', 'lone accuser', 'restart hold'] as const).map((because): [string, Sketch, Partial<MemberRow>] => [
      `dead by ${because}`,
      { standing: { state: 'dead', because }, verdict: GONE },
      { state: 'dead', entry: 'none', note: `dead by ${because}` },
    ]),
    ['that left', { standing: { state: 'left' }, leaving: true, verdict: GONE }, { state: 'left', entry: 'none', note: null }],
    [
      'that does not carry this tunnel',
      { claim: { id: 17 as Vni }, verdict: { kind: 'unwanted', why: 'elsewhere' } },
      { overlay: [], underlay: null, port: null, mac: null, mtu: null, entry: 'none', note: 'does not carry this tunnel' },
    ],
    [
      'whose address may not be programmed',
      { verdict: { kind: 'refused', reason: '224.0.0.1 is a multicast address' } },
      { entry: 'none', note: 'not programmed: 224.0.0.1 is a multicast address' },
    ],
    ['whose device is a port of a bridge', { claim: { mac: '00:00:00:00:00:00' as MacAddress } }, { mac: null, entry: 'present' }],
    ['on another port', { claim: { port: 8472 as Port } }, { port: 8472, note: 'port 8472 there, 4789 here' }],
    ['with the name of another', { name: 'bastion' }, { note: 'another member has this name' }],
    ['that left, with the name of another', { name: 'bastion', leaving: true, standing: { state: 'left' }, verdict: GONE }, { note: null }],
    [
      'with several things at once',
      { name: 'bastion', claim: { port: 8472 as Port }, standing: { state: 'suspect', accusers: 1 } },
      { note: 'accused of silence by 1 of the 1 it takes; port 8472 there, 4789 here; another member has this name' },
    ],
  ])('%s', (_name, sketch, expected) => {
    expect(rowOf(sketch)).toMatchObject(expected)
  })

  test('whose entry, or one of two, is not in the kernel misses it', () => {
    const two: Verdict = { kind: 'wanted', entries: [flood(underlay('D')), flood(underlay('E'))] }
    const report = reportOf({ B: {}, C: {}, D: { verdict: two } }, { present: ['10.0.0.3', '10.0.0.4'] })
    expect(report.members.map(({ entry }) => entry)).toEqual(['none', 'missing', 'present', 'missing'])
    expect(report.tunnels[0]?.entries).toMatchObject({ wanted: 4, present: 2, foreign: 0 })
  })

  test('whose place is taken in the kernel by an entry of somebody else is told so', () => {
    const neighbour: Entry = { kind: 'neighbour', overlay: '192.168.234.9' as IpAddress, mac: '02:00:00:00:00:09' as MacAddress }
    const obstacles = [{ wanted: neighbour, found: { ...neighbour, mac: '02:00:00:00:00:99' as MacAddress } }]
    const verdict: Verdict = { kind: 'wanted', entries: [neighbour] }
    const note = "conflict: somebody else's neighbour 192.168.234.9 is in the way"
    expect(rowOf({ verdict }, { picture: { obstacles } })).toMatchObject({ entry: 'missing', note })
  })

  test('that lost a claim is told who has it, once', () => {
    const conflict = { loser: 'B' as PeerId, winner: 'C' as PeerId, what: '192.168.234.9' }
    const lost: Verdict = { kind: 'refused', reason: '192.168.234.9 is claimed by another member' }
    const report = reportOf({ B: { verdict: lost }, C: { name: 'host-01' } }, { conflicts: [conflict] })
    expect(report.members.find(({ peer }) => peer === 'B')?.note).toBe('192.168.234.9 belongs to host-01')
    expect(report.health).toEqual(['192.168.234.9 is claimed by host-01 and by b: the claim of b is not programmed'])
  })

  test('that is ourselves, and lost its claim, is told what to do', () => {
    const conflict = { loser: SELF, winner: 'B' as PeerId, what: '192.168.234.9' }
    const report = reportOf({ B: { name: 'host-00' } }, { conflicts: [conflict] })
    expect(report.members[0]?.note).toBe('192.168.234.9 belongs to host-00: change --address here')
  })

  test('that won a claim and is gone from the view is called by its id', () => {
    const conflict = { loser: 'B' as PeerId, winner: 'Z' as PeerId, what: '192.168.234.9' }
    expect(rowOf({}, { conflicts: [conflict] }).note).toBe('192.168.234.9 belongs to Z')
  })
})

describe('health', () => {
  const operation = { kind: 'add', entry: flood(underlay('B')) } as const
  const command = 'bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0'
  test.each<[string, Surrounding, readonly string[]]>([
    ['nothing, when all is well', {}, []],
    ['a device that is not there', { device: null }, ['provider0 does not exist: whoever made it must make it again']],
    ['no brief hold, and no seed that is reached', { hold: { ...HELD, brief: true }, seeds: [['192.0.2.1', undefined]] }, []],
    ['a hold', { hold: HELD }, ['isolated; nothing is taken away meanwhile']],
    [
      'a seed that is not reached',
      { seeds: [['192.0.2.1', 'unanswered']] },
      ['seed 192.0.2.1 is not reached: nothing answers there; it is tried again for ever'],
    ],
    [
      'what the kernel refused',
      { picture: { rejections: [{ operation, command, reason: 'RTNETLINK answers: Cannot allocate memory' }] } },
      [`the kernel refused "${command}": RTNETLINK answers: Cannot allocate memory`],
    ],
  ])('tells of %s', (_name, around, health) => {
    expect(reportOf({ B: {} }, around).health).toEqual(health)
  })
})
