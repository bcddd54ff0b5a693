/**
 * Which entries are ours to change. On a device that we made all of them are; on one that we adopted those that carry our
 * mark, which those of `bridge` cannot, and those that were written down, which is what the others are known by. A place that is
 * ours stays ours when somebody changes what it leads to.
 */
import type { Operation } from './plan.ts'
import type { Reading } from './ports.ts'
import { carriesMark, holds, type Entry, type Slot, type Table } from './table.ts'

/** The places on a device that are ours, by what was read and what was written down before. A route is its maker's, whoever made the device. */
export function ownEntries({ device, entries, marked }: Reading, written: ReadonlySet<Slot>): ReadonlySet<Slot> {
  if (device.origin === 'adopted') return new Set([...written, ...marked])
  return new Set([...entries].flatMap(([place, { kind }]) => (!isRoute(kind) || marked.has(place) ? [place] : [])))
}

function isRoute(kind: Entry['kind']): boolean {
  return kind === 'route' || kind === 'unreachable'
}

/** What operations write that carries no mark, and so is to be written down on a device that we did not make. */
export function unmarked(operations: readonly Operation[]): readonly Entry[] {
  return operations.flatMap(({ kind, entry }) => (kind === 'remove' || carriesMark(entry) ? [] : [entry]))
}

/**
 * What was found at the start on a device that we did not make, where a daemon of ours has been, as our mark proves, and
 * nothing is written down: the state was lost. What of it is wanted was ours, for all that can be known.
 */
export function orphans({ device, entries, marked }: Reading, noted: boolean): Table {
  return device.origin === 'adopted' && !noted && marked.size > 0 ? entries : new Map()
}

/** The orphans that are still there and turn out to be what is wanted. The others are known by their mark. */
export function reclaimed(orphaned: Table, { entries }: Reading, desired: Table): readonly Entry[] {
  return [...desired.values()].filter((entry) => !carriesMark(entry) && holds(orphaned, entry) && holds(entries, entry))
}
