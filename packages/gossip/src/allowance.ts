/**
 * What a peer may say that is of no use. An admitted one may lie, which the verification of all that is said finds out, or
 * say nothing false and far too much of it.
 *
 * So each peer has an allowance, in frames, which what it says uses up and time fills again; who has used it up is cut off.
 * What is new to us fills those of all our peers, whoever brought it, since over every link comes a copy of it: that a
 * thousand members join at once, or that ten links compare views, costs nobody anything. Who says something of itself, or
 * accuses, makes news, and the refutation is more of it: that costs more than it brings, or it would be a way to pay.
 *
 * An honest peer sends four frames a second where it beats, answers, a copy of each piece of news, and what differs when
 * views are compared. In the histories of the simulator, joins, cuts and churn of up to 256 members, none used up more than a
 * tenth of its allowance; that none uses up half is a law there. A thousand empty frames a second take a little over a
 * second for all of it.
 */
import type { Instant, PeerId } from '@vxmesh/core'
import type { State } from './state.ts'

export type Allowance = {
  readonly left: number
  readonly at: Instant
  /** How much had been new to us by then. */
  readonly news: number
}

/** What there is after a pause, and what a second adds. */
export const ALLOWANCE = 1024
const ADDED_A_SECOND = 100

/** What news adds: its copy, in a frame of its own, may be verified in vain, and once more where both ends say it at the same time. */
const NEWS_ADDS = 4

/** A frame costs one, and another for so many bytes, or questions: those are answered. */
const BYTES_FOR_ONE = 4096
const QUESTIONS_FOR_ONE = 4

/** Whatever has to be verified, and what was not believed then: somebody's word that is about to be overruled may come over anybody's link. */
export const ENVELOPE_COST = 1
export const UNBELIEVED_COST = 16

/** A peer's own record or accusation: an honest one refutes five times a second, and accuses whom it observes. */
export const OWN_WORD_COST = 8

/** A link: a handshake, and all that one begins with. */
export const LINK_COST = 16

export function frameCost(bytes: number, questions: number): number {
  return 1 + bytes / BYTES_FOR_ONE + questions / QUESTIONS_FOR_ONE
}

/** What is left of a peer's allowance. What news added beyond a full one is gone by half with every second. */
export function leftOf({ allowances, news }: Pick<State, 'allowances' | 'news'>, peer: PeerId, now: Instant): number {
  const held = allowances.get(peer)
  if (held === undefined) return ALLOWANCE
  const passed = (now - held.at) / 1000
  const added = NEWS_ADDS * (news - held.news)
  const left =
    held.left > ALLOWANCE ? ALLOWANCE + (held.left - ALLOWANCE) * 0.5 ** passed : Math.min(ALLOWANCE, held.left + passed * ADDED_A_SECOND)
  return left + added
}
