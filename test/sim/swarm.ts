/**
 * Random histories. For a while anything may happen to anybody; then faults stop, and within a bound all must agree.
 * One that fails names the command that replays it.
 */
import { describe, expect, test } from 'vitest'
import type { Cluster } from './cluster.ts'
import { begin, DEFAULTS, replayOf } from './stories.ts'

type Size = { readonly members: number; readonly histories: number; readonly minutes?: number }

/** Tests so many histories of each size. */
export function swarms(sizes: readonly Size[]): void {
  describe.each(sizes)('a mesh of $members', ({ members, histories, minutes = DEFAULTS.minutes }) => {
    const asks = Array.from({ length: histories }, (_, index) => ({ ...DEFAULTS, seed: 1000 * members + index, members, minutes }))
    test.each(asks.map((ask) => ({ ask, replay: replayOf(ask) })))('agrees after $replay', ({ ask }) => {
      const { tell } = begin(ask)
      expect(tell).not.toThrow()
    })
  })
}

/** One history, told to its end. */
export function history(members: number, seed: number): Cluster {
  const { cluster, tell } = begin({ ...DEFAULTS, seed, members })
  tell()
  return cluster
}
