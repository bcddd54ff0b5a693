/**
 * Memberships that end. An end is told long before, and is no outage: what stands goes on standing for a week, counted by
 * each member on a clock that nobody sets, from when it first saw the end. So a wall clock that jumps by a year costs
 * nothing for a week. Who has ended is derived from certificates and clocks, and never travels.
 */
import { Map, Set } from 'immutable'
import { elapsed, seconds, wallTime, type Instant, type PeerId, type WallTime } from './values.ts'
import type { Belief, View } from './view.ts'

const DAY = 86_400

/** The clocks of two hosts may differ by this much. */
const TOLERANCE = seconds(600)

/** How long the entries of a member stand after its membership was first seen to have ended. */
export const EXPIRY_GRACE = seconds(7 * DAY)

/** How many days before the end people are told, the last of them first. */
const WARNED = [1, 7, 30] as const

/** What is left of a membership: more than anybody needs to know of, at most so many days, or nothing. */
export type Lifetime = { readonly state: 'lasting' } | { readonly state: 'ending'; readonly days: 1 | 7 | 30 } | { readonly state: 'ended' }

/** @param until undefined: it has no end */
export function lifetime(until: WallTime | undefined, wall: WallTime): Lifetime {
  if (until === undefined) return { state: 'lasting' }
  if (wall > until + TOLERANCE) return { state: 'ended' }
  const days = WARNED.find((each) => until - wall <= seconds(each * DAY))
  return days === undefined ? { state: 'lasting' } : { state: 'ending', days }
}

export function hasEnded(until: WallTime | undefined, wall: WallTime): boolean {
  return lifetime(until, wall).state === 'ended'
}

/** The end of what begins now and lasts so long; none where it lasts for ever, which is 0. */
export function endAfter(now: number, milliseconds: number): WallTime | undefined {
  return milliseconds === 0 ? undefined : wallTime(now + milliseconds)
}

/** When the membership of each member that looks ended was first seen to be. */
export type Ended = Map<PeerId, Instant>

/** The same after looking again: who does no more, since it was renewed or the clock was set back, begins anew the next time. */
export function endedAfter(ended: Ended, view: View, wall: WallTime, now: Instant): Ended {
  const next = Map(view.filter((belief) => isOver(belief, wall)).map((_, peer) => ended.get(peer) ?? now))
  return next.equals(ended) ? ended : next
}

/** The same after looking at one member only, of whom something new is known. */
export function endedWith(ended: Ended, belief: Belief, wall: WallTime, now: Instant): Ended {
  const { peer } = belief.signed.record
  if (!isOver(belief, wall)) return ended.delete(peer)
  return ended.has(peer) ? ended : ended.set(peer, now)
}

function isOver({ signed, evicted }: Belief, wall: WallTime): boolean {
  return !evicted && !signed.record.leaving && hasEnded(signed.admission.bounds.until, wall)
}

/** Those whose grace is over: their entries go. */
export function lapsed(ended: Ended, now: Instant): Set<PeerId> {
  return Set(ended.filter((since) => elapsed(since, now) >= EXPIRY_GRACE).keys())
}

/** When most have ended at once it is rather our clock, or one date that all have: then what stands goes on as it was while the grace lasts. */
export function isDoubtful(ended: Ended, members: number): boolean {
  return 2 * ended.size > members
}
