import { NO_EVICTIONS, type Eviction, type PeerId } from '@vxmesh/core'
import { evictionsDigest, type State } from '@vxmesh/gossip'
import { describe, expect, test } from 'vitest'
import { evictionReport, overusedInvites } from './progress.ts'

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

test('an invite that more came by than it is for is told of, the evicted not counted', () => {
  const user = (peer: string, members: number): [string, unknown] => [
    peer,
    { signed: { record: { name: peer.toLowerCase() }, admission: { invite: 'I', bounds: { members } } } },
  ]
  const told = (members: number, ...evicted: readonly string[]) =>
    overusedInvites({
      view: new Map(['A', 'B'].map((peer) => user(peer, members))),
      standings: new Map(evicted.map((peer) => [peer, { state: 'evicted' }])),
    } as unknown as State)
  expect([told(0), told(2), told(1, 'B')]).toEqual([[], [], []])
  expect(told(1)).toEqual(['the invite I is for 1, and 2 came by it: a (A), b (B); revoke whoever should not have'])
})
