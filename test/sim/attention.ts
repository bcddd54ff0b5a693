/**
 * The event loop of a simulated daemon, which may stand still: after SIGSTOP what comes waits in the sockets and what
 * falls due waits for the loop. When it goes on, timers come first, then what waited, piece by piece: other turns run
 * in between.
 */
import { milliseconds, type Duration } from '@vxmesh/core'
import type { Input } from '@vxmesh/gossip'
import type { Dice } from './dice.ts'
import type { Schedule } from './schedule.ts'

/** How long one waiting input takes, at most. */
const PIECE = milliseconds(2)

export class Attention {
  paused = false
  readonly #schedule: Schedule
  readonly #dice: Dice
  readonly #step: (input: Input) => void
  #inputs: Input[] = []
  #timers: (() => void)[] = []
  #over = false

  constructor(schedule: Schedule, dice: Dice, step: (input: Input) => void) {
    this.#schedule = schedule
    this.#dice = dice
    this.#step = step
  }

  take(input: Input): void {
    const behind = this.paused || this.#inputs.length > 0
    if (behind && input.kind !== 'tick') this.#inputs.push(input)
    else if (!this.paused) this.#step(input)
  }

  /** Runs an action later, or when the loop goes on, unless the daemon is gone by then. */
  soon(wait: Duration, action: () => void): void {
    const run = () => {
      if (this.#over) return
      if (this.paused) this.#timers.push(run)
      else action()
    }
    this.#schedule.in(wait, run)
  }

  resume(): void {
    if (!this.paused || this.#over) return
    this.paused = false
    const due = this.#timers
    this.#timers = []
    for (const each of due) each()
    this.#catchUp()
  }

  end(): void {
    this.#over = true
    this.#inputs = []
  }

  #catchUp(): void {
    if (this.#inputs.length === 0) return
    this.soon(milliseconds(this.#dice.between(0, PIECE)), () => {
      const input = this.#inputs.shift()
      if (input !== undefined) this.#step(input)
      this.#catchUp()
    })
  }
}
