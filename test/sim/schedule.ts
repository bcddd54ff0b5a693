/** Virtual time. What is due next happens next; of what is due at once, what was put first. Nothing else moves. */
import { after, instant, type Duration, type Instant } from '@vxmesh/core'

type Due = { readonly time: number; readonly order: number; readonly action: () => void }

export class Schedule {
  #now = 0
  #order = 0
  /** A binary heap: each due is no later than the two below it. */
  readonly #heap: Due[] = []

  get now(): Instant {
    return instant(this.#now)
  }

  at(time: Instant, action: () => void): void {
    this.#heap.push({ time: Math.max(time, this.#now), order: this.#order++, action })
    this.#rise(this.#heap.length - 1)
  }

  in(wait: Duration, action: () => void): void {
    this.at(after(this.now, wait), action)
  }

  /** Lets everything happen that is due until then. */
  run(duration: Duration): void {
    const end = this.#now + duration
    for (let due = this.#heap[0]; due !== undefined && due.time <= end; due = this.#heap[0]) {
      this.#take()
      this.#now = due.time
      due.action()
    }
    this.#now = end
  }

  #take(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(from: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!this.#swapIfEarlier(at, above)) return
      at = above
    }
  }

  #sink(from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const least = this.#earlier(left + 1, left) ? left + 1 : left
      if (!this.#swapIfEarlier(least, at)) return
      at = least
    }
  }

  #earlier(one: number, other: number): boolean {
    const a = this.#heap[one]
    const b = this.#heap[other]
    return a !== undefined && b !== undefined && (a.time < b.time || (a.time === b.time && a.order < b.order))
  }

  #swapIfEarlier(below: number, above: number): boolean {
    const a = this.#heap[below]
    const b = this.#heap[above]
    if (a === undefined || b === undefined || !this.#earlier(below, above)) return false
    this.#heap[below] = b
    this.#heap[above] = a
    return true
  }
}
