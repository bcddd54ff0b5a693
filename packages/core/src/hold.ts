/**
 * When removals wait. Additions never do: the cost of an entry too many is a few packets to a host that is not there,
 * the cost of one too few is an outage. A replacement takes away what was there: it waits where what is wanted may be
 * older than what is there, as at the start, when the kernel has what the daemon knew when it ended, and a file what it
 * knew a moment before. While others are heard a member that moves is followed, whatever else waits.
 */
import type { Operation } from './plan.ts'
import { slot, type Slot } from './table.ts'
import { elapsed, seconds, type Instant } from './values.ts'

/** At start, how long an adopted entry waits for the first exchange with a peer before it may be judged. */
export const START_HOLD = seconds(30)

/** Whoever starts, or was alone, hears the others one after the other: the first is not to speak for those that come next. */
export const START_GRACE = seconds(2)

/** More than a quarter of the members dead within this time looks like our own trouble, or a rack that will be back. */
export const MASS_FAILURE_WINDOW = seconds(5)

/** How long a mass failure holds removals, from the last death that made it one. */
export const MASS_FAILURE_HOLD = seconds(10)

const MASS_FAILURE_LEAST = 3

export type Surroundings = {
  readonly now: Instant
  /** When this process started, or was last alone. */
  readonly startedAt: Instant
  /** Whether a view has been exchanged with some member since then. */
  readonly exchanged: boolean
  /** Whether no member at all is heard: then the silence of all the others is most likely our own. */
  readonly isolated: boolean
  /** When members died, or fell silent, of late. Older than the window and the hold together may be forgotten. */
  readonly deaths: readonly Instant[]
  /** How many members there are, the dead included. */
  readonly members: number
  /** Whether it is we who were evicted: then our entries go, though nobody speaks to us any more. */
  readonly evicted: boolean
}

/** Why removals wait, whether replacements wait with them, and whether it is over by itself before anybody could act on it. */
export type Hold = { readonly reason: string; readonly replacements: boolean; readonly brief: boolean }

/** Why removals must wait, or undefined when they need not. */
export function removalHold(around: Surroundings): Hold | undefined {
  if (around.evicted) return undefined
  if (around.isolated) return { reason: 'isolated: no other member is heard', replacements: true, brief: false }
  if (!around.exchanged && elapsed(around.startedAt, around.now) < START_HOLD) {
    return { reason: 'starting: no exchange with another member yet', replacements: true, brief: false }
  }
  if (elapsed(around.startedAt, around.now) < START_GRACE) {
    return { reason: 'starting: others may be heard yet', replacements: false, brief: true }
  }
  if (massFailure(around)) {
    return { reason: 'many members died at once: their entries are kept for 10 s', replacements: false, brief: false }
  }
  return undefined
}

/**
 * Whether an operation must wait. What is in `evicted` goes at once, and whether there is a guard is for its user to say.
 * `repair`: what is wanted was there until somebody else changed it, so what is there is not newer; while others are heard, what somebody added goes as well.
 */
export function isHeld({ kind, entry }: Operation, hold: Hold | undefined, evicted: ReadonlySet<Slot>, repair: boolean): boolean {
  if (hold === undefined || kind === 'add' || entry.kind === 'guard' || evicted.has(slot(entry))) return false
  return hold.replacements ? kind === 'remove' || !repair : kind === 'remove' && !repair
}

function massFailure({ deaths, members, now }: Surroundings): boolean {
  const bar = Math.max(MASS_FAILURE_LEAST, Math.floor(members / 4) + 1)
  return deaths.some((last) => {
    const together = deaths.filter((death) => death <= last && elapsed(death, last) <= MASS_FAILURE_WINDOW)
    return together.length >= bar && elapsed(last, now) < MASS_FAILURE_HOLD
  })
}
