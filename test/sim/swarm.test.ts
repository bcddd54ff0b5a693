/**
 * Random histories. For a while anything may happen to anybody; then faults stop, and within a bound all must agree.
 * `VXMESH_SEEDS` says how many histories each size gets. One that fails names the command that replays it.
 */
import { describe, expect, test } from 'vitest'
import type { Cluster } from './cluster.ts'
import { begin, DEFAULTS, replayOf } from './stories.ts'

const SEEDS = Number(process.env['VXMESH_SEEDS'] ?? 25)

/** How many histories of each size: the large ones say little that the small ones do not, and cost much. */
const sizes = [
  [2, SEEDS],
  [3, 2 * SEEDS],
  [5, 2 * SEEDS],
  [8, SEEDS],
  [16, Math.ceil(SEEDS / 15)],
  [32, Math.ceil(SEEDS / 30)],
  [33, Math.ceil(SEEDS / 30)],
] as const

describe.each(sizes)('a mesh of %i', (size, count) => {
  const seeds = Array.from({ length: count }, (_, index) => 1000 * size + index)
  test.each(seeds.map((seed) => ({ seed, replay: replayOf({ ...DEFAULTS, seed, members: size }) })))('agrees after $replay', ({ seed }) => {
    expect(() => weather(size, seed)).not.toThrow()
  })
})

test.each([2, 5, 8])('one seed is one history, in a mesh of %i', (size) => {
  expect(weather(size, size).trace.digest).toBe(weather(size, size).trace.digest)
  expect(weather(size, size).trace.digest).not.toBe(weather(size, size + 1).trace.digest)
})

function weather(members: number, seed: number): Cluster {
  const { cluster, tell } = begin({ ...DEFAULTS, seed, members })
  tell()
  return cluster
}
