/**
 * What a view says of a member. Standing is a function of the view, of when this process first heard each kind of
 * accusation, and of now; it is derived everywhere and gossiped nowhere, so there is nothing to disagree about and
 * nothing to revive.
 */
import { Map, Set } from 'immutable'
import type { Testimony } from './accusation.ts'
import { after, elapsed, seconds, type Incarnation, type Instant, type PeerId } from './values.ts'
import { EMPTY_VIEW, type Belief, type View } from './view.ts'

export type Standing =
  | { readonly state: 'alive' }
  | { readonly state: 'suspect'; readonly accusers: number }
  | { readonly state: 'restarting'; readonly since: Instant }
  | { readonly state: 'dead'; readonly because: 'quorum' | 'lone accuser' | 'restart hold' }
  | { readonly state: 'left' }
  | { readonly state: 'evicted' }

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

/** What a view comes to at one instant, with what it takes to follow the next change without judging everybody anew. */
export type Judgement = {
  readonly standings: Map<PeerId, Standing>
  /** Whose standing may change though nothing new is heard of them: by the passing of time, or with an accuser's credit. */
  readonly accused: Set<PeerId>
  /** Members that neither left nor were evicted. */
  readonly members: number
  /** When time alone may change a standing. */
  readonly verdictAt: Instant | undefined
}

export const NOBODY_JUDGED: Judgement = { standings: Map(), accused: Set(), members: 0, verdictAt: undefined }

/** A standing that is not what it was; `was` is undefined for a new member. */
export type Change = { readonly peer: PeerId; readonly was: Standing | undefined; readonly is: Standing }

/**
 * How many distinct observers must call a member silent before it is dead. Members that are dead count as members:
 * the bar is never lowered by the very failure it judges, and fewer observers than this fall under the lone-accuser rule.
 */
export function quorum(members: number): number {
  return members >= 5 ? 3 : members >= 3 ? 2 : 1
}

/** The standing of every member of the view. */
export function standings(view: View, heard: Heard, now: Instant): Map<PeerId, Standing> {
  return judge(NOBODY_JUDGED, { view, before: EMPTY_VIEW, changed: view.keySeq(), heard, now }).judgement.standings
}

/** A view and the one judged before it, and which beliefs may differ between the two. */
export type Case = {
  readonly view: View
  readonly before: View
  readonly changed: Iterable<PeerId>
  readonly heard: Heard
  readonly now: Instant
}

/** The judgement after a change of the view or of time: the same as if all were judged anew, at the cost of what changed. */
export function judge(
  judged: Judgement,
  { view, before, changed, heard, now }: Case,
): { readonly judgement: Judgement; readonly changes: readonly Change[]; readonly heard: Heard } {
  const peers = [...changed]
  const members = peers.reduce(
    (count, peer) => count + Number(isMember(view.get(peer))) - Number(isMember(before.get(peer))),
    judged.members,
  )
  const bar = quorum(members)
  const accused = judged.accused.withMutations((set) => {
    for (const peer of peers)
      if (view.get(peer)?.accusations.isEmpty() ?? true) set.delete(peer)
      else set.add(peer)
  })
  const timeHasCome = judged.verdictAt !== undefined && now >= judged.verdictAt
  const oneFell = peers.some((peer) => isCredible(view.get(peer), bar) !== isCredible(before.get(peer), bar))
  const others = bar !== quorum(judged.members) || timeHasCome || oneFell ? accused : []
  const changes: Change[] = []
  let listened = heard
  const next = judged.standings.withMutations((map) => {
    for (const peer of new globalThis.Set([...peers, ...others])) {
      const belief = view.get(peer)
      const was = map.get(peer)
      if (belief === undefined) {
        map.delete(peer)
        listened = listened.delete(peer)
        continue
      }
      listened = hear(listened, view, peer, bar, now)
      const is = standing(belief, listened.get(peer), view, bar, now)
      if (isSame(is, was)) continue
      map.set(peer, is)
      changes.push({ peer, was, is })
    }
  })
  const judgedNow = [...peers, ...others]
  const verdicts = timeHasCome
    ? [nextVerdict(listened, now)]
    : [judged.verdictAt, ...judgedNow.map((peer) => verdictOf(listened.get(peer), now))]
  return { judgement: { standings: next, accused, members, verdictAt: earliest(verdicts) }, changes, heard: listened }
}

function isMember(belief: Belief | undefined): boolean {
  return belief !== undefined && !belief.evicted && !belief.signed.record.leaving
}

/** Whether an accuser is believed is judged by raw counts, one level deep: a mutual definition would have no bottom. */
function isCredible(observer: Belief | undefined, bar: number): boolean {
  return observer !== undefined && isMember(observer) && accusers(observer, 'silent').length < bar
}

type Accusers = { readonly [testimony in Testimony]: readonly PeerId[] }

/** Beliefs are immutable, so who accuses in one stays true; the memo dies with the belief. */
const counted = new WeakMap<Belief, Accusers>()

function accusers(belief: Belief, testimony: Testimony): readonly PeerId[] {
  if (belief.accusations.isEmpty()) return []
  const known = counted.get(belief) ?? count(belief)
  counted.set(belief, known)
  return known[testimony]
}

function count({ accusations }: Belief): Accusers {
  const all = [...accusations.values()]
  const of = (testimony: Testimony) => all.flatMap((each) => (each.testimony === testimony ? [each.observer] : []))
  return { silent: of('silent'), gone: of('gone') }
}

function isSame(a: Standing, b: Standing | undefined): boolean {
  return a.state === b?.state && (a.state !== 'suspect' || b.state !== 'suspect' || a.accusers === b.accusers)
}

/** How many whose word counts say so. */
function believed(belief: Belief, testimony: Testimony, view: View, bar: number): number {
  return accusers(belief, testimony).filter((observer) => isCredible(view.get(observer), bar)).length
}

const ALIVE: Standing = { state: 'alive' }

function standing(belief: Belief, heard: ReturnType<Heard['get']>, view: View, bar: number, now: Instant): Standing {
  if (belief.evicted) return { state: 'evicted' }
  if (belief.signed.record.leaving) return { state: 'left' }
  if (belief.accusations.isEmpty()) return ALIVE
  const silent = believed(belief, 'silent', view, bar)
  if (silent >= bar) return { state: 'dead', because: 'quorum' }
  if (silent > 0 && expired(heard?.silent, LONE_ACCUSER, now)) return { state: 'dead', because: 'lone accuser' }
  if (believed(belief, 'gone', view, bar) > 0) {
    return expired(heard?.gone, RESTART_HOLD, now)
      ? { state: 'dead', because: 'restart hold' }
      : { state: 'restarting', since: heard?.gone ?? now }
  }
  return silent > 0 ? { state: 'suspect', accusers: silent } : ALIVE
}

function expired(start: Instant | undefined, wait: typeof LONE_ACCUSER, now: Instant): boolean {
  return start !== undefined && elapsed(start, now) >= wait
}

/**
 * What was heard, brought up to date with a view that may have changed: first times stay, refuted incarnations are
 * forgotten. The word of an accuser that is not believed, since it left say, is as if it had not been said: should it be
 * believed again, its wait begins then.
 */
export function hear(heard: Heard, view: View, peer: PeerId, bar: number, now: Instant): Heard {
  const belief = view.get(peer)
  const silent = belief !== undefined && believed(belief, 'silent', view, bar) > 0
  const gone = belief !== undefined && believed(belief, 'gone', view, bar) > 0
  const held = heard.get(peer)
  if (belief === undefined || (!silent && !gone)) return held === undefined ? heard : heard.delete(peer)
  const { incarnation } = belief.signed.record
  const known = held?.incarnation === incarnation ? held : undefined
  if (known !== undefined && (known.silent !== undefined) === silent && (known.gone !== undefined) === gone) return heard
  return heard.set(peer, times(incarnation, silent ? (known?.silent ?? now) : undefined, gone ? (known?.gone ?? now) : undefined))
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
  return earliest([...heard.values()].map((of) => verdictOf(of, now)))
}

function verdictOf(heard: HeardOf | undefined, now: Instant): Instant | undefined {
  const silent = heard?.silent === undefined ? undefined : after(heard.silent, LONE_ACCUSER)
  const gone = heard?.gone === undefined ? undefined : after(heard.gone, RESTART_HOLD)
  return earliest([silent, gone].filter((verdict) => verdict !== undefined && verdict > now))
}

function earliest(instants: readonly (Instant | undefined)[]): Instant | undefined {
  return instants.reduce((least, each) => (least === undefined || (each !== undefined && each < least) ? each : least), undefined)
}
