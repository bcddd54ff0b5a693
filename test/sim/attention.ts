/**
 * The event loop of a simulated daemon: one server with a queue. What comes while it is free is done at once, what comes
 * while it is busy waits its turn. It may also stand still: after SIGSTOP what comes waits in the sockets and what falls
 * due waits for the loop; when it goes on, timers come first, then what waited.
 */
import { after, instant, milliseconds, type Duration, type Instant } from '@vxmesh/core'
import type { Schedule } from './schedule.ts'

/** What a daemon's processor is busy with, and for how long each time. */
export type Costs = {
  /** Reading a frame. */
  readonly receive: Duration
  /** Opening an envelope, whoever sealed it. */
  readonly verify: Duration
  /** Writing a frame. */
  readonly send: Duration
  /** One operation on the kernel, or one reading of it. */
  readonly kernel: Duration
}

/** As measured on one core of a small virtual machine. */
export const COSTS: Costs = {
  receive: milliseconds(0.06),
  verify: milliseconds(0.11),
  send: milliseconds(0.03),
  kernel: milliseconds(0.1),
}

/** Something the loop does in one go. Returns how long that takes it. */
export type Job = () => Duration

export class Attention {
  readonly #schedule: Schedule
  #jobs: Job[] = []
  #timers: Job[] = []
  #busyUntil: Instant
  #serving = false
  #awaited = false
  #paused = false
  #over = false

  constructor(schedule: Schedule) {
    this.#schedule = schedule
    this.#busyUntil = schedule.now
  }

  get paused(): boolean {
    return this.#paused
  }

  /** How many jobs wait. */
  get waiting(): number {
    return this.#jobs.length
  }

  /** Does a job now, or after all that wait. */
  take(job: Job): void {
    if (this.#over) return
    if (this.#free()) return this.#serve(job)
    this.#jobs.push(job)
    this.#await()
  }

  /** Does a job now, or next: what a job itself goes on with comes before what waits in the sockets. */
  next(job: Job): void {
    if (this.#over) return
    if (this.#free()) return this.#serve(job)
    this.#jobs.unshift(job)
    this.#await()
  }

  /** Does a job later, or when the loop gets to it, unless the daemon is gone by then. */
  soon(wait: Duration, job: Job): void {
    this.#schedule.in(wait, () => {
      if (this.#paused) this.#timers.push(job)
      else this.take(job)
    })
  }

  /** The processor is with something else, a collection of garbage say: what comes meanwhile waits. */
  occupy(duration: Duration): void {
    this.#busyUntil = after(instant(Math.max(this.#schedule.now, this.#busyUntil)), duration)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused || this.#over) return
    this.#paused = false
    this.#jobs = [...this.#timers, ...this.#jobs]
    this.#timers = []
    if (this.#jobs.length > 0) this.#await()
  }

  end(): void {
    this.#over = true
    this.#jobs = []
    this.#timers = []
  }

  #free(): boolean {
    return !this.#paused && !this.#serving && this.#jobs.length === 0 && this.#schedule.now >= this.#busyUntil
  }

  #serve(job: Job): void {
    this.#serving = true
    this.#busyUntil = after(this.#schedule.now, job())
    this.#serving = false
    if (this.#jobs.length > 0) this.#await()
  }

  /** One event on the schedule at a time, for whatever waits first. */
  #await(): void {
    if (this.#awaited || this.#serving) return
    this.#awaited = true
    this.#schedule.at(this.#busyUntil, () => {
      this.#awaited = false
      if (this.#over || this.#paused || this.#jobs.length === 0) return
      if (this.#schedule.now < this.#busyUntil) return this.#await()
      const job = this.#jobs.shift()
      if (job !== undefined) this.#serve(job)
    })
  }
}
