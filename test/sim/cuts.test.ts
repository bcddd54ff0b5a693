/** Stories of networks that are cut and of hosts that stand still. */
import { milliseconds, seconds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const C = '10.0.0.3'
const D = '10.0.0.4'
const E = '10.0.0.5'

describe('a network that is cut', () => {
  test('around one host: the others remove it, it removes nobody, neither during the cut nor after it', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 30 })
    cluster.run(seconds(5))
    cluster.partition(['c'], ['a', 'b'])
    cluster.run(seconds(60))
    expect(cluster.reaches('a')).toEqual([B])
    expect(cluster.reaches('c')).toEqual([A, B])
    cluster.settle()
    expect(cluster.removed('c')).toEqual([])
    expect(cluster.reaches('a')).toEqual([B, C])
  })

  test('in halves, two and two: each side goes on alone and finds the other again, however long it was', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 31 })
    cluster.run(seconds(5))
    cluster.partition(['a', 'b'], ['c', 'd'])
    cluster.run(seconds(600))
    expect(cluster.reaches('a')).toEqual([B])
    expect(cluster.reaches('d')).toEqual([C])
    cluster.heal()
    cluster.run(seconds(10))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(3)
    cluster.settle()
  })

  test('in halves is whole again without any seed: the dead are dialled for ever', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 36 })
    cluster.run(seconds(5))
    for (const name of cluster.names) {
      cluster.kill(name)
      cluster.start(name, { withoutSeeds: true })
      cluster.run(seconds(2))
    }
    cluster.partition(['a', 'b'], ['c', 'd'])
    cluster.run(seconds(60))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'dead', d: 'dead' })
    cluster.heal()
    cluster.run(seconds(10))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(3)
    cluster.settle()
  })

  test('three and two: the larger side decides at once, the smaller only when nothing was refuted', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd', 'e'], { seed: 32 })
    cluster.run(seconds(5))
    cluster.partition(['a', 'b', 'c'], ['d', 'e'])
    cluster.run(seconds(3))
    expect(cluster.reaches('a')).toEqual([B, C])
    expect(cluster.reaches('d')).toEqual([A, B, C, E])
    cluster.run(seconds(30))
    expect(cluster.reaches('d')).toEqual([E])
    cluster.heal()
    cluster.run(seconds(10))
    expect(cluster.reaches('a')).toEqual([B, C, D, E])
    cluster.settle()
  })

  test('between two of three, one way or both: the third vouches, and nobody is even accused', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 33 })
    cluster.run(seconds(5))
    const before = cluster.incarnation('c')
    cluster.cutOneWay(['c'], ['a'])
    cluster.run(seconds(60))
    cluster.partition(['c'], ['a'])
    cluster.run(seconds(60))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(2)
    cluster.settle()
    expect(cluster.incarnation('c')).toBe(before)
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  })

  test('between two of three before one of them loses power: hearsay about it does not go round for ever', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 34 })
    cluster.run(seconds(5))
    cluster.cutOneWay(['c'], ['a'])
    cluster.run(milliseconds(700))
    cluster.powerOff('c')
    cluster.run(seconds(5))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'dead' })
    expect(cluster.sees('b')).toEqual({ a: 'alive', c: 'dead' })
  })

  test('so that one host hears all and is heard by none: it is removed, and removes nobody', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd', 'e'], { seed: 35 })
    cluster.run(seconds(5))
    cluster.cutOneWay(['e'], ['a', 'b', 'c', 'd'])
    cluster.run(seconds(20))
    expect(cluster.reaches('a')).toEqual([B, C, D])
    cluster.settle()
    expect(cluster.removed('e')).toEqual([])
  })
})

describe('a host that stood still', () => {
  test.each([3, 12, 130])('for %i s removes nobody when it goes on, and all agree again', (pause) => {
    const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 40 })
    cluster.run(seconds(5))
    cluster.pause('b', seconds(pause))
    cluster.run(seconds(pause + 5))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(3)
    cluster.settle()
    expect(cluster.removed('b')).toEqual([])
  })

  test('while another was suspected and cleared does not believe the suspicion when it goes on', () => {
    const cluster = new Cluster(['a', 'b', 'c', 'd', 'e'], { seed: 41, network: { cuts: 'hold' } })
    cluster.run(seconds(5))
    cluster.cutOneWay(['e'], ['c', 'd'])
    cluster.run(milliseconds(1300))
    cluster.pause('b', seconds(15))
    cluster.heal()
    cluster.run(seconds(30))
    expect(cluster.removed('b')).toEqual([])
    cluster.settle()
  })
})
