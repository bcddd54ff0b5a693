/** The state file of a simulated host. */
import { EMPTY_VIEW, type Slot, type View } from '@vxmesh/core'
import type { Saved } from '@vxmesh/gossip'

/** What survives a crash. */
export type Disk = {
  readonly incarnation: number
  readonly view: View
  readonly written: ReadonlySet<Slot>
  readonly claimedAt: number | undefined
}

export const EMPTY_DISK: Disk = { incarnation: 0, view: EMPTY_VIEW, written: new Set(), claimedAt: undefined }

/** A view as it is written. */
export function envelopes(view: View): Saved {
  const beliefs = [...view.values()]
  return {
    records: beliefs.map((belief) => belief.signed.bytes),
    accusations: beliefs.flatMap((belief) => [...belief.accusations.values()].map((accusation) => accusation.bytes)),
  }
}
