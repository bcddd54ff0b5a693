import type { Entry, Slot, Table } from './table.ts'

/** One change to the kernel. */
export type Operation = { readonly kind: 'add' | 'remove'; readonly entry: Entry }

/** The entries a device has, just read, and which of them are ours to remove. */
export type Actual = { readonly entries: Table; readonly ours: ReadonlySet<Slot> }

/**
 * The operations that turn `actual` into `desired`, in the order they must be applied: additions before removals, so
 * that nobody is unreachable while a member moves. A foreign entry satisfies what is desired and is never removed.
 * An empty plan means the kernel has converged. With removals `held`, nothing is taken away but what is in `evicted`.
 *
 * A MAC address has one destination, and the kernel moves it at once when another is written: so the addition of an fdb
 * entry is a move, the removal that follows it does nothing, and one that a foreign entry has is not ours to move.
 */
export function plan(
  desired: Table,
  actual: Actual,
  removals: 'allowed' | 'held' = 'allowed',
  evicted: ReadonlySet<Slot> = new Set(),
): readonly Operation[] {
  const foreign = new Set(
    [...actual.entries].flatMap(([place, entry]) => (actual.ours.has(place) || entry.kind !== 'fdb' ? [] : [entry.mac])),
  )
  const additions = [...desired].filter(([place, entry]) => !actual.entries.has(place) && !(entry.kind === 'fdb' && foreign.has(entry.mac)))
  const surplus = [...actual.entries].filter(([place]) => actual.ours.has(place) && !desired.has(place))
  const removable = removals === 'held' ? surplus.filter(([place]) => evicted.has(place)) : surplus
  return [
    ...additions.map(([, entry]): Operation => ({ kind: 'add', entry })),
    ...removable.map(([, entry]): Operation => ({ kind: 'remove', entry })),
  ]
}
