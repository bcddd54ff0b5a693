/**
 * When the reconciler of a simulated host takes its turns, as the daemon's does: at once when it is woken, one at a time,
 * again when it was woken meanwhile, later and later while the kernel refuses, and a while after a burst of the kernel's
 * own events. What a turn does is in `reconcile.ts`.
 */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import type { Attention, Costs } from './attention.ts'
import type { Turn } from './reconcile.ts'
import type { Schedule } from './schedule.ts'

export type Work = {
  readonly schedule: Schedule
  readonly attention: Attention
  readonly costs: Costs
  /** How long one operation takes the kernel beyond what it costs. */
  slowness(): Duration
  decide(): Turn | undefined
  /** Does what was decided. False when the kernel refused some of it. */
  carryOut(turn: Turn): boolean
  /** A turn is over. */
  done(): void
}

/** The floor under everything that wakes the reconciler, and how often held removals are looked at again. */
const FULL_READ = seconds(60)
const HELD_PAUSE = seconds(1)

/** Kernel events come in bursts; a turn waits this long for the rest of one. */
const BURST = milliseconds(10)

const FIRST_RETRY = milliseconds(200)
const LONGEST_RETRY = seconds(5)

const NO_TIME = milliseconds(0)

export class Reconciler {
  readonly #work: Work
  #running = false
  #awake = false
  #burst = false
  #failures = 0
  /** The newest timer: those that were set before it no longer count. */
  #timer = 0

  constructor(work: Work) {
    this.#work = work
  }

  /** Something may have changed: a turn follows. */
  wake(): void {
    this.#awake = true
    if (this.#running) return
    this.#running = true
    this.#work.attention.next(() => this.#turn())
  }

  /** The kernel says that something changed in it. */
  hint(): void {
    if (this.#burst) return
    this.#burst = true
    this.#work.attention.soon(BURST, () => {
      this.#burst = false
      this.wake()
      return NO_TIME
    })
  }

  #turn(): Duration {
    this.#awake = false
    const { schedule, attention, costs } = this.#work
    const turn = this.#work.decide()
    const count = turn?.operations.length ?? 0
    const cost = milliseconds((1 + count) * costs.kernel)
    const slow = count * this.#work.slowness()
    const finish = () => {
      const taken = turn === undefined || this.#work.carryOut(turn)
      attention.soon(slow > 0 ? NO_TIME : cost, () => this.#rest(taken, turn?.hold))
    }
    // What the kernel was told it does, whether the daemon that told it runs meanwhile or not.
    if (slow > 0) schedule.in(milliseconds(slow), finish)
    else finish()
    return cost
  }

  #rest(taken: boolean, hold: string | undefined): Duration {
    this.#running = false
    this.#failures = taken ? 0 : this.#failures + 1
    this.#work.done()
    if (this.#awake) this.wake()
    else this.#setTimer(hold)
    return NO_TIME
  }

  #setTimer(hold: string | undefined): void {
    const timer = ++this.#timer
    const calm = hold === undefined ? FULL_READ : HELD_PAUSE
    const retry = milliseconds(Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(this.#failures - 1, 10)))
    this.#work.attention.soon(this.#failures === 0 ? calm : retry, () => {
      if (timer === this.#timer) this.wake()
      return NO_TIME
    })
  }
}
