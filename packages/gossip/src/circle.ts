/** The members around us: whom we link to, whom we observe, and whether we hear anybody at all. */
import { after, instant, isForwarded, type Instant, type PeerId, type Surroundings } from '@vxmesh/core'
import { linksOf, observersOf } from './graph.ts'
import { BEAT, REFUSAL_SILENCE, SILENCE, type State, type Watch } from './state.ts'

export type Circle = { readonly links: ReadonlySet<PeerId>; readonly observed: ReadonlySet<PeerId> }

/** Standings are immutable, so the circle that follows from them is computed once. */
const circles = new WeakMap<object, Circle>()

/** Whom we link to and whom we observe. The dead are in neither: they are dialled on their own, for ever. */
export function circle(state: State, self: PeerId): Circle {
  const known = circles.get(state.standings)
  if (known !== undefined) return known
  const living = [...state.standings].flatMap(([peer, standing]) => (isForwarded(standing) ? [peer] : []))
  const made = { links: linksOf(self, living), observed: observersOf(self, living) }
  circles.set(state.standings, made)
  return made
}

/** The observers of another member, ourselves among them or not. */
export function observersAround(state: State, subject: PeerId): ReadonlySet<PeerId> {
  const living = [...state.standings].flatMap(([peer, standing]) => (isForwarded(standing) || peer === subject ? [peer] : []))
  return observersOf(subject, living)
}

/** When a member, its daemon or its host, last gave any sign. */
export function lastSign(watch: Watch): Instant {
  return watch.refused !== undefined && watch.refused > watch.spoke ? watch.refused : watch.spoke
}

/** When it was last heard, by us or by another that says so. */
export function lastWord(watch: Watch): Instant {
  return instant(Math.max(lastSign(watch), watch.vouched ?? -Infinity))
}

/** Whether a member's daemon has been heard within the time of silence. */
export function speaks(watch: Watch | undefined, now: Instant): boolean {
  return watch !== undefined && watch.heard && now < after(watch.spoke, SILENCE)
}

/**
 * Whether there are other members and none of them gives a sign: then it is we who are cut off. A refused connection is
 * a sign, since a host sent it. Who knows of no other member at all, not even of one that left, has lost everybody too.
 */
export function isIsolated(state: State, self: PeerId, now: Instant): boolean {
  const others = state.standings.some((standing, peer) => peer !== self && standing.state !== 'left')
  const heard = state.watches.some(
    (watch) =>
      (watch.heard && now - watch.spoke < SILENCE + BEAT) || (watch.refused !== undefined && now < after(watch.refused, REFUSAL_SILENCE)),
  )
  return (others || state.standings.size <= 1) && !heard
}

/**
 * What decides whether removals must wait. When many die at once the first is dead a moment before the rest are, so
 * those that we do not hear at this moment count as well; by our own ears only, since anybody can accuse.
 */
export function surroundings(state: State, self: PeerId, now: Instant): Surroundings {
  const { aloneUntil, exchanged, view, watches, standings } = state
  const silent = [...watches].filter(
    ([peer, watch]) => watch.heard && now - lastSign(watch) > 2 * BEAT && standings.get(peer)?.state !== 'dead',
  )
  const deaths = [...state.deaths, ...silent.map(() => now)]
  return { now, startedAt: aloneUntil, exchanged, isolated: isIsolated(state, self, now), deaths, members: view.size }
}
