/**
 * Our own record comes back, and we did not sign it. Either an earlier life of ours did, whose state was lost or restored
 * from a backup: then we speak above it, once. Or another machine runs with our key at this moment, a cloned disk most
 * likely. A record says whose it was made to override; one that names our boot id, which was drawn when we started, was
 * signed since, and by a machine that is not this one. Both get that proof, and the boot ids alone say who gives way: the
 * greater is *passive*. It says nothing more, ends its links, leaves its kernel as it is, and looks again every minute. So
 * the others see one member that moved a few times within a second, and never two that take turns.
 */
import { after, elapsed, seconds, type ControlAddress, type Instant, type MemberRecord } from '@vxmesh/core'
import type { LinkId, Turn } from './state.ts'
import { change, flushLink, offer, unlink } from './turn.ts'

export type Clone = {
  readonly bootId: string
  readonly control: readonly ControlAddress[]
  /** `suspected`: it may be an earlier life of ours. Else it is proven, and we go on or give way. */
  readonly role: 'suspected' | 'active' | 'passive'
  /** When it was last met. */
  readonly last: Instant
}

/** How long the passive one waits before it looks whether the other still runs, and the active one before it says that it does not. */
const LOOK_AGAIN = seconds(60)

/**
 * A verified record of our own key came over a link.
 * @param publish says what we are, above it
 */
export function meetOurselves(turn: Turn, link: LinkId, record: MemberRecord, publish: (turn: Turn) => void): void {
  const { state, env, now } = turn
  if (record.incarnation < state.incarnation) return offer(turn, link, env.signer.peer)
  change(turn, { incarnation: record.incarnation })
  // At the pace of refutations: two machines with one key would otherwise outbid each other as fast as they can.
  if (state.clone?.role !== 'passive') change(turn, { refutes: true })
  const { bootId, control } = record
  if (bootId === env.bootId) return
  if (record.leaving) return resume(turn)
  const proven = record.overrides === env.bootId || (state.clone?.bootId === bootId && state.clone.role !== 'suspected')
  const role = !proven ? 'suspected' : env.bootId > bootId ? 'passive' : 'active'
  const said = state.view.get(env.signer.peer)?.signed.record.overrides
  change(turn, { clone: { bootId, control, role, last: now } })
  if (proven && role !== state.clone?.role) turn.effects.push({ kind: 'cloned', clone: turn.state.clone })
  if (role !== 'passive') return
  // The other must have its proof as well before we fall silent.
  if (said !== bootId) publish(turn)
  withdraw(turn)
}

function withdraw(turn: Turn): void {
  change(turn, { refutes: false })
  for (const { id } of turn.state.links.values()) {
    flushLink(turn, id)
    unlink(turn, id, 'another machine runs with our key, and goes on')
  }
}

/** Whether we keep away from the mesh because another machine speaks for us. */
export function isPassive(turn: Turn): boolean {
  const { clone } = turn.state
  return clone?.role === 'passive' && turn.now < after(clone.last, LOOK_AGAIN)
}

/** The other machine no longer speaks for us, it seems: if it does, we shall hear. */
export function resume(turn: Turn): void {
  const told = turn.state.clone !== undefined && turn.state.clone.role !== 'suspected'
  change(turn, { clone: undefined })
  if (told) turn.effects.push({ kind: 'cloned', clone: undefined })
}

/** What is not heard again for long enough is no longer believed: it was stopped, or gives way to us. */
export function forgetClone(turn: Turn): void {
  const { clone } = turn.state
  const patience = clone?.role === 'passive' ? 2 * LOOK_AGAIN : LOOK_AGAIN
  if (clone !== undefined && elapsed(clone.last, turn.now) >= patience) resume(turn)
}
