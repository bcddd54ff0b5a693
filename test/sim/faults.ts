/** What went wrong in a history, and for how long: kept to be drawn. */
import type { Instant } from '@vxmesh/core'

export type Fault = {
  readonly what: string
  /** The host that is in trouble, or the network between them. */
  readonly place: string
  readonly at: Instant
  /** Undefined while it is not mended; what happens in a moment, a move say, ends when it begins. */
  readonly until: Instant | undefined
}

export const NETWORK = 'the network'

export class Faults {
  #all: readonly Fault[] = []

  get all(): readonly Fault[] {
    return this.#all
  }

  /** Something breaks; where it is broken in this way already, nothing changes. */
  begin(fault: Omit<Fault, 'until'>): void {
    if (!this.#all.some(({ what, until }) => what === fault.what && until === undefined))
      this.#all = [...this.#all, { ...fault, until: undefined }]
  }

  /** Something happens and is over. */
  strike(fault: Omit<Fault, 'until'>): void {
    this.#all = [...this.#all, { ...fault, until: fault.at }]
  }

  /** Whatever was wrong there no longer is. */
  mend(place: string, now: Instant): void {
    this.#all = this.#all.map((fault) => (fault.place === place && fault.until === undefined ? { ...fault, until: now } : fault))
  }
}
