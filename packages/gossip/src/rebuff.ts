/** A member that we called silent lives, whatever we hear of it: the way between us two is broken, and we say so less and less often. */
import type { Belief } from '@vxmesh/core'
import type { Turn } from './state.ts'
import { change } from './turn.ts'

/** A member answered the accusations of a belief with a new incarnation. */
export function refuted(turn: Turn, before: Belief): void {
  const { watches } = turn.state
  const { peer } = before.signed.record
  const watch = watches.get(peer)
  if (watch === undefined || before.accusations.get(turn.env.signer.peer)?.testimony !== 'silent') return
  change(turn, { watches: watches.set(peer, { ...watch, vouched: turn.now, rebuffs: watch.rebuffs + 1 }) })
}
