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
    this.#rise()
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
    if (last !== undefined && this.#heap.length > 0) this.#sink(last)
  }

  /** Puts the last of the heap above all that is later. */
  #rise(): void {
    const heap = this.#heap
    let at = heap.length - 1
    const due = heap[at]
    if (due === undefined) return
    while (at > 0) {
      const above = (at - 1) >> 1
      const other = heap[above]
      if (other === undefined || !earlier(due, other)) break
      heap[at] = other
      heap[above] = due
      at = above
    }
  }

  /** Puts this in the place of the first, below all that is earlier. */
  #sink(due: Due): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const goesRight = left !== undefined && right !== undefined && earlier(right, left)
      const least = goesRight ? right : left
      if (least === undefined || !earlier(least, due)) break
      heap[at] = least
      at = 2 * at + (goesRight ? 2 : 1)
    }
    heap[at] = due
  }
}

function earlier(a: Due, b: Due): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}
