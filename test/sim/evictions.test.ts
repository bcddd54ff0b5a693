/** Stories of members that the mesh key revoked. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { replayEverything, replayRecords } from './lies.ts'

const names = ['a', 'b', 'c', 'd', 'e']
const others = ['a', 'b', 'c', 'd']
const E = '10.0.0.5'

/** Whether nobody but itself has an entry for e, or believes anything of it. */
function isGone(cluster: Cluster): boolean {
  return others.every((name) => !cluster.reaches(name).includes(cluster.host('e').address) && cluster.sees(name)['e'] === 'evicted')
}

test('a member that is revoked is gone everywhere within a few round trips, and nobody speaks to it', () => {
  const cluster = new Cluster(names, { seed: 200 })
  cluster.run(seconds(5))
  cluster.evict('e', 'a')
  cluster.run(seconds(0.5))
  expect(isGone(cluster)).toBe(true)
  expect(cluster.reaches('e')).toEqual([])
  expect(cluster.sees('e')).toEqual({ a: 'alive', b: 'alive', c: 'alive', d: 'alive' })
  for (const name of others) {
    expect(cluster.host(name).state?.links.some(({ peer }) => peer === cluster.host('e').peer)).toBe(false)
    expect(cluster.host(name).state?.members).toBe(4)
  }
  cluster.settle()
})

test.each([
  ['hears of it when the network heals', false],
  ['does not want to hear of it', true],
])('a member that is revoked while it is cut off, and %s, is gone everywhere', (_what, defiant) => {
  const cluster = new Cluster(names, { seed: 201 })
  cluster.run(seconds(5))
  cluster.partition(['e', 'd'], ['a', 'b', 'c'])
  cluster.run(seconds(2))
  cluster.evict('e', 'a', { defiant })
  cluster.run(seconds(30))
  expect(cluster.sees('d')['e']).toBe('alive')
  expect(cluster.reaches('d')).toContain(E)
  cluster.heal()
  cluster.run(seconds(10))
  expect(isGone(cluster)).toBe(true)
  cluster.run(seconds(60))
  expect(isGone(cluster)).toBe(true)
  cluster.settle()
})

test('a revoked member that keeps coming, with all that it ever said repeated by another, stays out', () => {
  const cluster = new Cluster(names, { seed: 202 })
  cluster.corrupt('b', replayEverything)
  cluster.corrupt('c', replayRecords)
  cluster.run(seconds(10))
  cluster.evict('e', 'a', { defiant: true })
  for (let round = 0; round < 5; round++) {
    cluster.move('e', `10.0.0.${String(100 + round)}`)
    cluster.run(seconds(3))
    cluster.kill('e')
    cluster.start('e', { withoutState: true })
    cluster.run(seconds(3))
    expect(isGone(cluster)).toBe(true)
  }
})

test('a member that was stopped when another was revoked learns it when it starts, and before that from its own disk', () => {
  const cluster = new Cluster(names, { seed: 203 })
  cluster.run(seconds(5))
  cluster.kill('d')
  cluster.evict('e', 'a', { defiant: true })
  cluster.run(seconds(2))
  expect(cluster.reaches('d')).toContain(E)
  cluster.start('d')
  cluster.run(seconds(3))
  expect(isGone(cluster)).toBe(true)
  cluster.partition(['d', 'e'], ['a', 'b', 'c'])
  cluster.kill('d')
  cluster.start('d')
  cluster.run(seconds(20))
  expect(cluster.reaches('d')).not.toContain(E)
  cluster.settle()
})

test('a member that hears nobody removes the revoked all the same, and nothing else', () => {
  const cluster = new Cluster(names, { seed: 204 })
  cluster.run(seconds(5))
  cluster.partition(['d'], ['a', 'b', 'c', 'e'])
  cluster.run(seconds(20))
  cluster.evict('e', 'd')
  cluster.run(seconds(1))
  expect(cluster.reaches('d')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  cluster.settle()
  expect(isGone(cluster)).toBe(true)
})

test('a revoked member accuses nobody of anything that counts', () => {
  const cluster = new Cluster(['a', 'b', 'c'], { seed: 205 })
  cluster.run(seconds(5))
  cluster.partition(['a'], ['c'])
  cluster.run(seconds(4))
  cluster.evict('c', 'b', { defiant: true })
  cluster.run(seconds(30))
  expect(cluster.reaches('a')).toEqual(['10.0.0.2'])
  expect(cluster.reaches('b')).toEqual(['10.0.0.1'])
  expect(cluster.removed('b')).toEqual(['10.0.0.3'])
})
