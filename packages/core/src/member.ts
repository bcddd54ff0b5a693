/**
 * What a view says of a member. Standing is a function of the view, of when this process first heard each kind of
 * accusation, and of now; it is derived everywhere and gossiped nowhere, so there is nothing to disagree about and
 * nothing to revive.
 */
import { Map } from 'immutable'
import type { Testimony } from './accusation.ts'
import { after, elapsed, seconds, type Incarnation, type Instant, type PeerId } from './values.ts'
import type { Belief, View } from './view.ts'

export type Standing =
  | { readonly state: 'alive' }
  | { readonly state: 'suspect'; readonly accusers: number }
  | { readonly state: 'restarting'; readonly since: Instant }
  | { readonly state: 'dead'; readonly because: 'quorum' | 'lone accuser' | 'restart hold' }
  | { readonly state: 'left' }

/** When this process first heard each testimony against a member's present incarnation. Local knowledge: it never travels. */
export type Heard = Map<PeerId, HeardOf>

type HeardOf = { readonly incarnation: Incarnation } & { readonly [testimony in Testimony]?: Instant }

export const NOTHING_HEARD: Heard = Map()

/** An accusation by fewer than a quorum must stand this long unrefuted: longer than any round trip to a subject that can still answer. */
export const LONE_ACCUSER = seconds(10)

/** How long a host whose daemon is gone keeps its entries: a slow upgrade or a reboot of the daemon, not an abandoned host. */
export const RESTART_HOLD = seconds(120)

/** Whether packets should still be sent to a member of this standing. */
export function isForwarded(standing: Standing): boolean {
  return standing.state === 'alive' || standing.state === 'suspect' || standing.state === 'restarting'
}

/**
 * How many distinct observers must call a member silent before it is dead. Members that are dead count as members:
 * the bar is never lowered by the very failure it judges, and fewer observers than this fall under the lone-accuser rule.
 */
export function quorum(view: View): number {
  const members = view.count((belief) => !belief.signed.record.leaving)
  return members >= 5 ? 3 : members >= 3 ? 2 : 1
}

/** The standing of every member of the view. */
export function standings(view: View, heard: Heard, now: Instant): Map<PeerId, Standing> {
  const bar = quorum(view)
  // Whether an accuser itself is credible is judged by raw counts, one level deep: a mutual definition would have no bottom.
  const credible = view.filter((belief) => !belief.signed.record.leaving && accusers(belief, 'silent').size < bar)
  return view.map((belief, peer) => standing(belief, heard.get(peer), credible, bar, now))
}

function accusers(belief: Belief, testimony: Testimony): Belief['accusations'] {
  return belief.accusations.filter((accusation) => accusation.testimony === testimony)
}

function standing(belief: Belief, heard: ReturnType<Heard['get']>, credible: View, bar: number, now: Instant): Standing {
  if (belief.signed.record.leaving) return { state: 'left' }
  const silent = accusers(belief, 'silent').filter((_, observer) => credible.has(observer)).size
  if (silent >= bar) return { state: 'dead', because: 'quorum' }
  if (silent > 0 && expired(heard?.silent, LONE_ACCUSER, now)) return { state: 'dead', because: 'lone accuser' }
  const gone = accusers(belief, 'gone').filter((_, observer) => credible.has(observer)).size
  if (gone > 0) {
    return expired(heard?.gone, RESTART_HOLD, now)
      ? { state: 'dead', because: 'restart hold' }
      : { state: 'restarting', since: heard?.gone ?? now }
  }
  return silent > 0 ? { state: 'suspect', accusers: silent } : { state: 'alive' }
}

function expired(start: Instant | undefined, wait: typeof LONE_ACCUSER, now: Instant): boolean {
  return start !== undefined && elapsed(start, now) >= wait
}

/** What was heard, brought up to date with a view that may have changed: first times stay, refuted incarnations are forgotten. */
export function hear(heard: Heard, view: View, peer: PeerId, now: Instant): Heard {
  const belief = view.get(peer)
  if (belief === undefined || belief.accusations.isEmpty()) return heard.delete(peer)
  const { incarnation } = belief.signed.record
  const known = heard.get(peer)
  const times = known?.incarnation === incarnation ? known : { incarnation }
  const missing = belief.accusations
    .valueSeq()
    .map((accusation) => accusation.testimony)
    .toSet()
    .filter((testimony) => times[testimony] === undefined)
  if (missing.isEmpty() && times === known) return heard
  return heard.set(peer, { ...times, ...Object.fromEntries(missing.map((testimony) => [testimony, now])) })
}

/** What was heard, given that nobody listened between two instants: a verdict that was still to come then comes that much later. */
export function hearLate(heard: Heard, from: Instant, to: Instant): Heard {
  const later = (start: Instant | undefined, wait: typeof LONE_ACCUSER) =>
    start === undefined || expired(start, wait, from) ? start : after(start, elapsed(from, to))
  return heard.map(({ incarnation, silent, gone }) => times(incarnation, later(silent, LONE_ACCUSER), later(gone, RESTART_HOLD)))
}

function times(incarnation: Incarnation, silent: Instant | undefined, gone: Instant | undefined): HeardOf {
  return { incarnation, ...(silent === undefined ? {} : { silent }), ...(gone === undefined ? {} : { gone }) }
}

/** The next instant at which a standing changes by the mere passing of time, if there is one. */
export function nextVerdict(heard: Heard, now: Instant): Instant | undefined {
  return heard
    .valueSeq()
    .flatMap(({ silent, gone }) => [
      ...(silent === undefined ? [] : [after(silent, LONE_ACCUSER)]),
      ...(gone === undefined ? [] : [after(gone, RESTART_HOLD)]),
    ])
    .filter((verdict) => verdict > now)
    .min()
}
