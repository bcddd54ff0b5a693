/**
 * Who left or died is remembered, so that old news of them revives nobody and the dead are found again after a
 * partition, however long it lasted. What is remembered is bounded: beyond twice the living and a thousand, those that
 * ended with the lowest incarnations go first, those that left before the dead. Which they are follows from the view
 * alone, so that all forget the same ones and nobody is reminded of them by those who have not yet.
 */
import type { PeerId } from '@vxmesh/core'
import { hashesOf } from './beliefs.ts'
import type { Turn } from './state.ts'
import { change, changeBelief } from './turn.ts'

const TOMBSTONES_LEAST = 1000
const TOMBSTONES_A_MEMBER = 2

/** How many of the left and the dead are remembered beside this many living. */
export function tombstonesMost(living: number): number {
  return TOMBSTONES_LEAST + TOMBSTONES_A_MEMBER * living
}

/** Forgets those beyond the bound. */
export function bury(turn: Turn): void {
  const { view, circle, standings } = turn.state
  const surplus = view.size - circle.living - tombstonesMost(circle.living)
  if (surplus <= 0) return
  const ended = [...view].flatMap(([peer, { signed }]) => {
    const state = standings.get(peer)?.state
    return state === 'evicted' || state === 'left' || state === 'dead' ? [{ peer, state, incarnation: signed.record.incarnation }] : []
  })
  const order = ended.sort((a, b) => Number(a.state === 'dead') - Number(b.state === 'dead') || a.incarnation - b.incarnation)
  for (const { peer } of order.slice(0, surplus)) forget(turn, peer)
}

/** What the standings of the others are without it is judged after. */
function forget(turn: Turn, peer: PeerId): void {
  const { view, seen, circle, flaps, watches, dials, reached, tries } = turn.state
  changeBelief(turn, view.delete(peer), peer)
  change(turn, {
    seen: seen.subtract(hashesOf(view.get(peer))),
    circle: { ...circle, dead: circle.dead.delete(peer) },
    flaps: flaps.delete(peer),
    watches: watches.delete(peer),
    dials: dials.delete(peer),
    reached: reached.delete(peer),
    tries: tries.delete(peer),
  })
}
