/**
 * The clocks of a simulated host, which are not the truth: the one that only runs on begins anywhere when a daemon starts
 * and is a little fast or slow; the one on the wall may be set by anybody, to anything.
 */
import { instant, milliseconds, type Duration, type Instant } from '@vxmesh/core'
import type { Dice } from './dice.ts'
import { WALL_START } from './world.ts'

/** How far a quartz is off, at most. */
const DRIFT = 200e-6

/** What a process may find on its clock when it starts, in milliseconds. */
const FIRST_READING_MOST = 1_000_000

export class HostClock {
  readonly #dice: Dice
  readonly #rate: number
  #offset = 0
  #wallOffset = 0

  constructor(dice: Dice) {
    this.#dice = dice
    this.#rate = 1 + dice.between(-DRIFT, DRIFT)
  }

  /** A process starts. */
  start(truth: Instant): void {
    this.#offset = this.#dice.between(0, FIRST_READING_MOST) - this.#rate * truth
  }

  /** What the process reads. */
  now(truth: Instant): Instant {
    return instant(this.#offset + this.#rate * truth)
  }

  /** How long it truly is until the process reads this. */
  until(reading: Instant, truth: Instant): Duration {
    return milliseconds(Math.max(0, (reading - this.now(truth)) / this.#rate))
  }

  /** What the wall clock shows, in milliseconds since 1970. */
  wall(truth: Instant): number {
    return Math.round(WALL_START + this.#rate * truth + this.#wallOffset)
  }

  /** Somebody sets the wall clock, forward or back. */
  setWall(by: Duration): void {
    this.#wallOffset += by
  }

  /** The machine did not run, and does not know it. */
  stoodStill(duration: Duration): void {
    this.#offset -= this.#rate * duration
    this.#wallOffset -= this.#rate * duration
  }
}
