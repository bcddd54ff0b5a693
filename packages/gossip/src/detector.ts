/**
 * Who is silent. A member is watched by its observers over their own links; gossip about it is never a sign of life.
 * Silence is confirmed by another member that speaks to us before anybody is accused, so that one broken link accuses
 * nobody, and a member that hears from nobody accuses nobody. What it testifies is signed and binds nobody: a quorum
 * decides, and the subject can refute.
 */
import { after, elapsed, hearLate, instant, milliseconds, seconds, type Change, type Instant, type PeerId } from '@vxmesh/core'
import { accuse, ownTestimony } from './beliefs.ts'
import { hearsNobody, lastSign, lastWord, observersAround, speaks } from './circle.ts'
import { isSpared } from './expiry.ts'
import { strain } from './strain.ts'
import { NEVER, type Answer, type Question } from './message.ts'
import {
  FIRST_SILENCE,
  INQUIRY,
  BEAT,
  OWN_LAG,
  REFUSAL_SILENCE,
  SILENCE,
  STILL,
  STILL_COUNTS,
  type Flaps,
  type LinkId,
  type State,
  type Turn,
  type Watch,
} from './state.ts'
import { change, draft, flushLink, openLinks, openLinkTo, unlink } from './turn.ts'

/** How many other members are asked about a silent one. */
const HELPERS = 2

/** Of one that refutes and stays silent we are twice as patient each time, this often. */
const REBUFFS_MOST = 6

/** Alone, how long a silent link is kept before it is dialled anew. */
const ISOLATED_PATIENCE = seconds(2)

/** A member was heard. */
export function touch(turn: Turn, peer: PeerId): void {
  setWatch(turn, peer, { ...listening(turn.now), heard: true, stood: stillness(turn.state.watches.get(peer), turn.now) })
}

/** The longest that a member stood still of late, now that it is heard again. */
function stillness(watch: Watch | undefined, now: Instant): Watch['stood'] {
  const known = watch?.stood !== undefined && elapsed(watch.stood.until, now) < STILL_COUNTS ? watch.stood : undefined
  const still = watch?.heard === true ? elapsed(watch.spoke, now) : 0
  if (still <= STILL || still >= 2 * SILENCE) return known
  return { still: milliseconds(Math.max(still, known?.still ?? 0)), until: now }
}

/** A member's host refused a connection: it lives, its daemon does not. */
export function refused(turn: Turn, peer: PeerId): void {
  if (openLinkTo(turn.state, peer) !== undefined) return
  const watch = turn.state.watches.get(peer) ?? listening(turn.now)
  setWatch(turn, peer, { ...watch, refused: turn.now, inquiry: undefined })
  if (turn.state.circle.observed.has(peer)) accuse(turn, peer, 'gone')
}

/** Nothing at all came back from where a member should be. */
export function unanswered(turn: Turn, peer: PeerId): void {
  const watch = turn.state.watches.get(peer)
  if (watch !== undefined) setWatch(turn, peer, { ...watch, unanswered: turn.now })
}

/**
 * Our own timers ran late, so what looks like the silence of others may be ours. We begin to listen anew, the
 * time does not count for any accusation that waits, and until views have been exchanged we are as alone as at the start.
 */
export function forgiveAfterLag(turn: Turn): void {
  const { due, watches, heard } = turn.state
  if (turn.now - due <= OWN_LAG) return
  change(turn, {
    watches: watches.map(({ stood }) => ({ ...listening(turn.now), stood })),
    heard: hearLate(heard, due, turn.now),
  })
  beAlone(turn)
}

/** Nobody is heard: what we believe of the others is old by the time we hear them again. */
function beAlone(turn: Turn): void {
  change(turn, { aloneUntil: turn.now, exchanged: false })
}

/** Judges every member that we observe, and notes when the next of them is to be judged. */
export function detect(turn: Turn): void {
  const { observed } = turn.state.circle
  const slower = suspectsItself(turn)
  const strained = strain(turn)
  let doubtAt: Instant | undefined
  for (const peer of observed) {
    const watch = turn.state.watches.get(peer)
    if (watch === undefined) {
      setWatch(turn, peer, listening(turn.now))
      continue
    }
    const at = after(lastWord(watch), milliseconds(slower + allowedSilence(watch) * strained * damping(turn, peer)))
    if (turn.now < at) doubtAt = at < turn.now + BEAT && (doubtAt === undefined || at < doubtAt) ? at : doubtAt
    else if (isEvident(turn.state, peer, watch)) doubt(turn, peer, watch)
  }
  // Of the dead it is kept when they were last heard: people ask.
  const { standings, watches } = turn.state
  const needed = (peer: PeerId) => observed.has(peer) || openLinkTo(turn.state, peer) !== undefined || standings.get(peer)?.state === 'dead'
  change(turn, { watches: watches.deleteAll([...watches.keys()].filter((peer) => !needed(peer))), doubtAt })
  if (hearsNobody(turn.state, turn.env.signer.peer, turn.now)) beAlone(turn)
}

/**
 * Whether the silence of a member is its own: a link to it stands and carries nothing, or a dial since its last sign went
 * unanswered, or it broke the protocol and is shunned. A link that was closed and is not dialled again yet tells nothing:
 * that is how a daemon stops.
 */
function isEvident(state: State, peer: PeerId, watch: Watch): boolean {
  if (isSpared(state, peer)) return false
  return (
    openLinkTo(state, peer) !== undefined ||
    state.shunned.has(peer) ||
    (watch.unanswered !== undefined && watch.unanswered > lastSign(watch))
  )
}

/**
 * When a third of those that we listen to, and more than one, fall silent within one second, the likelier cause is here:
 * a cable, a switch, our own clock. They get a second more; if they are still silent then while others speak, it was they.
 */
function suspectsItself({ now, state: { circle, watches } }: Turn): number {
  const listened = [...circle.observed].flatMap((peer) => watches.get(peer) ?? []).filter((watch) => watch.heard)
  const fell = listened.filter((watch) => now - watch.spoke >= SILENCE && now - watch.spoke < 2 * SILENCE + BEAT)
  return fell.length > 1 && 3 * fell.length >= listened.length ? SILENCE : 0
}

/** A member that came back from the dead this often is given longer and longer, until it has been steady for a while. */
const FLAPS_FREE = 2
const FLAPS_MOST = 5
const FLAP_HALVES = seconds(60)

/** By how much the silence allowed to a member is multiplied: 1 but for one that flaps, and 8 at most. */
function damping({ now, state }: Turn, peer: PeerId): number {
  const flaps = state.flaps.get(peer)
  return flaps === undefined ? 1 : 2 ** Math.max(0, Math.floor(remaining(flaps, now)) - FLAPS_FREE)
}

/** Flaps count half as much with every minute. */
function remaining({ count, at }: Flaps, now: Instant): number {
  return count * 0.5 ** (elapsed(at, now) / FLAP_HALVES)
}

/** Notes who came back from the dead, and forgets whose flaps no longer count. */
export function noteFlaps(turn: Turn, changes: readonly Change[]): void {
  const back = changes.filter(({ was, is }) => was?.state === 'dead' && is.state === 'alive')
  if (back.length === 0) return
  const flaps = back.reduce((held, { peer }) => {
    const known = held.get(peer)
    return held.set(peer, { count: Math.min(FLAPS_MOST, 1 + (known === undefined ? 0 : remaining(known, turn.now))), at: turn.now })
  }, turn.state.flaps)
  change(turn, { flaps: flaps.filter((each) => remaining(each, turn.now) >= 0.5) })
}

/** How long a member may be silent before it is doubted: twice as long with each refutation after which it stayed silent to us. */
function allowedSilence(watch: Watch): number {
  return firstAllowedSilence(watch) * 2 ** Math.min(REBUFFS_MOST, watch.rebuffs)
}

/** The same for one that has refuted nothing yet: longer where it may be starting. */
function firstAllowedSilence(watch: Watch): number {
  if (watch.refused !== undefined && watch.refused > watch.spoke) return REFUSAL_SILENCE
  if (!watch.heard) return FIRST_SILENCE
  return watch.stood === undefined ? SILENCE : Math.min(2 * SILENCE, Math.max(SILENCE, watch.stood.still + 2 * BEAT))
}

/**
 * A member is silent to us, and to us alone perhaps. In a small mesh others that observe it are linked to us, and are
 * asked. In a large one they are not: then our word, which counts for one, is said if others speak to us, and the
 * member refutes it if it can.
 */
function doubt(turn: Turn, subject: PeerId, watch: Watch): void {
  const { state, now, env } = turn
  if (ownTestimony(turn, subject) === 'silent' || state.standings.get(subject)?.state === 'dead') return
  const speaking = openLinks(state).filter(({ peer }) => peer !== subject && speaks(state.watches.get(peer), now))
  if (speaking.length === 0) {
    if (now - lastSign(watch) >= ISOLATED_PATIENCE) closeLinkTo(turn, subject, 'silent, and nobody else is heard')
    return
  }
  const observers = observersAround(state, subject)
  const helpers = speaking.filter(({ peer }) => observers.has(peer))
  if (helpers.length === 0) return testify(turn, subject)
  if (watch.inquiry !== undefined && now - watch.inquiry.asked < INQUIRY) return
  const nonce = state.nextNonce
  change(turn, { nextNonce: (nonce + 1) % 2 ** 32 })
  setWatch(turn, subject, { ...watch, inquiry: { nonce, asked: now } })
  const from = Math.floor(env.random() * helpers.length)
  for (let index = 0; index < Math.min(HELPERS, helpers.length); index++) {
    draft(turn, helpers[(from + index) % helpers.length]!.id).questions.push({ nonce, subject })
  }
}

function testify(turn: Turn, subject: PeerId): void {
  accuse(turn, subject, 'silent')
  closeLinkTo(turn, subject, 'silent')
}

/** Another member asks when we last heard of one. To have listened and dialled for a whole silence in vain is an answer too. */
export function receiveQuestion(turn: Turn, link: LinkId, { nonce, subject }: Question): void {
  const watch = turn.state.watches.get(subject)
  draft(turn, link).answers.push({ nonce, age: watch === undefined ? undefined : ageOf(turn, subject, watch) })
}

function ageOf(turn: Turn, subject: PeerId, watch: Watch): number | undefined {
  const age = Math.max(0, Math.round(turn.now - lastSign(watch)))
  if (age >= SILENCE && ownTestimony(turn, subject) !== 'silent' && !isEvident(turn.state, subject, watch)) return undefined
  if (watch.heard || watch.refused !== undefined) return age
  return age >= SILENCE ? NEVER : undefined
}

/** Another member says when it last heard the one we asked about: since us, and our link is broken; not since, and it is silent. */
export function receiveAnswer(turn: Turn, { nonce, age }: Answer): void {
  const asked = turn.state.watches.findEntry((watch) => watch.inquiry?.nonce === nonce)
  if (asked === undefined || age === undefined) return
  const [subject, watch] = asked
  const vouched = instant(turn.now - age)
  if (vouched > lastWord(watch) + 2 * BEAT) {
    setWatch(turn, subject, { ...watch, vouched, inquiry: undefined })
    closeLinkTo(turn, subject, 'silent to us, heard by another')
    return
  }
  setWatch(turn, subject, { ...watch, inquiry: undefined })
  testify(turn, subject)
}

function closeLinkTo(turn: Turn, peer: PeerId, reason: string): void {
  const link = openLinkTo(turn.state, peer)
  if (link === undefined) return
  // What we say of it may still reach it, and be refuted, where only its way to us is broken.
  flushLink(turn, link.id)
  unlink(turn, link.id, reason)
}

function listening(now: Instant): Watch {
  return {
    spoke: now,
    refused: undefined,
    vouched: undefined,
    unanswered: undefined,
    rebuffs: 0,
    heard: false,
    stood: undefined,
    inquiry: undefined,
  }
}

function setWatch(turn: Turn, peer: PeerId, watch: Watch): void {
  change(turn, { watches: turn.state.watches.set(peer, watch) })
}
