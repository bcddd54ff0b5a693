/** Stories of a mesh, each in about ten lines. Every step of every host is held against the laws on the way. */
import { seconds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

describe('coming together', () => {
  test('three hosts, of which two know only the first, reach each other', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 1 })
    cluster.run(seconds(2))
    expect(cluster.reaches('a')).toEqual(['10.0.0.2', '10.0.0.3'])
    expect(cluster.reaches('b')).toEqual(['10.0.0.1', '10.0.0.3'])
    expect(cluster.reaches('c')).toEqual(['10.0.0.1', '10.0.0.2'])
    cluster.settle()
  })

  test('a seed that comes up a minute late is found', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 2, stopped: ['a'] })
    cluster.run(seconds(60))
    expect(cluster.reaches('b')).toEqual([])
    cluster.start('a')
    cluster.run(seconds(8))
    expect(cluster.reaches('b')).toEqual(['10.0.0.1', '10.0.0.3'])
    expect(cluster.reaches('c')).toEqual(['10.0.0.1', '10.0.0.2'])
    cluster.settle()
  })
})
