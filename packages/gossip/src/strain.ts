/**
 * Our own timers run late, a little: who is short of time hears others late as well, and on a machine that is short of
 * it so are they. Every lateness makes us more patient, every second without one less so, as in Lifeguard (Dadgar,
 * Phillips, Currey, arXiv 1707.00788). Without it a machine that starts too much at once would accuse, refute and dial
 * itself out of the time to ever finish.
 */
import { elapsed, milliseconds, seconds } from '@vxmesh/core'
import type { Turn } from './state.ts'
import { change } from './turn.ts'

/** A timer this late tells that we are short of time. */
const LATE = milliseconds(50)

const STRAIN_MOST = 7

/** Before each step: were we late for it? */
export function noteStrain(turn: Turn): void {
  if (turn.now - turn.state.due <= LATE) return
  change(turn, { strain: { score: Math.min(STRAIN_MOST, scoreOf(turn) + 1), at: turn.now } })
}

/** By how much everything that waits for others waits longer: 1 when all is well, 8 at most. */
export function strain(turn: Turn): number {
  return 1 + scoreOf(turn)
}

function scoreOf({ now, state: { strain: held } }: Turn): number {
  return Math.max(0, held.score - Math.floor(elapsed(held.at, now) / seconds(1)))
}
