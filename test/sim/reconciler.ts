/**
 * When the reconciler of a simulated host takes its turns, as the daemon's does: at once when it is woken, one at a time,
 * again after a rest when it was woken meanwhile, later and later while the kernel refuses, and a while after a burst of
 * the kernel's own events. What a turn does is in `reconcile.ts`.
 */
import { BURST, milliseconds, pauseAfter, restAfter, type Duration } from '@vxmesh/core'
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
      attention.soon(slow > 0 ? NO_TIME : cost, () => this.#rest(taken, turn?.hold !== undefined, milliseconds(Math.max(cost, slow))))
    }
    // What the kernel was told it does, whether the daemon that told it runs meanwhile or not.
    if (slow > 0) schedule.in(milliseconds(slow), finish)
    else finish()
    return cost
  }

  #rest(taken: boolean, held: boolean, took: Duration): Duration {
    this.#failures = taken ? 0 : this.#failures + 1
    this.#work.done()
    this.#running = this.#awake
    if (this.#awake) this.#work.attention.soon(restAfter(took), () => this.#turn())
    else this.#later(pauseAfter(this.#failures, held))
    return NO_TIME
  }

  #later(pause: Duration): void {
    const timer = ++this.#timer
    this.#work.attention.soon(pause, () => {
      if (timer === this.#timer) this.wake()
      return NO_TIME
    })
  }
}
