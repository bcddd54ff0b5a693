/** Stories of what members say about themselves: leaving, moving, losing what they knew, claiming the same. */
import { milliseconds, parseMac, seconds, sure, type Entry, type IpAddress, type MacAddress } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { ip } from './world.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const C = '10.0.0.3'
const STRANGER = '10.9.9.9'

describe('a member that leaves', () => {
  test('is removed at once everywhere, and removes its own entries', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 50 })
    cluster.run(seconds(5))
    cluster.leave('c')
    cluster.run(milliseconds(100))
    expect(cluster.reaches('a')).toEqual([B])
    expect(cluster.reaches('b')).toEqual([A])
    expect(cluster.reaches('c')).toEqual([])
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'left' })
    cluster.settle()
  })

  test('while another is away is not revived by it', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 51 })
    cluster.run(seconds(5))
    cluster.powerOff('d')
    cluster.run(seconds(5))
    cluster.leave('c')
    cluster.run(seconds(5))
    cluster.powerOn('d')
    cluster.run(seconds(5))
    expect(cluster.sees('d')).toEqual({ a: 'alive', b: 'alive', c: 'left' })
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'left', d: 'alive' })
    cluster.settle()
  })

  test('may come back', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 52 })
    cluster.run(seconds(5))
    cluster.leave('c')
    cluster.run(seconds(30))
    cluster.start('c')
    cluster.run(seconds(1))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(2)
    cluster.settle()
  })

  test('with nobody there to hear it leaves all the same', () => {
    const cluster = new Cluster(['a', 'b'], { seed: 53 })
    cluster.run(seconds(5))
    cluster.powerOff('a')
    cluster.leave('b')
    cluster.run(seconds(1))
    expect(cluster.reaches('b')).toEqual([])
  })
})

describe('a member that moves', () => {
  test('to another underlay address is followed in a few round trips', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 60 })
    cluster.run(seconds(5))
    cluster.move('c', '10.0.0.99')
    cluster.run(milliseconds(50))
    expect(cluster.reaches('a')).toEqual([B, '10.0.0.99'])
    expect(cluster.reaches('b')).toEqual([A, '10.0.0.99'])
    cluster.settle()
  })

  test('while cut off is followed once it is heard again', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 61 })
    cluster.run(seconds(5))
    cluster.partition(['c'], ['a', 'b'])
    cluster.run(seconds(30))
    cluster.move('c', '10.0.0.99')
    cluster.run(seconds(30))
    cluster.heal()
    cluster.run(seconds(10))
    expect(cluster.reaches('a')).toEqual([B, '10.0.0.99'])
    cluster.settle()
  })
})

describe('a member that forgot', () => {
  test('its state file, and whose clock is a year behind, speaks above what it once said', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 70 })
    cluster.run(seconds(5))
    const before = cluster.incarnation('c')
    cluster.kill('c')
    cluster.run(seconds(5))
    cluster.start('c', { withoutState: true, clockBehind: seconds(31_536_000) })
    expect(cluster.incarnation('c')).toBeLessThan(before)
    cluster.run(seconds(2))
    expect(cluster.incarnation('c')).toBeGreaterThan(before)
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'alive' })
    cluster.settle()
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  })

  test('the last ten minutes, restored from a backup, is brought up to date by the others', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 71 })
    cluster.run(seconds(5))
    cluster.backUp('c')
    cluster.leave('d')
    cluster.move('b', '10.0.0.99')
    cluster.run(seconds(600))
    cluster.kill('c')
    cluster.start('c', { fromBackup: true, clockBehind: seconds(600) })
    cluster.run(seconds(3))
    expect(cluster.sees('c')).toEqual({ a: 'alive', b: 'alive', d: 'left' })
    expect(cluster.reaches('c')).toEqual([A, '10.0.0.99'])
    cluster.settle()
  })
})

describe('two members that claim one overlay address', () => {
  test('are judged alike by everybody: the earlier has it, the later programs nothing and is not programmed', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 80, stopped: ['d'], overlays: { c: '192.168.7.7', d: '192.168.7.7' } })
    cluster.run(seconds(10))
    cluster.start('d')
    cluster.run(seconds(40))
    expect(cluster.reaches('a')).toEqual([B, C])
    expect(cluster.reaches('b')).toEqual([A, C])
    expect(cluster.reaches('c')).toEqual([A, B])
    expect(cluster.reaches('d')).toEqual([])
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'alive', d: 'alive' })
  })

  test('and the first goes: the second has it', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 81, stopped: ['d'], overlays: { c: '192.168.7.7', d: '192.168.7.7' } })
    cluster.run(seconds(10))
    cluster.start('d')
    cluster.run(seconds(40))
    cluster.leave('c')
    cluster.run(seconds(1))
    expect(cluster.reaches('a')).toEqual([B, '10.0.0.4'])
    expect(cluster.reaches('d')).toEqual([A, B])
    cluster.settle()
  })
})

describe('what others do to the kernel', () => {
  test('a deleted entry returns', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 90 })
    cluster.run(seconds(5))
    cluster.tamper('a', { remove: B })
    expect(cluster.reaches('a')).toEqual([C])
    cluster.run(milliseconds(50))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.tamper('a', 'remove all')
    cluster.run(milliseconds(50))
    expect(cluster.reaches('a')).toEqual([B, C])
  })

  test.each(['fdb', 'neighbour'] as const)('an entry of kind %s that somebody deletes or leads elsewhere is what it was again', (kind) => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 93, adopted: ['a'] })
    cluster.run(seconds(5))
    const before = cluster.entries('a')
    expect(before.map((entry) => entry.kind)).toEqual(['fdb', 'fdb', 'flood', 'flood', 'neighbour', 'neighbour'])
    const [one, other] = before.filter((entry) => entry.kind === kind)
    const elsewhere =
      one?.kind === 'fdb' ? { ...one, underlay: ip(STRANGER) } : one?.kind === 'neighbour' ? { ...one, mac: macOf(other) } : undefined
    for (const how of [{ erase: one! }, { write: elsewhere! }]) {
      cluster.tamper('a', how)
      expect(cluster.entries('a')).not.toEqual(before)
      cluster.run(milliseconds(50))
      expect(cluster.entries('a')).toEqual(before)
    }
  })

  test('on an adopted device, an fdb entry and a neighbour of somebody else stay for ever, and lead where they did', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 94, adopted: ['a'] })
    cluster.run(seconds(5))
    const [fdb, , , , neighbour] = cluster.entries('a')
    cluster.leave('b')
    cluster.leave('c')
    cluster.run(seconds(5))
    expect(cluster.entries('a')).toEqual([])
    const foreign: readonly Entry[] = [
      { kind: 'fdb', mac: macOf(fdb), underlay: ip(STRANGER) },
      { kind: 'neighbour', overlay: overlayOf(neighbour), mac: sure(parseMac('02:00:00:00:00:99')) },
    ]
    for (const write of foreign) cluster.tamper('a', { write })
    for (const name of ['b', 'c']) cluster.start(name)
    cluster.run(seconds(30))
    expect(cluster.entries('a')).toHaveLength(6)
    for (const entry of foreign) expect(cluster.entries('a')).toContainEqual(entry)
    cluster.settle()
  })

  test('on a device that we made, an entry that no member claims goes', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 91 })
    cluster.run(seconds(5))
    cluster.tamper('a', { add: STRANGER })
    cluster.run(seconds(1))
    expect(cluster.reaches('a')).toEqual([B, C])
  })

  test('on an adopted device, it stays for ever, and even an entry for a member stays when somebody else made it', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 92, adopted: ['a'], stopped: ['a'] })
    cluster.tamper('a', { add: STRANGER })
    cluster.tamper('a', { add: B })
    cluster.start('a')
    cluster.run(seconds(60))
    expect(cluster.reaches('a')).toEqual([B, C, STRANGER])
    cluster.leave('b')
    cluster.leave('c')
    cluster.run(seconds(5))
    expect(cluster.reaches('a')).toEqual([B, STRANGER])
    cluster.kill('a')
    cluster.start('a')
    cluster.run(seconds(60))
    cluster.leave('a')
    cluster.run(seconds(1))
    expect(cluster.reaches('a')).toEqual([B, STRANGER])
  })
})

function macOf(entry: Entry | undefined): MacAddress {
  if (entry === undefined || !('mac' in entry)) throw new Error('no entry with a MAC address')
  return entry.mac
}

function overlayOf(entry: Entry | undefined): IpAddress {
  if (entry?.kind !== 'neighbour') throw new Error('no neighbour')
  return entry.overlay
}
