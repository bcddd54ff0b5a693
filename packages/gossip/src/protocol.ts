/**
 * The membership protocol, whole and pure: `step(state, input, now) -> { state, effects }`.
 *
 * A member keeps links to others, says on what is new to it in the turn it arrives, compares whole views when digests
 * differ, watches the members it observes, and derives everybody's standing from records and accusations alone. There
 * is no gossip tick: the only periodic thing is the heartbeat of a quarter second, and nothing new ever waits for it.
 */
import { Map, Set } from 'immutable'
import {
  after,
  elapsed,
  EMPTY_VIEW,
  FIRST_KEY,
  instant,
  milliseconds,
  isForwarded,
  judge,
  NO_EVICTIONS,
  NOBODY_JUDGED,
  NOTHING_HEARD,
  seconds,
  unreachable,
  type Admission,
  type Bytes,
  type Incarnation,
  type Instant,
  type Lineage,
  type PeerId,
} from '@vxmesh/core'
import { REFUTE_PAUSE, believe, heed, publish, refute } from './beliefs.ts'
import { openEviction, openReissue } from './certificate.ts'
import { circleAfter, loneCircle } from './circle.ts'
import { forgetClone } from './clone.ts'
import { noteEnded } from './expiry.ts'
import { detect, forgiveAfterLag, noteFlaps } from './detector.ts'
import { approach, dialDue } from './dialling.ts'
import { EMPTY_ROOT, rootAfter } from './digest.ts'
import { believeEviction, evict } from './evictions.ts'
import { linked, receive, tidyLinks, undialled, unlinked } from './linking.ts'
import { openAccusation, openRecord, type Reached } from './message.ts'
import type { Draft } from './draft.ts'
import { askWhere, remember, seekLinked, tried } from './reach.ts'
import {
  ANTI_ENTROPY,
  BEAT,
  LEAVE_WAIT,
  type Content,
  type Effect,
  type Environment,
  type Input,
  type LinkId,
  type Seed,
  type State,
  type Turn,
} from './state.ts'
import { believeReissue, certifyAnew, succeed, takeUp } from './rotation.ts'
import { noteStrain, strain } from './strain.ts'
import { bury } from './tombstones.ts'
import { change, changeLink, draftRoot, flush, isIndebted, openLinks, trustOf } from './turn.ts'

export type Step = { readonly state: State; readonly effects: readonly Effect[] }

/** The envelopes of a view, and of evictions, as they were saved before a restart. */
export type Saved = {
  readonly records: readonly Bytes[]
  readonly accusations: readonly Bytes[]
  readonly evictions: readonly Bytes[]
  readonly reissues?: readonly Bytes[]
  /** Where members had been found. */
  readonly reached?: readonly Reached[]
}

/** What a member starts from. */
export type Beginning = {
  readonly content: Content
  /** The highest incarnation this member may ever have announced, as far as it can know: it begins above it. */
  readonly above: Incarnation
  readonly seeds: readonly Seed[]
  readonly saved: Saved
  /** The keys of the mesh after the first, as far as they were known. */
  readonly lineage?: Lineage
  /** What we were a member by before a later key certified us anew, if one did. */
  readonly fallback?: Admission | undefined
}

/** How many others must have heard a leave: each says it on to all the rest. */
const FAREWELLS = 2

/** How long deaths are remembered for the mass-failure hold. */
const DEATHS_KEPT = seconds(15)

/** A member at its start: it believes what it believed before, if it still verifies, and announces itself. */
export function begin(beginning: Beginning, now: Instant, env: Environment): Step {
  const { content, above, seeds, saved, lineage = FIRST_KEY, fallback } = beginning
  const turn = takeTurn(
    { ...emptyState(env.signer.peer, content, above, seeds, now), lineage, fallback, root: rootAfter(EMPTY_ROOT, undefined, lineage) },
    now,
    env,
  )
  for (const bytes of saved.records) {
    const opened = openRecord(trustOf(turn), bytes, (peer) => turn.state.view.get(peer)?.signed)
    if (opened.ok && opened.value.record.peer !== env.signer.peer) believe(turn, opened.value)
  }
  for (const bytes of saved.accusations) {
    const opened = openAccusation(trustOf(turn), bytes)
    if (opened.ok && turn.state.view.has(opened.value.observer)) heed(turn, opened.value)
  }
  for (const each of saved.reached ?? []) remember(turn, each)
  publish(turn)
  // Last, so that what is remembered of the evicted, ourselves perhaps, is known for what it is.
  for (const bytes of saved.evictions) {
    const opened = openEviction(trustOf(turn), bytes)
    if (opened.ok) believeEviction(turn, opened.value)
  }
  for (const bytes of saved.reissues ?? []) {
    const opened = openReissue(trustOf(turn), bytes)
    if (opened.ok) believeReissue(turn, opened.value)
  }
  takeUp(turn)
  return settle(turn)
}

function emptyState(self: PeerId, content: Content, incarnation: Incarnation, seeds: readonly Seed[], now: Instant): State {
  return {
    aloneUntil: now,
    content,
    incarnation,
    publishedAt: now,
    refutes: false,
    leaving: undefined,
    left: false,
    view: EMPTY_VIEW,
    evictions: NO_EVICTIONS,
    lineage: FIRST_KEY,
    contested: undefined,
    fallback: undefined,
    ended: Map(),
    lapsed: Set(),
    heard: NOTHING_HEARD,
    ...NOBODY_JUDGED,
    root: EMPTY_ROOT,
    judged: EMPTY_VIEW,
    unjudged: Set(),
    circle: loneCircle(self),
    flaps: Map(),
    strain: { score: 0, at: now },
    clone: undefined,
    comparisons: { begun: 0, bytes: 0 },
    links: Map(),
    watches: Map(),
    dials: Map(),
    reached: Map(),
    tries: Map(),
    seeds: Map(seeds.map((seed) => [seed, { peer: undefined, trouble: undefined }])),
    seen: Set(),
    shunned: Map(),
    news: 0,
    allowances: Map(),
    exchanged: false,
    deaths: [],
    nextBeat: now,
    doubtAt: undefined,
    due: now,
    nextNonce: 1,
    dropped: Map(),
  }
}

/** One input, and all that follows from it. */
export function step(state: State, input: Input, now: Instant, env: Environment): Step {
  if (state.left) return { state, effects: [] }
  const turn = takeTurn(state, now, env)
  noteStrain(turn)
  forgiveAfterLag(turn)
  take(turn, input)
  return settle(turn)
}

function takeTurn(state: State, now: Instant, env: Environment): Turn {
  return { env, now, state, effects: [], drafts: new globalThis.Map<LinkId, Draft>() }
}

function take(turn: Turn, input: Input): void {
  switch (input.kind) {
    case 'linked':
      return linked(turn, input)
    case 'unlinked':
      return unlinked(turn, input.link)
    case 'frame':
      return receive(turn, input.link, input.bytes)
    case 'congested':
      return changeLink(turn, input.link, { congested: true })
    case 'drained':
      return changeLink(turn, input.link, { congested: false })
    case 'undialled':
      return undialled(turn, input.target, input.failure)
    case 'tried':
      return tried(turn, input.peer, input.address, input.found)
    case 'approach':
      return approach(turn, input.place)
    case 'announce':
      change(turn, { content: input.content })
      return publish(turn)
    case 'renew':
      publish(turn, input.admission)
      return takeUp(turn)
    case 'leave':
      return leave(turn)
    case 'evict':
      return evict(turn, undefined, input.eviction)
    case 'succeed':
      return void succeed(turn, undefined, input.lineage)
    case 'reissue':
      return certifyAnew(turn, undefined, input.reissue)
    case 'tick':
      return
    default:
      return unreachable(input)
  }
}

function leave(turn: Turn): void {
  if (turn.state.leaving !== undefined) return
  change(turn, { leaving: { since: turn.now, farewells: Set() } })
  publish(turn)
}

/** What every turn ends with: standings, what time has brought, dials, and the frames to send. */
function settle(turn: Turn): Step {
  refute(turn)
  judgeAll(turn)
  if (turn.now >= turn.state.nextBeat) beat(turn)
  else if (turn.state.doubtAt !== undefined && turn.now >= turn.state.doubtAt) detect(turn)
  judgeAll(turn)
  const dialAt = turn.state.leaving === undefined ? dialDue(turn) : instant(Infinity)
  flush(turn)
  finishLeave(turn)
  change(turn, { due: nextWake(turn, dialAt) })
  return { state: turn.state, effects: turn.effects }
}

/** Brings the standings up to date with the view and with time, and tells what became of whom. */
function judgeAll(turn: Turn): void {
  const { view, judged, unjudged, verdictAt, heard } = turn.state
  if (view === judged && (verdictAt === undefined || turn.now < verdictAt)) return
  const { judgement, changes, heard: listened } = judge(turn.state, { view, before: judged, changed: unjudged, heard, now: turn.now })
  const self = turn.env.signer.peer
  const circle = circleAfter(turn.state.circle, self, judgement.standings, changes)
  change(turn, { ...judgement, heard: listened, circle, judged: view, unjudged: Set() })
  if (view !== judged || changes.length > 0) turn.effects.push({ kind: 'changed' })
  const others = changes.filter(({ peer }) => peer !== self)
  noteFlaps(turn, others)
  for (const { peer, was, is } of others) {
    if (was?.state !== is.state) turn.effects.push({ kind: 'member', record: view.get(peer)!.signed.record, was, is })
    if (is.state === 'dead' && was !== undefined && isForwarded(was)) change(turn, { deaths: [...turn.state.deaths, turn.now] })
  }
  bury(turn)
  if (turn.state.view !== view) judgeAll(turn)
}

function beat(turn: Turn): void {
  tidyLinks(turn)
  detect(turn)
  forgetClone(turn)
  const { observed } = turn.state.circle
  const slow = Math.floor(turn.now / ANTI_ENTROPY) !== Math.floor((turn.state.nextBeat - BEAT) / ANTI_ENTROPY)
  if (slow) noteEnded(turn)
  if (slow) askWhere(turn)
  seekLinked(turn)
  for (const link of openLinks(turn.state)) if (slow || observed.has(link.peer)) draftRoot(turn, link.id)
  change(turn, {
    nextBeat: after(turn.now, BEAT),
    deaths: turn.state.deaths.filter((death) => elapsed(death, turn.now) < DEATHS_KEPT),
  })
}

function nextWake(turn: Turn, dialAt: Instant): Instant {
  const { state, now } = turn
  const { nextBeat, refutes, publishedAt, leaving, clone } = state
  const wakes = [
    nextBeat,
    ...(state.doubtAt === undefined ? [] : [state.doubtAt]),
    dialAt,
    ...(leaving === undefined ? [] : [after(leaving.since, LEAVE_WAIT)]),
    ...(isIndebted(state) ? [now] : []),
    ...(refutes && clone?.role !== 'passive' ? [after(publishedAt, milliseconds(REFUTE_PAUSE * strain(turn)))] : []),
  ]
  return instant(Math.max(now, Math.min(...wakes)))
}

/** A leave is over when two others have it, or all that there are, or the wait for them is. */
function finishLeave(turn: Turn): void {
  const { leaving } = turn.state
  if (leaving === undefined) return
  const enough = Math.min(FAREWELLS, openLinks(turn.state).length)
  if (leaving.farewells.size < enough && elapsed(leaving.since, turn.now) < LEAVE_WAIT) return
  change(turn, { left: true })
  turn.effects.push({ kind: 'left' })
}
