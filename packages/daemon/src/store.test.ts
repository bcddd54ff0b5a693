import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  EMPTY_VIEW,
  NO_EVICTIONS,
  wallTime,
  type Accusation,
  type Belief,
  type DeviceName,
  type Entry,
  type GreKey,
  type Incarnation,
  type InterfaceAddress,
  type IpAddress,
  type PeerId,
  type Port,
  type TunnelName,
  type Vni,
} from '@vxmesh/core'
import type { State } from '@vxmesh/gossip'
import { openStore, type Store } from './store.ts'

const TUNNEL = '16'
const DEVICE = 'provider0' as DeviceName
const ONE = '192.168.234.1/23' as InterfaceAddress
const TWO = '192.168.234.2/23' as InterfaceAddress

let directory = ''
let troubles: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-store-'))
  troubles = []
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function open(): Store {
  return openStore(directory, (what) => troubles.push(what.replaceAll(`${directory}/`, '')))
}

function flood(underlay: string): Entry & { readonly kind: 'flood' } {
  return { kind: 'flood', underlay: underlay as IpAddress }
}

describe('the incarnation', () => {
  test('is on the disk when it has been set', () => {
    open().setIncarnation(5000 as Incarnation)
    expect(JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'))).toMatchObject({ version: 1, incarnation: 5000 })
  })

  test.each([
    ['what was written down', 5000, 1000, 5000],
    ['the wall clock where that is ahead', 5000, 9000, 9000],
    ['one, with a clock that stands at nothing', undefined, 0, 1],
  ])('begins at %s', (_name, written, now, highest) => {
    if (written !== undefined) open().setIncarnation(written as Incarnation)
    expect(open().highestIncarnation(wallTime(now))).toBe(highest)
  })
})

describe('a claim', () => {
  test('dates from when it was first made, over restarts', () => {
    expect(open().claimedAt(TUNNEL, [ONE], wallTime(1000))).toBe(1000)
    expect(open().claimedAt(TUNNEL, [ONE], wallTime(2000))).toBe(1000)
  })

  test.each([
    ['another address', [ONE], [TWO]],
    ['one more', [ONE], [ONE, TWO]],
    ['one less', [ONE, TWO], [ONE]],
    ['none', [ONE], []],
  ])('is new with %s', (_name, before, after) => {
    const store = open()
    store.claimedAt(TUNNEL, before, wallTime(1000))
    expect(store.claimedAt(TUNNEL, after, wallTime(2000))).toBe(2000)
    expect(open().claimedAt(TUNNEL, after, wallTime(3000))).toBe(2000)
  })

  test('is the same in whatever order the kernel shows the addresses', () => {
    const store = open()
    store.claimedAt(TUNNEL, [ONE, TWO], wallTime(1000))
    expect(store.claimedAt(TUNNEL, [TWO, ONE], wallTime(2000))).toBe(1000)
  })

  test('on one tunnel has nothing to do with another', () => {
    const store = open()
    store.claimedAt(TUNNEL, [ONE], wallTime(1000))
    expect(store.claimedAt('17', [ONE], wallTime(2000))).toBe(2000)
  })
})

describe('the entries written on an adopted device', () => {
  test('are known over restarts, each device by itself', () => {
    const store = open()
    store.noteWritten(DEVICE, [flood('10.0.0.1')])
    store.noteWritten(DEVICE, [flood('10.0.0.2'), flood('10.0.0.1')])
    expect([...open().written(DEVICE)]).toEqual(['flood 10.0.0.1', 'flood 10.0.0.2'])
    expect([...open().written('other' as DeviceName)]).toEqual([])
  })

  test('are forgotten when they are gone', () => {
    const store = open()
    store.noteWritten(DEVICE, [flood('10.0.0.1'), flood('10.0.0.2')])
    store.keepWritten(DEVICE, new Set(['flood 10.0.0.2']))
    expect([...open().written(DEVICE)]).toEqual(['flood 10.0.0.2'])
  })

  test('of one address on two ports are two, and one noted before there were ports is known again', () => {
    open().noteWritten(DEVICE, [flood('10.0.0.1')])
    expect(JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'))).toMatchObject({ written: { [DEVICE]: ['flood 10.0.0.1'] } })
    open().noteWritten(DEVICE, [flood('10.0.0.1'), { ...flood('10.0.0.1'), port: 8472 as Port }])
    expect([...open().written(DEVICE)]).toEqual(['flood 10.0.0.1', 'flood 10.0.0.1 port 8472'])
  })

  test('that have not changed are not written again', () => {
    const store = open()
    store.noteWritten(DEVICE, [flood('10.0.0.1')])
    rmSync(join(directory, 'state.json'))
    store.noteWritten(DEVICE, [flood('10.0.0.1')])
    store.keepWritten(DEVICE, new Set(['flood 10.0.0.1']))
    expect(readdirSync(directory)).toEqual([])
  })

  test.each(['constructor', 'toString'])('on a device called %s are entries like others', (name) => {
    const device = name as DeviceName
    expect([...open().written(device)]).toEqual([])
    open().noteWritten(device, [flood('10.0.0.1')])
    expect([...open().written(device)]).toEqual(['flood 10.0.0.1'])
  })
})

test('what the underlay of a device had room for is remembered', () => {
  expect(open().room(DEVICE)).toBeUndefined()
  open().noteRoom(DEVICE, 1450)
  expect(open().room(DEVICE)).toBe(1450)
  expect(open().room('constructor' as DeviceName)).toBeUndefined()
})

describe('the addresses given to a device', () => {
  test('are known over restarts, each device by itself', () => {
    const store = open()
    for (const address of [ONE, TWO, ONE]) store.noteGiven(DEVICE, address)
    expect(open().given(DEVICE)).toEqual([ONE, TWO])
    expect(open().given('constructor' as DeviceName)).toEqual([])
  })

  test('are forgotten when they are no longer asked for, and not noted because they are', () => {
    const store = open()
    store.noteGiven(DEVICE, ONE)
    store.keepGiven(DEVICE, [ONE, TWO])
    expect(open().given(DEVICE)).toEqual([ONE])
    store.keepGiven(DEVICE, [TWO])
    expect(open().given(DEVICE)).toEqual([])
  })

  test('that have not changed are not written again', () => {
    const store = open()
    store.noteGiven(DEVICE, ONE)
    rmSync(join(directory, 'state.json'))
    store.noteGiven(DEVICE, ONE)
    store.keepGiven(DEVICE, [ONE])
    expect(readdirSync(directory)).toEqual([])
  })

  test('are none in a file of before they were kept, and only addresses in one that somebody edited', () => {
    const before = { version: 1, incarnation: 5000, claims: {}, written: {} }
    writeFileSync(join(directory, 'state.json'), JSON.stringify(before))
    expect(open().given(DEVICE)).toEqual([])
    expect(open().highestIncarnation(wallTime(1))).toBe(5000)
    writeFileSync(join(directory, 'state.json'), JSON.stringify({ ...before, given: { [DEVICE]: [ONE, 'dev eth0'] } }))
    expect(open().given(DEVICE)).toEqual([ONE])
    expect(troubles).toEqual([])
  })
})

describe('the state file of a daemon that had one tunnel', () => {
  const old = {
    version: 1,
    incarnation: 5000,
    claims: { 16: { overlay: [ONE], claimedAt: 1000 } },
    written: { [DEVICE]: ['flood 10.0.0.1'] },
    given: { [DEVICE]: [ONE] },
  }
  const asked = { device: DEVICE, mode: 'vxlan', id: '16', local: '10.0.0.4', address: [ONE], name: 'a', port: '4788', vxlanPort: '8472' }

  test.each<[string, object, object]>([
    ['with all that it was asked for', {}, { local: '10.0.0.4', addresses: [ONE], port: '8472' }],
    [
      'with an interface, and without a port',
      { local: 'eth0', vxlanPort: undefined },
      { local: 'eth0', addresses: [ONE], port: undefined },
    ],
  ])('is read %s, and nothing of it is lost', (_name, parts, tunnel) => {
    writeFileSync(join(directory, 'state.json'), JSON.stringify({ ...old, asked: { ...asked, ...parts } }))
    const store = open()
    expect(store.asked()).toEqual({ name: 'a', port: '4788', tunnels: [{ device: DEVICE, mode: 'vxlan', id: '16', ...tunnel }] })
    store.take(DEVICE, { mode: 'vxlan', id: 16 as Vni })
    expect(store.claimedAt(TUNNEL, [ONE], wallTime(2000))).toBe(1000)
    expect([...store.written(DEVICE)]).toEqual(['flood 10.0.0.1'])
    expect(store.given(DEVICE)).toEqual([ONE])
    expect(store.highestIncarnation(wallTime(1))).toBe(5000)
    store.setIncarnation(5001 as Incarnation)
    expect(open().asked()).toEqual(store.asked())
    expect(troubles).toEqual([])
  })

  test.each<[string, TunnelName]>([
    ['another id', { mode: 'vxlan', id: 17 as Vni }],
    ['another kind of tunnel', { mode: 'gre', id: 16 as GreKey }],
    ['a tunnel of GRE without a key', { mode: 'gre', id: undefined }],
  ])('counts for nothing on a device of that name with %s', (_name, tunnel) => {
    writeFileSync(join(directory, 'state.json'), JSON.stringify({ ...old, asked, rooms: { [DEVICE]: 1450 } }))
    const store = open()
    store.take(DEVICE, tunnel)
    expect([...store.written(DEVICE), ...store.given(DEVICE)]).toEqual([])
    expect([store.hasNotes(DEVICE), store.room(DEVICE)]).toEqual([false, undefined])
  })
})

test('evictions are saved, and loaded again byte for byte, in a file of their own', () => {
  const bytes = Uint8Array.of(0, 1, 255)
  expect(open().saveEvictions(NO_EVICTIONS.set('a' as PeerId, { key: 'a' as PeerId, bytes, hash: '' }))).toBe(true)
  expect(open().saved).toEqual({ records: [], accusations: [], evictions: [bytes], reissues: [], reached: [] })
  expect(readdirSync(directory)).toContain('evictions.json')
})

test('evictions that cannot be saved are not said to be', () => {
  mkdirSync(join(directory, 'evictions.json.new', 'x'), { recursive: true })
  expect(open().saveEvictions(NO_EVICTIONS)).toBe(false)
  expect(troubles).toHaveLength(1)
})

const NOWHERE = EMPTY_VIEW as unknown as State['reached']
const PEER = '12D3KooWGRUahbFr8B3fLXwPWjvFmAw9NXzkT3qtgZ4hFJWiLyVP'

test('a view is saved, and loaded again byte for byte', () => {
  const record = Uint8Array.of(0, 1, 255)
  const [accusation, reissue] = [Uint8Array.of(7), Uint8Array.of(8)]
  const none = EMPTY_VIEW as unknown as Belief['accusations']
  const accusations = none.set('b' as PeerId, { bytes: accusation } as Accusation)
  const [peer, address] = [PEER as PeerId, '10.0.0.5' as IpAddress]
  open().saveView({
    view: EMPTY_VIEW.set(peer, { signed: { bytes: record }, accusations, reissue: { bytes: reissue } } as Belief),
    reached: NOWHERE.set(peer, new Set([address])),
  })
  const reached = [{ peer, addresses: [address] }]
  expect(open().saved).toEqual({ records: [record], accusations: [accusation], evictions: [], reissues: [reissue], reached })
  expect(troubles).toEqual([])
})

describe('a file that cannot be read', () => {
  test.each([
    ['an empty one', 'state.json', ''],
    ['half of one', 'state.json', '{"version":1,"incarn'],
    ['one of another version', 'state.json', '{"version":2,"incarnation":1,"claims":{},"written":{}}'],
    ['one whose incarnation is no number', 'state.json', '{"version":1,"incarnation":"1","claims":{},"written":{}}'],
    [
      'one whose incarnation leaves no room above it',
      'state.json',
      '{"version":1,"incarnation":9007199254740991,"claims":{},"written":{}}',
    ],
    ['a view of garbage', 'view.json', '\u0000'],
    ['a view whose records are no base64', 'view.json', '{"version":1,"records":["?"],"accusations":[]}'],
  ])('%s is set aside and reported, and the mesh is asked instead', (_name, file, text) => {
    writeFileSync(join(directory, file), text)
    const store = open()
    expect(troubles).toEqual([`${file} cannot be read: set aside as ${file}.bad, the mesh is asked instead`])
    expect(readdirSync(directory)).toEqual([`${file}.bad`])
    expect(readFileSync(join(directory, `${file}.bad`), 'utf8')).toBe(text)
    expect(store.saved).toEqual({ records: [], accusations: [], evictions: [], reissues: [], reached: [] })
    expect(store.highestIncarnation(wallTime(7))).toBe(7)
  })

  test('one that can be read is left alone', () => {
    open().setIncarnation(5 as Incarnation)
    open()
    expect(troubles).toEqual([])
    expect(readdirSync(directory)).toEqual(['state.json'])
  })
})

test('a disk that takes nothing is reported, and what was to be written is known all the same', () => {
  mkdirSync(join(directory, 'state.json.new'))
  mkdirSync(join(directory, 'view.json.new'))
  const store = open()
  store.setIncarnation(5000 as Incarnation)
  store.noteWritten(DEVICE, [flood('10.0.0.1')])
  store.saveView({ view: EMPTY_VIEW, reached: NOWHERE })
  expect(troubles).toEqual(['cannot write state.json', 'cannot write state.json', 'cannot write view.json'])
  expect(store.highestIncarnation(wallTime(1))).toBe(5000)
  expect([...store.written(DEVICE)]).toEqual(['flood 10.0.0.1'])
})
