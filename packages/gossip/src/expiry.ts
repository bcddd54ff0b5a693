/** What follows from a membership that has ended: nobody makes a new link with it, and nobody takes its silence for a sign. */
import { endedAfter, endedWith, hasEnded, isDoubtful, lapsed, type Belief, type Bounds, type Ended, type PeerId } from '@vxmesh/core'
import type { State, Turn } from './state.ts'
import { change } from './turn.ts'

/** Looks whose membership has ended by now, and whose entries have stood long enough since. */
export function noteEnded(turn: Turn): void {
  setEnded(turn, endedAfter(turn.state.ended, turn.state.view, turn.env.wall(), turn.now))
}

/** The same of one member, whose record is new: it may have been renewed. */
export function noteMembership(turn: Turn, belief: Belief): void {
  setEnded(turn, endedWith(turn.state.ended, belief, turn.env.wall(), turn.now))
}

function setEnded(turn: Turn, ended: Ended): void {
  const before = turn.state.lapsed
  if (ended.isEmpty() && ended === turn.state.ended) return
  const gone = lapsed(ended, turn.now).delete(turn.env.signer.peer)
  change(turn, { ended, lapsed: gone.equals(before) ? before : gone })
  if (turn.state.lapsed !== before) turn.effects.push({ kind: 'changed' })
}

/** Whether a new link is refused, since the membership that was shown has ended. */
export function isClosedTo({ state, env }: Turn, peer: PeerId, { until }: Bounds): boolean {
  if (!hasEnded(until, env.wall())) return false
  return !state.view.has(peer) || state.lapsed.has(peer) || !isDoubtful(state.ended, state.members)
}

/** Whether nobody has links to a member any more though its entries stand: its silence says nothing then. */
export function isSpared({ ended, lapsed: gone, members }: State, peer: PeerId): boolean {
  return ended.has(peer) && !gone.has(peer) && !isDoubtful(ended, members)
}
