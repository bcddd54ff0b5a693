import { NO_EVICTIONS, type Eviction, type PeerId } from '@vxmesh/core'
import { evictionsDigest, type State } from '@vxmesh/gossip'
import { describe, expect, test } from 'vitest'
import { evictionReport } from './progress.ts'

describe('how far evictions have come', () => {
  const member = (state: string, enforces: string, name = 'm') => ({ standing: { state }, record: { name, enforces } })
  const progress = (evictions: readonly string[], ...members: readonly ReturnType<typeof member>[]) => {
    const keyed = members.map((each, index) => [String(index), each] as const)
    const known = NO_EVICTIONS.concat(evictions.map((key): [PeerId, Eviction] => [key as PeerId, { key } as Eviction]))
    const view = new Map(keyed.map(([peer, { record }]) => [peer, { signed: { record: { ...record, peer } } }]))
    const standings = new Map(keyed.map(([peer, { standing }]) => [peer, standing]))
    return {
      digest: evictionsDigest({ evictions: known }),
      report: evictionReport({ view, standings, evictions: known } as unknown as State),
    }
  }

  test('counts the living that say so, and names the others', () => {
    const { digest } = progress(['x'])
    const others = [
      member('alive', '', 'late'),
      member('restarting', '', 'away'),
      member('dead', ''),
      member('left', ''),
      member('evicted', ''),
    ]
    expect(progress(['x'], member('alive', digest), member('suspect', digest), ...others).report).toEqual({
      version: 1,
      evictions: 1,
      living: 4,
      enforcing: 2,
      waiting: [
        { name: 'late', peer: '2', state: 'alive' },
        { name: 'away', peer: '3', state: 'restarting' },
      ],
    })
  })

  test('does not count who knows of another set of evictions', () => {
    const { digest } = progress(['x'])
    expect(progress(['x', 'y'], member('alive', digest)).report).toMatchObject({ living: 1, enforcing: 0 })
  })

  test('is everywhere, where there are none', () => {
    expect(progress([], member('alive', '')).report).toMatchObject({ evictions: 0, living: 1, enforcing: 1, waiting: [] })
  })
})
