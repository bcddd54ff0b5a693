/** Meshes that were in pieces, for as long as may be, or that never were one. */
import { seconds, type Duration } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const HOUR = seconds(3600)

describe('a mesh in pieces', () => {
  test.each<[string, Duration, readonly (readonly string[])[]]>([
    [
      'in halves for some seconds',
      seconds(3),
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'in halves for an hour',
      HOUR,
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['with an island of one for an hour', HOUR, [['a', 'b', 'c'], ['d']]],
    [
      'in three islands for ten minutes',
      seconds(600),
      [
        ['a', 'b'],
        ['c', 'd'],
        ['e', 'f'],
      ],
    ],
    ['in islands of one for six hours', seconds(6 * 3600), [['a'], ['b']]],
  ])('%s is whole again within seconds of its end', (_name, length, islands) => {
    const cluster = new Cluster(islands.flat(), { seed: 1 })
    cluster.run(seconds(5))
    cluster.partition(...islands)
    cluster.run(length)
    cluster.heal()
    cluster.run(seconds(10))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(cluster.names.length - 1)
    cluster.settle()
  })

  test('with islands of which none knows a seed any more is whole again all the same', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 2 })
    cluster.run(seconds(5))
    cluster.partition(['a', 'b'], ['c', 'd'])
    cluster.run(seconds(60))
    for (const name of cluster.names) {
      cluster.kill(name)
      cluster.start(name, { withoutSeeds: true })
    }
    cluster.run(seconds(200))
    cluster.settle()
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(3)
  })
})

test('two meshes that were never one become one when a newcomer knows a member of each', () => {
  const seeds = { a: [], b: ['a'], c: ['a'], d: [], e: ['d'], f: ['d'], g: ['b', 'e'] }
  const cluster = new Cluster(Object.keys(seeds), { seed: 3, seeds, stopped: ['g'] })
  cluster.run(seconds(60))
  expect(Object.keys(cluster.sees('a'))).toEqual(['b', 'c'])
  expect(Object.keys(cluster.sees('d'))).toEqual(['e', 'f'])
  cluster.start('g')
  cluster.run(seconds(5))
  for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(6)
  cluster.settle()
})

test("two of a large mesh find each other after all lost power, though no seed is back and neither is the other's neighbour", () => {
  const names = Array.from({ length: 64 }, (_, index) => `m${String(index)}`)
  const cluster = new Cluster(names, { seed: 4, kernels: 'imagined', lawsEvery: 50 })
  cluster.run(seconds(15))
  for (const name of names) cluster.powerOff(name)
  cluster.run(seconds(5))
  for (const name of ['m9', 'm33']) cluster.powerOn(name)
  cluster.run(seconds(60))
  expect(['m9', 'm33'].map((name) => cluster.host(name).state?.links.size)).toEqual([1, 1])
})

test('a hundred that start in the same moment and know one address become one mesh', () => {
  const names = Array.from({ length: 100 }, (_, index) => `m${String(index)}`)
  const cluster = new Cluster(names, { seed: 4, kernels: 'imagined', lawsEvery: 20 })
  cluster.run(seconds(20))
  for (const host of cluster.hosts) expect(host.state?.circle.living).toBe(100)
})
