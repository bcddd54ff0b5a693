/** Stories of members that were admitted and lie, and of strangers at the door. */
import { milliseconds, seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { accuseEverybody, boast, forgeRecords, garbage, replayEverything, replayRecords, sayNothing } from './lies.ts'

const names = ['a', 'b', 'c', 'd', 'e']

/** About as often as they refute: who accuses more often gains nothing by it, and is cut off. */
const AS_THEY_REFUTE = milliseconds(130)

test.each([3, 4, 5, 8])('in a mesh of %i, a member that accuses everybody without pause evicts nobody', (size) => {
  const cluster = new Cluster(Array.from('abcdefgh').slice(0, size), { seed: 100 })
  cluster.run(seconds(5))
  cluster.corrupt('b', accuseEverybody, AS_THEY_REFUTE)
  cluster.run(seconds(12))
  for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(size - 1)
})

test('a member that accuses everybody does not hasten the death of one that is really silent by more than its own word', () => {
  const cluster = new Cluster(names, { seed: 101 })
  cluster.run(seconds(5))
  cluster.corrupt('b', accuseEverybody, AS_THEY_REFUTE)
  cluster.run(seconds(5))
  cluster.pause('d', milliseconds(600))
  cluster.run(seconds(10))
  for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
})

test('a host that is cut off while others are falsely accused removes none of them, neither then nor after', () => {
  const cluster = new Cluster(names, { seed: 107 })
  cluster.run(seconds(5))
  cluster.corrupt('b', accuseEverybody, AS_THEY_REFUTE)
  cluster.run(seconds(2))
  cluster.partition(['c'], ['a', 'b', 'd', 'e'])
  cluster.run(seconds(30))
  expect(Object.values(cluster.sees('c'))).toContain('dead')
  cluster.heal()
  cluster.run(seconds(10))
  expect(cluster.removed('c')).toEqual([])
  expect(cluster.reaches('c')).toHaveLength(4)
})

test.each([3, 15])('a host that stands still for %i s while others are falsely accused removes none of them when it goes on', (pause) => {
  const cluster = new Cluster(names, { seed: 108 })
  cluster.run(seconds(5))
  cluster.corrupt('b', accuseEverybody, AS_THEY_REFUTE)
  cluster.run(seconds(2))
  cluster.pause('c', seconds(pause))
  cluster.run(seconds(pause + 10))
  expect(cluster.removed('c')).toEqual([])
  expect(cluster.reaches('c')).toHaveLength(4)
})

test.each([
  ['whole frames', replayEverything],
  ['single records', replayRecords],
])('a member that replays %s brings nobody back that left, and moves nobody back', (_what, lie) => {
  const cluster = new Cluster(names, { seed: 102 })
  cluster.corrupt('b', lie)
  cluster.run(seconds(10))
  cluster.leave('e')
  cluster.move('d', '10.0.0.99')
  cluster.run(seconds(5))
  expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'alive', d: 'alive', e: 'left' })
  expect(cluster.reaches('a')).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.99'])
  cluster.run(seconds(15))
  for (const name of ['a', 'b', 'c']) expect(cluster.removed(name).toSorted()).toEqual(['10.0.0.4', '10.0.0.5'])
})

test('a member that forges records for others is not believed, and is cut off', () => {
  const cluster = new Cluster(names, { seed: 103 })
  cluster.run(seconds(5))
  cluster.corrupt('b', forgeRecords)
  cluster.run(seconds(30))
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.host(name).state?.shunned.has(cluster.host('b').peer)).toBe(true)
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.reaches(name)).toHaveLength(3)
  expect(cluster.removed('b')).toEqual([])
  expect(cluster.host('a').state?.dropped.get('record with a bad signature')).toBeGreaterThan(10)
  expect(cluster.host('a').state?.dropped.get('record with the certificate of another member')).toBeGreaterThan(10)
})

test('a member that sends garbage is shunned by everybody, and nobody else suffers', () => {
  const cluster = new Cluster(names, { seed: 104 })
  cluster.run(seconds(5))
  cluster.corrupt('b', garbage)
  cluster.run(seconds(30))
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.host(name).state?.shunned.has(cluster.host('b').peer)).toBe(true)
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.reaches(name)).toHaveLength(3)
  expect(cluster.removed('b')).toEqual([])
})

test.each([
  ['says nothing', sayNothing],
  ['tells of itself', boast],
  ['says again what it hears', replayEverything],
  ['accuses everybody', accuseEverybody],
])('a member that %s a thousand times a second is cut off by everybody within two seconds, and nobody else suffers', (_what, lie) => {
  const cluster = new Cluster(names, { seed: 109 })
  cluster.run(seconds(5))
  cluster.corrupt('b', lie, milliseconds(1))
  cluster.run(seconds(2))
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.host(name).state?.shunned.has(cluster.host('b').peer)).toBe(true)
  cluster.run(seconds(30))
  for (const name of ['a', 'c', 'd', 'e']) expect(cluster.reaches(name)).toHaveLength(3)
  expect(cluster.removed('b')).toEqual([])
})

test('strangers at the door are told nothing, and leave nothing behind', () => {
  const cluster = new Cluster(['a', 'b'], { seed: 105 })
  cluster.run(seconds(5))
  const { dials, watches, shunned } = cluster.host('a').state ?? {}
  cluster.knock('a', 500)
  cluster.run(seconds(5))
  const state = cluster.host('a').state
  expect([state?.dials.size, state?.watches.size, state?.shunned.size, state?.links.size]).toEqual([
    dials?.size,
    watches?.size,
    shunned?.size,
    1,
  ])
})
