/**
 * Which entries are ours to change. On a device that we made all of them are; on one that we adopted those that carry our
 * mark, which only neighbours can, and those that were written down, which is what the others are known by. A place that is
 * ours stays ours when somebody changes what it leads to.
 */
import type { Operation } from './plan.ts'
import type { Reading } from './ports.ts'
import type { Entry, Slot } from './table.ts'

/** The places on a device that are ours, by what was read and what was written down before. */
export function ownEntries({ device, entries, marked }: Reading, written: ReadonlySet<Slot>): ReadonlySet<Slot> {
  return device.origin === 'made' ? new Set(entries.keys()) : new Set([...written, ...marked])
}

/** What operations write that carries no mark, and so is to be written down on a device that we did not make. */
export function unmarked(operations: readonly Operation[]): readonly Entry[] {
  return operations.flatMap(({ kind, entry }) => (kind === 'remove' || entry.kind === 'neighbour' ? [] : [entry]))
}
