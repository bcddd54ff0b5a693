/** Members with two tunnels: each is kept by itself, by the same laws. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { SECOND_DEVICE } from './world.ts'

const [A, B, C, D] = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']

test('each tunnel has its own members, and whatever becomes of a member becomes of it in both', () => {
  const cluster = new Cluster(['a', 'b', 'c', 'd'], { seed: 90, seconds: { a: '172.16.0.1', b: '172.16.0.2', d: '172.16.0.4' } })
  cluster.run(seconds(5))
  expect([cluster.reaches('a'), cluster.reaches('a', SECOND_DEVICE)]).toEqual([
    [B, C, D],
    [B, D],
  ])
  expect([cluster.reaches('c'), cluster.reaches('c', SECOND_DEVICE)]).toEqual([[A, B, D], []])
  cluster.move('b', '10.0.0.99')
  cluster.run(seconds(3))
  expect([cluster.reaches('a'), cluster.reaches('a', SECOND_DEVICE)]).toEqual([
    [C, D, '10.0.0.99'],
    [D, '10.0.0.99'],
  ])
  cluster.powerOff('d')
  cluster.run(seconds(8))
  expect([cluster.reaches('a'), cluster.reaches('b', SECOND_DEVICE)]).toEqual([[C, '10.0.0.99'], [A]])
  cluster.powerOn('d')
  cluster.leave('b')
  cluster.run(seconds(20))
  expect([cluster.reaches('a'), cluster.reaches('d', SECOND_DEVICE), cluster.reaches('b', SECOND_DEVICE)]).toEqual([[C, D], [A], []])
  cluster.settle()
})

test('a claim that is lost in one tunnel is lost in that one', () => {
  const cluster = new Cluster(['a', 'b', 'c'], { seed: 91, seconds: { a: '172.16.0.1', b: '172.16.0.2', c: '172.16.0.2' } })
  cluster.run(seconds(5))
  expect(cluster.reaches('a')).toEqual([B, C])
  expect(cluster.reaches('a', SECOND_DEVICE)).toHaveLength(1)
  cluster.leave(cluster.reaches('a', SECOND_DEVICE)[0] === B ? 'b' : 'c')
  cluster.run(seconds(5))
  expect(cluster.reaches('a', SECOND_DEVICE)).toEqual(cluster.reaches('a'))
  cluster.settle()
})

test('an eviction holds when it holds in every tunnel', () => {
  const cluster = new Cluster(['a', 'b', 'c'], { seed: 92, seconds: { a: '172.16.0.1', b: '172.16.0.2', c: '172.16.0.3' } })
  cluster.run(seconds(5))
  cluster.evict('c', 'a')
  cluster.run(seconds(5))
  expect([cluster.reaches('b'), cluster.reaches('b', SECOND_DEVICE)]).toEqual([[A], [A]])
  cluster.settle()
})
