import {
  desired,
  EMPTY_VIEW,
  instant,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  sure,
  wallTime,
  type Belief,
  type Device,
  type DeviceName,
  type MeshId,
  type MemberName,
  type MemberRecord,
  type PeerId,
  type Standing,
  type TunnelClaim,
} from '@vxmesh/core'
import type { State } from '@vxmesh/gossip'
import { expect, test } from 'vitest'
import { statusAnswer, type StatusReport } from './answers.ts'
import { exportFiles } from './export.ts'
import { renderStatus } from './report.ts'
import { statusReport } from './status.ts'

const SELF = 'A' as PeerId
const MAPS = EMPTY_VIEW as unknown as { concat(entries: Iterable<readonly [PeerId, unknown]>): never }

/** `16 10.0.0.2`, `gre 10.0.0.2`: a tunnel and an underlay address, by which the rest follows. */
function claim(text: string): TunnelClaim {
  const [id = '', underlay = ''] = text.split(' ')
  const last = underlay.at(-1) ?? ''
  const gre = id === 'gre'
  return {
    ...(gre ? { mode: 'gre', id: undefined, port: undefined } : { mode: 'vxlan', id: sure(parseVni(id)), port: sure(parsePort(4789)) }),
    underlay: sure(parseIp(underlay)),
    mac: sure(parseMac(gre ? '00:00:00:00:00:00' : `02:00:00:00:${id}:0${last}`)),
    overlay: [sure(parseInterfaceAddress(`192.168.${gre ? '99' : id}.${last}/24`))],
    claimedAt: 1000 as TunnelClaim['claimedAt'],
    mtu: 1450,
    mtuLimit: 1450,
  }
}

/** The report of `a`, whose devices hold all entries that they should but those of `missing`. */
function reportOf(
  members: Readonly<Record<string, readonly string[]>>,
  { missing = '', standing = {} }: { readonly missing?: string; readonly standing?: Readonly<Record<string, Standing>> } = {},
): StatusReport {
  const all = Object.entries(members).map(([name, tunnels]) => {
    const peer = name.toUpperCase() as PeerId
    const record = { peer, name: name as MemberName, incarnation: 5, leaving: false, tunnels: tunnels.map(claim) }
    return [peer, record as unknown as MemberRecord] as const
  })
  const admission = { invite: 'I', issuer: { key: 'M', generation: 0 }, bounds: { members: 0, addresses: [] } }
  const view = EMPTY_VIEW.concat(
    all.map(([peer, record]) => [peer, { signed: { record, admission }, accusations: EMPTY_VIEW, evicted: false } as unknown as Belief]),
  )
  const standings = MAPS.concat(all.map(([peer, { name }]) => [peer, standing[name] ?? { state: 'alive' }]))
  const [nothing, watches] = [MAPS.concat([]), MAPS.concat(all.map(([peer]) => [peer, { heard: true, spoke: instant(1000) }]))]
  const rest = { lineage: [], content: { name: 'a' }, incarnation: 7, comparisons: { begun: 0, bytes: 0 }, members: all.length }
  const state = { view, standings, watches, seeds: nothing, dropped: nothing, ...rest } as unknown as State
  const tunnels = (all[0]?.[1].tunnels ?? []).map((own, index) => {
    const device = `provider${String(index)}` as DeviceName
    const wanted = desired(view, state.standings, SELF, own)
    const entries = new Map([...wanted.table].filter(([place]) => missing === '' || !place.includes(missing)))
    const reading = {
      device: { ...own, name: device, local: own.underlay, addresses: own.overlay, up: true, master: undefined, origin: 'made' } as Device,
      entries,
      marked: new Set<string>(),
    }
    const found = { reading, homeless: false, foreign: 0, obstacles: [], differs: [], rejections: [], repairs: 0, writes: 0, room: 1450 }
    return {
      tunnel: { device, mode: own.mode, id: own.id },
      picture: { ...found, decision: { desired: wanted, hold: undefined, mtus: [], enforces: '' } },
    }
  })
  return statusReport({
    mesh: 'M' as MeshId,
    self: SELF,
    state,
    tunnels,
    discovery: { interfaces: [], candidates: 0, dials: 0 },
    lag: null,
    now: 2000,
    wall: wallTime(0),
  })
}

const MIXED = {
  a: ['16 10.0.0.1', '17 fd00::1', 'gre 10.0.0.1'],
  b: ['17 fd00::2', '16 10.0.0.2'],
  c: ['17 fd00::3'],
  d: ['18 10.0.0.4'],
}

test('each tunnel has its own members, and a member a row for each of its tunnels', () => {
  const report = reportOf(MIXED, { missing: '02:00:00:00:17:02' })
  expect(statusAnswer.parse(report)).toEqual(report)
  expect(renderStatus(report).split('\n')).toEqual([
    'NAME  TUNNEL     OVERLAY       UNDERLAY  STATE  SEEN  ENTRY    NOTE',
    'a     provider0  192.168.16.1  10.0.0.1  self   -     -',
    'a     provider1  192.168.17.1  fd00::1   self   -     -',
    'a     provider2  192.168.99.1  10.0.0.1  self   -     -',
    'b     provider0  192.168.16.2  10.0.0.2  alive  1s    present',
    'b     provider1  192.168.17.2  fd00::2   alive  1s    missing',
    'c     provider1  192.168.17.3  fd00::3   alive  1s    present',
    'd     -          -             -         alive  1s    -        carries none of these tunnels',
    '',
    'provider0 (vxlan id 16, port 4789, mtu 1450): 3 of 3 entries present',
    'provider1 (vxlan id 17, port 4789, mtu 1450): 5 of 6 entries present (fdb 1 of 2)',
    'provider2 (gre, mtu 1450): 2 of 2 entries present',
  ])
})

test('what a member is as a whole is of the first tunnel that it carries, and its entry of all', () => {
  const [, b, c] = reportOf(MIXED, { missing: '02:00:00:00:17:02' }).members
  expect(b).toMatchObject({ underlay: '10.0.0.2', overlay: ['192.168.16.2/24'], mac: '02:00:00:00:16:02', entry: 'missing', note: null })
  expect(b?.tunnels).toMatchObject([
    { device: 'provider0', underlay: '10.0.0.2', entry: 'present' },
    { device: 'provider1', underlay: 'fd00::2', entry: 'missing' },
  ])
  expect(c).toMatchObject({ underlay: 'fd00::3', overlay: ['192.168.17.3/24'], entry: 'present' })
})

test('a pair that can never talk is named, in its tunnel alone, and by everybody alike', () => {
  const a = reportOf({ a: ['16 10.0.0.1', '17 fd00::1'], b: ['16 fd00::2', '17 fd00::2'], c: ['16 10.0.0.3'] })
  const sentence = 'provider0: a, c on IPv4 and b on IPv6 can never talk to each other: give all of them underlay addresses of one kind'
  expect(a.health).toEqual([sentence])
  expect(a.members[1]).toMatchObject({
    entry: 'present',
    note: 'provider0: not programmed: fd00::2 cannot be reached from 10.0.0.1: another address family',
    tunnels: [{ note: 'not programmed: fd00::2 cannot be reached from 10.0.0.1: another address family' }, { note: null }],
  })
  const b = reportOf({ a: ['16 fd00::2'], b: ['16 10.0.0.3'] })
  expect(b.health).toEqual([
    'provider0: b on IPv4 and a on IPv6 can never talk to each other: give all of them underlay addresses of one kind',
  ])
  expect(b.members[1]?.note).toBe('not programmed: 10.0.0.3 cannot be reached from fd00::2: another address family')
  const gone = reportOf({ a: ['16 10.0.0.1'], b: ['16 fd00::2'] }, { standing: { b: { state: 'left' } } })
  expect(gone.health).toEqual([])
})

test('what is wrong with a member is said in each of its rows, and what is wrong in a tunnel in that one', () => {
  const standing: Record<string, Standing> = { b: { state: 'suspect', accusers: 1 } }
  const { members, health } = reportOf({ a: ['16 10.0.0.1', '17 10.0.0.1'], b: ['16 10.0.0.2', '17 224.0.0.5'] }, { standing })
  const accused = 'accused of silence by 1 of the 1 it takes'
  const refused = 'not programmed: 224.0.0.5 is no destination: its range is multicast'
  expect(members[1]?.tunnels?.map(({ note }) => note)).toEqual([accused, `${accused}; ${refused}`])
  expect(members[1]?.note).toBe(`${accused}; provider1: ${refused}`)
  expect(health).toEqual(['this host cannot talk to b inside provider1: see NOTE'])
})

test('members to which nothing can be sent are named, six of them', () => {
  const strangers = Object.fromEntries(Array.from('cbdefghi', (name, index) => [name, [`16 224.0.0.${String(index + 2)}`]]))
  expect(reportOf({ a: ['16 10.0.0.1'], ...strangers }).health).toEqual([
    'this host cannot talk to b, c, d, e, f, g and 2 more inside the tunnel: see NOTE',
  ])
})

test('an export has the files of every tunnel, each with its own members', () => {
  const report = reportOf({ a: ['16 10.0.0.1', '17 fd00::1'], b: ['16 10.0.0.2', '17 fd00::2'], c: ['17 fd00::3'] })
  const files = exportFiles(report)
  const scripts = files.filter(({ name }) => name.endsWith('.sh')).map(({ host, name }) => `${host}/${name}`)
  expect(scripts).toEqual(['a/provider0.sh', 'b/provider0.sh', 'a/provider1.sh', 'b/provider1.sh', 'c/provider1.sh'])
  const own = files.find(({ host, name }) => host === 'a' && name === 'provider1.sh')
  expect(own?.content).toContain('type vxlan id 17 local fd00::1 dstport 4789')
  expect(own?.content).toContain('bridge fdb append to 00:00:00:00:00:00 dst fd00::3 dev provider1   # c')
  expect(own?.content).not.toContain('10.0.0.2')
})
