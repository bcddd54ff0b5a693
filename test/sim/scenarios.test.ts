/** Stories of a mesh, each in about ten lines. Every step of every host is held against the laws on the way. */
import { milliseconds, seconds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const C = '10.0.0.3'

describe('coming together', () => {
  test('three hosts, of which two know only the first, reach each other', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 1 })
    cluster.run(seconds(1))
    expect(cluster.reaches('a')).toEqual([B, C])
    expect(cluster.reaches('b')).toEqual([A, C])
    expect(cluster.reaches('c')).toEqual([A, B])
    cluster.settle()
  })

  test('a seed that comes up a minute late is found', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 2, stopped: ['a'] })
    cluster.run(seconds(60))
    expect(cluster.reaches('b')).toEqual([])
    cluster.start('a')
    cluster.run(seconds(8))
    expect(cluster.reaches('b')).toEqual([A, C])
    expect(cluster.reaches('c')).toEqual([A, B])
    cluster.settle()
  })

  test.each([
    ['a', 'b', 'c'],
    ['a', 'c', 'b'],
    ['b', 'a', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
    ['c', 'b', 'a'],
  ])('started in the order %s %s %s, all reach all', (...order) => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 3, stopped: ['a', 'b', 'c'] })
    for (const name of order) {
      cluster.start(name)
      cluster.run(seconds(3))
    }
    cluster.run(seconds(7))
    for (const name of order) expect(cluster.reaches(name)).toHaveLength(2)
    cluster.settle()
  })

  test('a newcomer that knows one member reaches all of a mesh of ten in half a second, and they it', () => {
    const cluster = new Cluster(Array.from('abcdefghij'), { seed: 4 })
    cluster.run(seconds(5))
    cluster.join('k')
    cluster.run(milliseconds(500))
    expect(cluster.reaches('k')).toHaveLength(10)
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(10)
    cluster.settle()
  })

  test('members once met need no seed to meet again', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 5 })
    cluster.run(seconds(5))
    for (const name of ['a', 'b', 'c']) cluster.kill(name)
    cluster.start('b')
    cluster.start('c')
    cluster.run(seconds(3))
    expect(cluster.sees('b')).toMatchObject({ c: 'alive' })
    expect(cluster.sees('c')).toMatchObject({ b: 'alive' })
  })
})

describe('a daemon that stops', () => {
  test('by kill -9 keeps its entries everywhere, and comes back without one deleted', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 10 })
    cluster.run(seconds(5))
    const before = cluster.incarnation('c')
    cluster.kill('c')
    cluster.run(seconds(1))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'restarting' })
    expect(cluster.reaches('a')).toEqual([B, C])
    expect(cluster.reaches('c')).toEqual([A, B])
    cluster.run(seconds(60))
    cluster.start('c')
    cluster.run(seconds(2))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'alive' })
    expect(cluster.incarnation('c')).toBeGreaterThan(before)
    cluster.settle()
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  })

  test('again and again, a moment after it came up, is never taken for dead', () => {
    for (let seed = 500; seed < 520; seed++) {
      const cluster = new Cluster(['a', 'b', 'c'], { seed })
      cluster.run(seconds(5))
      for (let life = 0; life < 10; life++) {
        cluster.kill('c')
        cluster.run(milliseconds(700 + 250 * (life % 7)))
        cluster.start('c')
        cluster.run(milliseconds(300 + 170 * (life % 9)))
      }
      cluster.settle()
      for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
    }
  })

  test('for longer than the restart hold is dead', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 11 })
    cluster.run(seconds(5))
    cluster.kill('c')
    cluster.run(seconds(115))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.run(seconds(10))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'dead' })
    expect(cluster.reaches('a')).toEqual([B])
    expect(cluster.reaches('c')).toEqual([A, B])
    cluster.start('c')
    cluster.run(seconds(8))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.settle()
  })

  test('and all others with it: who is left, or starts alone, takes nothing away, since their hosts still answer', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 13 })
    cluster.run(seconds(5))
    for (const name of cluster.names) cluster.kill(name)
    cluster.run(seconds(60))
    cluster.start('a')
    cluster.run(seconds(600))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.start('b')
    cluster.start('c')
    cluster.run(seconds(8))
    cluster.settle()
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  })

  test('and whose host then loses power is removed', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 12 })
    cluster.run(seconds(5))
    cluster.kill('c')
    cluster.run(seconds(10))
    cluster.powerOff('c')
    cluster.run(seconds(8))
    expect(cluster.sees('a')).toEqual({ b: 'alive', c: 'dead' })
    expect(cluster.reaches('b')).toEqual([A])
  })

  test('all at once stops nothing: every entry stays', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 13 })
    cluster.run(seconds(5))
    for (const name of cluster.names) cluster.kill(name)
    cluster.run(seconds(600))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(2)
    for (const name of cluster.names) cluster.start(name)
    cluster.settle()
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
  })
})

describe('a host without power', () => {
  test.each([[['a', 'b', 'c']], [['a', 'b', 'c', 'd', 'e']], [Array.from('abcdefgh')]])(
    'of the mesh %j is removed by all others within 2.5 s, and is back when it is',
    (names) => {
      const cluster = new Cluster(names, { seed: 20 })
      cluster.run(seconds(5))
      cluster.powerOff('b')
      cluster.run(seconds(2.5))
      for (const name of names.filter((each) => each !== 'b')) expect(cluster.reaches(name)).not.toContain(B)
      cluster.run(seconds(30))
      cluster.powerOn('b')
      cluster.run(seconds(1))
      for (const name of names.filter((each) => each !== 'b')) expect(cluster.reaches(name)).toContain(B)
      expect(cluster.reaches('b')).toHaveLength(names.length - 1)
      cluster.settle()
    },
  )

  test('one of two, is not removed: its silence may be our own', () => {
    const cluster = new Cluster(['a', 'b'], { seed: 21 })
    cluster.run(seconds(5))
    cluster.powerOff('b')
    cluster.run(seconds(300))
    expect(cluster.reaches('a')).toEqual([B])
    cluster.powerOn('b')
    cluster.settle()
    expect(cluster.removed('a')).toEqual([])
  })

  test('many at once: their entries are kept for ten seconds, in case it is a rack that reboots', () => {
    const cluster = new Cluster(Array.from('abcdefgh'), { seed: 22 })
    cluster.run(seconds(5))
    for (const name of ['c', 'd', 'e']) cluster.powerOff(name)
    cluster.run(seconds(8))
    expect(cluster.sees('a')).toMatchObject({ c: 'dead', d: 'dead', e: 'dead' })
    expect(cluster.reaches('a')).toHaveLength(7)
    cluster.run(seconds(6))
    expect(cluster.reaches('a')).toHaveLength(4)
    for (const name of ['c', 'd', 'e']) cluster.powerOn(name)
    cluster.settle()
  })
})

test('a daemon that knows nobody, its state lost and its seed down, keeps the entries it finds', () => {
  const cluster = new Cluster(['a', 'b', 'c'], { seed: 45 })
  cluster.run(seconds(5))
  for (const name of cluster.names) cluster.kill(name)
  cluster.start('c', { withoutState: true })
  cluster.run(seconds(600))
  expect(cluster.reaches('c')).toEqual([A, B])
  cluster.start('a')
  cluster.start('b')
  cluster.settle()
  expect(cluster.removed('c')).toEqual([])
})

test('in a mesh of sixteen, where not all observe all, one leaves and one falls silent, and no kernel keeps either', () => {
  const names = Array.from({ length: 16 }, (_, index) => `m${String(index)}`)
  const cluster = new Cluster(names, { seed: 21 })
  cluster.run(seconds(25))
  cluster.leave('m3')
  cluster.run(seconds(1))
  for (const name of names.filter((each) => each !== 'm3')) expect(cluster.reaches(name)).toHaveLength(14)
  cluster.powerOff('m4')
  cluster.run(seconds(3))
  for (const name of names.filter((each) => !['m3', 'm4'].includes(each))) expect(cluster.reaches(name)).toHaveLength(13)
})
