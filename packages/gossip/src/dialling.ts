/** Who is dialled when. Nobody that ever was a member, and no seed, is given up: the pace slows down, it never stops. */
import { after, instant, isForwarded, milliseconds, seconds, unreachable, type Duration, type Instant, type PeerId } from '@vxmesh/core'
import { isPassive } from './clone.ts'
import { isOut } from './evictions.ts'
import { isSeed, type Dialling, type Link, type Seed, type State, type Target, type Turn } from './state.ts'
import { change, openLinks } from './turn.ts'

const FIRST_PAUSE = milliseconds(250)

/** When two members learn of each other at once the one with the smaller id dials; the other gives it this long. */
const POLITENESS = milliseconds(500)

/** The longest pause between dials to a member whose host answers and whose daemon is gone: it will be back soon. */
const RESTARTING_PAUSE = seconds(1)

/** The longest pause between dials to a member that lives, as far as is known, and is not linked to us. */
const LIVING_PAUSE = seconds(2)

/** The longest pause between dials to seeds, and to a few dead, for ever: a partition heals within it. */
const LONGEST_PAUSE = seconds(3)

/**
 * What each of many dead adds to the longest pause between dials to any one of them: all together are dialled about once
 * a second. However many they are, the pause is no longer than the second of these.
 */
const DEAD_PAUSE = seconds(1)
const DEAD_PAUSE_MOST = seconds(60)

/** How many dials to the dead, and to others that may be, are out at once: half of a large mesh may die in a moment. */
const MANY_UNDERWAY_MOST = 16

/** A link that lived this long was a good one: losing it is dialled at once. */
const GOOD_LINK = seconds(2)

/** Dials a place where a member may be, once: whether again is for whoever found it to say. */
export function approach(turn: Turn, place: Seed): void {
  if (isPassive(turn) || isOut(turn, turn.env.signer.peer) || turn.state.leaving !== undefined || turn.state.seeds.has(place)) return
  turn.effects.push({ kind: 'dial', target: place, addresses: undefined })
}

/** What the dials follow from, and when the next is due. Nearly every turn is a heartbeat that changes none of it. */
const considered = new WeakMap<State['links'], Pick<State, 'standings' | 'seeds' | 'shunned' | 'dials'> & { readonly next: Instant }>()

/** Asks for every dial that is due. Returns when the next one is. */
export function dialDue(turn: Turn): Instant {
  if (isPassive(turn) || isOut(turn, turn.env.signer.peer)) return after(turn.now, LONGEST_PAUSE)
  const before = turn.state
  const known = considered.get(before.links)
  const same = known !== undefined && (['standings', 'seeds', 'shunned', 'dials'] as const).every((part) => known[part] === before[part])
  if (same && turn.now < known.next) return known.next
  let next = instant(Infinity)
  for (const target of wanted(turn)) {
    const held = turn.state.dials.get(target)
    const dialling = held ?? first(turn, target)
    const due = !dialling.underway && turn.now >= dialling.next
    if (due) turn.effects.push({ kind: 'dial', target, addresses: addressesOf(turn, target) })
    else if (!dialling.underway) next = instant(Math.min(next, dialling.next))
    if (due || held === undefined) setDial(turn, target, due ? { ...dialling, underway: true } : dialling)
  }
  const { links, standings, seeds, shunned, dials } = turn.state
  considered.set(links, { standings, seeds, shunned, dials, next })
  return next
}

/** Members that we should be linked to and are not, then the dead, then seeds that lead to nobody we are linked to. */
function wanted(turn: Turn): readonly Target[] {
  const { state, env } = turn
  const linked = new Set(
    [...state.links.values()].flatMap((link): Target[] => [link.peer, ...(link.dialled === undefined ? [] : [link.dialled])]),
  )
  const { links, dead } = state.circle
  const few = dead.size < MANY_UNDERWAY_MOST || dead.count((peer) => state.dials.get(peer)?.underway === true) < MANY_UNDERWAY_MOST
  const members = [...links, ...(few ? dead : []), ...remembered(turn)]
  const seeds = [...state.seeds].flatMap(([seed, { peer }]) =>
    !linked.has(seed) && (peer === undefined || seedIsLost(turn, peer)) ? [seed] : [],
  )
  return [...members.filter((peer) => peer !== env.signer.peer && !linked.has(peer) && !state.shunned.has(peer)), ...seeds]
}

/**
 * All other members that we know of, when none of those that we should be linked to is there: of a large mesh only few may
 * have come back after all lost power, and none of them to whom we are a neighbour. Some at a time.
 */
function remembered({ state, env, now }: Turn): readonly PeerId[] {
  const { circle, dials, standings } = state
  const alone = openLinks(state).length === 0 && [...circle.links].every((peer) => (dials.get(peer)?.failures ?? 0) > 0)
  if (!alone || circle.living <= circle.links.size + 1) return []
  const others = [...standings].flatMap(([peer, standing]) =>
    peer !== env.signer.peer && isForwarded(standing) && !circle.links.has(peer) ? [peer] : [],
  )
  const idle = others.filter((peer) => dials.get(peer)?.underway !== true)
  const due = idle.filter((peer) => (dials.get(peer)?.next ?? now) <= now)
  const room = MANY_UNDERWAY_MOST - (others.length - idle.length)
  return [...due.slice(0, Math.max(0, room)), ...idle.filter((peer) => (dials.get(peer)?.next ?? now) > now)]
}

/** Whether the peer that a seed once led to may no longer be what is there. */
function seedIsLost(turn: Turn, peer: PeerId): boolean {
  if (peer === turn.env.signer.peer) return false
  const standing = turn.state.standings.get(peer)?.state
  return (
    standing === undefined || standing === 'dead' || standing === 'left' || standing === 'evicted' || openLinks(turn.state).length === 0
  )
}

function addressesOf(turn: Turn, target: Target): Extract<Turn['effects'][number], { kind: 'dial' }>['addresses'] {
  return isSeed(target) ? undefined : turn.state.view.get(target)?.signed.record.control
}

function first(turn: Turn, target: Target): Dialling {
  const ours = isSeed(target) || turn.env.signer.peer < target
  return { next: ours ? turn.now : after(turn.now, POLITENESS), failures: 0, underway: false }
}

/** A dial led to a link. Whether it was worth anything is known when the link ends. */
export function dialled(turn: Turn, target: Target): void {
  const dialling = turn.state.dials.get(target)
  if (dialling !== undefined) setDial(turn, target, { ...dialling, underway: false })
}

/** A dial failed: the next waits longer. */
export function dialFailed(turn: Turn, target: Target, underway = false): void {
  const failures = (turn.state.dials.get(target)?.failures ?? 0) + 1
  setDial(turn, target, { next: after(turn.now, pause(turn, target, failures)), failures, underway })
}

/**
 * A link is gone: a good one is dialled anew at once, one that broke at birth like a failed dial. Of a stranger at the
 * door nothing is kept.
 */
export function redial(turn: Turn, link: Link): void {
  const { seeds, view, dials } = turn.state
  const targets: readonly Target[] = link.dialled === undefined ? [link.peer] : [link.peer, link.dialled]
  const good = link.phase === 'open' && turn.now - link.since >= GOOD_LINK
  for (const target of targets) {
    if (isSeed(target) ? !seeds.has(target) : !view.has(target) || isOut(turn, target)) continue
    const underway = dials.get(target)?.underway ?? false
    if (good) setDial(turn, target, { next: turn.now, failures: 0, underway })
    else dialFailed(turn, target, underway)
  }
}

/** The longest pause between dials to one of as many, all of whom may be gone. */
function pauseAmong(many: number): Duration {
  return milliseconds(Math.min(DEAD_PAUSE_MOST, Math.max(LONGEST_PAUSE, many * DEAD_PAUSE)))
}

function setDial(turn: Turn, target: Target, dialling: Dialling): void {
  change(turn, { dials: turn.state.dials.set(target, dialling) })
}

function pause(turn: Turn, target: Target, failures: number): Duration {
  const doubled = Math.min(longestPause(turn, target), FIRST_PAUSE * 2 ** Math.min(failures - 1, 16))
  return milliseconds(doubled * (0.75 + turn.env.random() / 2))
}

function longestPause({ state: { standings, circle } }: Turn, target: Target): Duration {
  if (isSeed(target)) return LONGEST_PAUSE
  const standing = standings.get(target)?.state
  switch (standing) {
    case 'restarting':
      return RESTARTING_PAUSE
    case 'dead':
      return pauseAmong(circle.dead.size)
    case 'alive':
    case 'suspect':
      return circle.links.has(target) ? LIVING_PAUSE : pauseAmong(circle.living)
    case 'left':
    case 'evicted':
    case undefined:
      return LONGEST_PAUSE
    default:
      return unreachable(standing)
  }
}
