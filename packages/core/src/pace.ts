/**
 * When the kernel is looked at again. A turn follows at once whatever wakes it; these are the pauses between those that
 * nothing wakes, and the rest after a turn for whatever woke the next meanwhile.
 */
import { elapsed, milliseconds, seconds, type Duration, type Instant } from './values.ts'

/** The floor under all events: a full read at least this often. */
const FULL_READ = seconds(60)

/** Whether a reading may still be planned against, if nothing was heard since: events get lost. */
export function isRecent(read: Instant, now: Instant): boolean {
  return elapsed(read, now) < FULL_READ
}

/** While removals are held, how often it is asked whether they still are. */
export const HELD_PAUSE = seconds(1)

/** Kernel events come in bursts; a turn waits this long for the rest of one. */
export const BURST = milliseconds(10)

const REST_MOST = seconds(5)

const FIRST_RETRY = milliseconds(200)
const LONGEST_RETRY = seconds(5)

/** How long the next turn may wait, after so many in a row that failed or that the kernel did not take whole. */
export function pauseAfter(failures: number, held: boolean): Duration {
  if (failures === 0) return held ? HELD_PAUSE : FULL_READ
  return milliseconds(Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 10)))
}

/**
 * How long to rest after a turn that took this long, when another is wanted already: one change is followed at once, of
 * many those that come meanwhile share the next turn, and most of the time is for all else.
 */
export function restAfter(took: Duration): Duration {
  return milliseconds(Math.min(REST_MOST, 2 * took))
}
