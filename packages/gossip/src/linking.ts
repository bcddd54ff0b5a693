/**
 * The life of a link: greeted, admitted, open, gone. The dialler shows its certificates first; a peer without valid
 * ones is told nothing, not even that this is a mesh. Of two links to one peer, that of the smaller id's dial stays.
 */
import { after, seconds, type Bounds, type Bytes, type PeerId } from '@vxmesh/core'
import { Set } from 'immutable'
import { ALLOWANCE, frameCost, leftOf, LINK_COST } from './allowance.ts'
import { ownAdmission, receiveAccusation, receiveRecord } from './beliefs.ts'
import { verifyChain } from './certificate.ts'
import { isPassive } from './clone.ts'
import { receiveAnswer, receiveQuestion, refused, touch, unanswered } from './detector.ts'
import { dialFailed, dialled, redial } from './dialling.ts'
import { isOut, receiveEviction, showOut } from './evictions.ts'
import { isClosedTo } from './expiry.ts'
import { HELLO_MOST, parseFrame, type Frame } from './message.ts'
import {
  GREETING,
  isSeed,
  SHUN,
  type DialFailure,
  type Input,
  type Link,
  type LinkId,
  type Seed,
  type SeedState,
  type Target,
  type Turn,
} from './state.ts'
import { strain } from './strain.ts'
import { bytesOf } from './succession.ts'
import { forgetReached, noteLink, receiveReached } from './reach.ts'
import { receiveBuckets, receiveRoot, receiveSummaries, receiveWants } from './sync.ts'
import { receiveLineage, receiveReissue, tellAtTheDoor } from './rotation.ts'
import { change, changeLink, charge, draft, draftRoot, drop, offer, openLinks, openLinkTo, trustOf, unlink } from './turn.ts'

/** How many peers may be at the door at once, all together: from how many places, and how many from each, see `libp2p/door.ts`. */
const GREETINGS_MOST = 256

/** A stream to a peer whose key the Noise handshake has proven. */
export function linked(turn: Turn, { link: id, peer, dialled: target, at }: Extract<Input, { kind: 'linked' }>): void {
  if (target !== undefined) dialled(turn, target)
  const waiting = turn.state.links.count((link) => link.phase === 'greeting' && link.dialled === undefined)
  const link: Link = {
    id,
    peer,
    dialled: target,
    at,
    phase: 'greeting',
    since: turn.now,
    differsSince: undefined,
    summarisedAt: undefined,
    congested: false,
    owed: Set(),
  }
  change(turn, { links: turn.state.links.set(id, link) })
  if (isPassive(turn)) return unlink(turn, id, 'another machine runs with our key')
  if (isOut(turn, turn.env.signer.peer)) return unlink(turn, id, 'we are evicted')
  if (isOut(turn, peer)) return turnAway(turn, link)
  if (turn.state.shunned.has(peer)) return unlink(turn, id, 'broke the protocol of late')
  if (target === undefined && waiting >= GREETINGS_MOST) return unlink(turn, id, 'too many at the door')
  if (target !== undefined) greeted(turn, id)
}

/** Shows our certificates, and what it takes to verify them. */
function greeted(turn: Turn, id: LinkId): void {
  draft(turn, id).hello = { chain: ownAdmission(turn).chain, successions: bytesOf(turn.state.lineage) }
}

/** Of an evicted peer nothing is asked: it is told that it is evicted, and shown out. */
function turnAway(turn: Turn, link: Link): void {
  showOut(turn, link.id, link.peer)
  if (link.dialled !== undefined && isSeed(link.dialled)) trouble(turn, link.dialled, 'evicted')
  redial(turn, link)
}

/** The other end, or the network, ended a link. */
export function unlinked(turn: Turn, id: LinkId): void {
  const link = turn.state.links.get(id)
  if (link === undefined) return
  change(turn, { links: turn.state.links.delete(id) })
  turn.drafts.delete(id)
  forgetReached(turn, link.peer)
  // It ended for the sake of another: then we know where it led to.
  if (openLinkTo(turn.state, link.peer) !== undefined) return leadsTo(turn, link)
  // It closed before it admitted us: it is of another mesh, or does not accept our certificate.
  if (link.phase === 'greeting' && link.dialled !== undefined && isSeed(link.dialled)) trouble(turn, link.dialled, 'unwelcome')
  redial(turn, link)
}

/** A dial failed. */
export function undialled(turn: Turn, target: Target, failure: DialFailure): void {
  if (isSeed(target) && !turn.state.seeds.has(target)) return
  dialFailed(turn, target)
  if (isSeed(target)) {
    if (failure === 'self') change(turn, { seeds: turn.state.seeds.set(target, { peer: turn.env.signer.peer, trouble: undefined }) })
    else trouble(turn, target, failure)
  } else if (failure === 'refused') refused(turn, target)
  // Who breaks off a handshake may be short of time, or another altogether: others are asked, as after no answer at all.
  else if (failure === 'unanswered' || failure === 'unusable') unanswered(turn, target)
}

/** What stands in the way of a seed. Where only a member may have been nothing is said. */
function trouble(turn: Turn, seed: Seed, what: NonNullable<SeedState['trouble']>): void {
  const { seeds } = turn.state
  if (!seeds.has(seed)) return
  change(turn, { seeds: seeds.set(seed, { peer: seeds.get(seed)?.peer, trouble: what }) })
  turn.effects.push({ kind: 'trouble', seed, trouble: what })
}

/** Ends greetings that take too long and lets the shunned in again. */
export function tidyLinks(turn: Turn): void {
  for (const link of turn.state.links.values()) {
    if (link.phase !== 'greeting' || turn.now - link.since < GREETING * strain(turn)) continue
    unlink(turn, link.id, 'showed no certificate in time')
    redial(turn, link)
  }
  shed(turn)
  tidyAllowances(turn)
  const shunned = turn.state.shunned.filter((until) => turn.now < until)
  if (shunned.size !== turn.state.shunned.size) change(turn, { shunned })
}

/** Lets what news added melt, and forgets the allowances of those who are gone once they are full again. */
function tidyAllowances(turn: Turn): void {
  const { state, now } = turn
  const allowances = state.allowances.withMutations((map) => {
    for (const [peer, { news }] of state.allowances) {
      const left = leftOf(state, peer, now)
      if (left >= ALLOWANCE && openLinkTo(state, peer) === undefined) map.delete(peer)
      else if (news !== state.news) map.set(peer, { left, at: now, news: state.news })
    }
  })
  if (allowances !== state.allowances) change(turn, { allowances })
}

/** A link that the graph no longer asks for is kept this long: whoever joins or moves makes many of them for a moment. */
const SHED_AFTER = seconds(10)

/** How many links are shed with one beat, so that a mesh that grew does not let go of all its old ones at once. */
const SHED_A_BEAT = 2

/** Ends links that the graph does not ask for, once those that it does are there and both ends agree on who is a member. */
function shed(turn: Turn): void {
  const { circle, standings } = turn.state
  const open = openLinks(turn.state)
  const linked = new globalThis.Set(open.map((link) => link.peer))
  if ([...circle.links].some((peer) => !linked.has(peer) && standings.get(peer)?.state === 'alive')) return
  const needless = open.filter((link) => {
    return !circle.links.has(link.peer) && link.differsSince === undefined && turn.now - link.since >= SHED_AFTER
  })
  for (const link of needless.slice(0, SHED_A_BEAT)) unlink(turn, link.id, 'the graph no longer asks for it')
}

/** Bytes of one frame came over a link. */
export function receive(turn: Turn, id: LinkId, bytes: Bytes): void {
  const link = turn.state.links.get(id)
  if (link === undefined) return
  if (link.phase === 'greeting') return greet(turn, link, bytes)
  const frame = parseFrame(bytes)
  if (!frame.ok) return shun(turn, link, frame.reason)
  touch(turn, link.peer)
  charge(turn, link.peer, frameCost(bytes.length, frame.value.questions?.length ?? 0))
  receiveFrame(turn, link, frame.value)
  if (isTooMuch(turn, link)) shun(turn, link, 'said too much that is not believed, or of no use')
}

function greet(turn: Turn, link: Link, bytes: Bytes): void {
  const frame = bytes.length > HELLO_MOST ? undefined : parseFrame(bytes)
  const { hello, evictions = [], successions = [], reissues = [] } = frame?.ok === true ? frame.value : {}
  receiveLineage(turn, link, successions)
  // Whom we dialled may say at the door that we are evicted, or were certified anew; nobody else is listened to.
  if (link.dialled !== undefined) {
    for (const eviction of evictions.slice(0, 1)) receiveEviction(turn, link.id, link.peer, eviction)
    for (const reissue of reissues.slice(0, 1)) receiveReissue(turn, link.id, link.peer, reissue)
  }
  if (!turn.state.links.has(link.id)) return
  if (hello === undefined)
    return refuseLink(turn, link, successions.length > 0 ? 'refused us, by other keys of the mesh' : 'spoke before it was admitted')
  const admitted = verifyChain(trustOf(turn), hello)
  if (!admitted.ok) {
    tellAtTheDoor(turn, link)
    return refuseLink(turn, link, `not admitted: ${admitted.reason}`)
  }
  const { peer, invite, bounds } = admitted.value
  if (peer !== link.peer) return refuseLink(turn, link, 'not admitted: certificate of another peer')
  if (turn.state.evictions.has(invite)) return refuseLink(turn, link, 'not admitted: its invite was revoked')
  if (isClosedTo(turn, peer, bounds)) {
    tellAtTheDoor(turn, link)
    return refuseLink(turn, link, 'not admitted: its membership has ended')
  }
  const late = link.dialled === undefined && !turn.state.view.has(peer) ? spent(turn, invite, bounds) : undefined
  if (late !== undefined) return refuseLink(turn, link, `not admitted: ${late}`)
  open(turn, link)
}

/**
 * Why an invite admits nobody new any more, if so. Those that were admitted stay: by their certificates alone nobody
 * could tell when they came, so whoever comes to the door of a member unknown to it is looked at, and nobody else.
 */
function spent({ state, env }: Turn, invite: PeerId, { members, notAfter }: Bounds): string | undefined {
  if (notAfter !== undefined && env.wall() > notAfter) return 'its invite has expired'
  const used = members === 0 ? 0 : state.view.count(({ signed }) => signed.admission.invite === invite)
  return used > 0 && used >= members ? 'its invite was used by as many as it is for' : undefined
}

function refuseLink(turn: Turn, link: Link, reason: string): void {
  drop(turn, link.peer, reason)
  unlink(turn, link.id, reason)
  redial(turn, link)
}

function open(turn: Turn, link: Link): void {
  const rival = openLinkTo(turn.state, link.peer)
  changeLink(turn, link.id, { phase: 'open' })
  charge(turn, link.peer, LINK_COST)
  leadsTo(turn, link)
  touch(turn, link.peer)
  if (link.dialled === undefined) greeted(turn, link.id)
  offer(turn, link.id, turn.env.signer.peer)
  draftRoot(turn, link.id)
  if (rival !== undefined) unlink(turn, loser(turn, link, rival).id, 'another link to this peer')
  noteLink(turn, link.peer)
}

/** A seed led to a peer that is admitted. */
function leadsTo(turn: Turn, { dialled: target, peer }: Link): void {
  const { seeds } = turn.state
  if (target !== undefined && isSeed(target) && seeds.has(target)) change(turn, { seeds: seeds.set(target, { peer, trouble: undefined }) })
}

/**
 * Both ends know who dialled which link, so both drop the same one. Of two dials by one end the later is the live one,
 * and a link that has stood for a while was no dial of the same moment: whoever dials anew has lost it.
 */
function loser(turn: Turn, link: Link, rival: Link): Link {
  const sameSide = (link.dialled === undefined) === (rival.dialled === undefined)
  if (sameSide || turn.now - rival.since >= GREETING) return rival
  const weDial = turn.env.signer.peer < link.peer
  return (link.dialled !== undefined) === weDial ? rival : link
}

function shun(turn: Turn, link: Link, reason: string): void {
  drop(turn, link.peer, reason)
  change(turn, { shunned: turn.state.shunned.set(link.peer, after(turn.now, SHUN)) })
  unlink(turn, link.id, reason)
}

function isTooMuch({ state, now }: Turn, { peer }: Link): boolean {
  return leftOf(state, peer, now) < 0
}

function receiveFrame(turn: Turn, link: Link, frame: Frame): void {
  const { id, peer } = link
  receiveLineage(turn, link, frame.successions ?? [])
  // One frame may hold what it takes a fifth of a second to verify: nobody waits for all of it.
  const each = (envelopes: readonly Bytes[] = [], take: (turn: Turn, link: LinkId, from: PeerId, bytes: Bytes) => void): void => {
    for (const bytes of envelopes) if (!isTooMuch(turn, link)) take(turn, id, peer, bytes)
  }
  each(frame.evictions, receiveEviction)
  if (!turn.state.links.has(id)) return
  each(frame.records, receiveRecord)
  each(frame.reissues, receiveReissue)
  for (const reached of frame.reached ?? []) receiveReached(turn, id, peer, reached)
  each(frame.accusations, receiveAccusation)
  if (frame.buckets !== undefined) receiveBuckets(turn, id, frame.buckets)
  if (frame.summaries !== undefined) receiveSummaries(turn, id, frame.summaries)
  receiveWants(turn, id, frame.wants ?? [])
  for (const question of frame.questions ?? []) receiveQuestion(turn, id, question)
  for (const answer of frame.answers ?? []) receiveAnswer(turn, answer)
  if (frame.farewell === turn.state.incarnation) receiveFarewell(turn, peer)
  if (frame.root !== undefined && turn.state.links.has(id)) receiveRoot(turn, turn.state.links.get(id)!, frame.root)
}

function receiveFarewell(turn: Turn, peer: PeerId): void {
  const { leaving } = turn.state
  if (leaving !== undefined) change(turn, { leaving: { ...leaving, farewells: leaving.farewells.add(peer) } })
}
