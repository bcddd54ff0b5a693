import { goneWith, readmitted } from './guard.ts'
import { carriesMark, GUARD, KINDS, sameTarget, slot, table, type Entry, type Slot, type Table } from './table.ts'
import { contains } from './values.ts'

/** One change to the kernel. A replacement is one where the place is taken: what is there gives way at once. */
export type Operation =
  | { readonly kind: 'add'; readonly entry: Entry }
  | { readonly kind: 'remove'; readonly entry: Entry }
  | { readonly kind: 'replace'; readonly entry: Entry; readonly was: Entry }

/** The entries a device has, just read, and which of them are ours to change. */
export type Actual = { readonly entries: Table; readonly ours: ReadonlySet<Slot> }

/** In the order in which they are removed: a network is unreachable until its neighbours are gone, and a member admitted until nothing is sent to it. */
const LEAVING = ['route', 'neighbour', 'fdb', 'flood', 'unreachable', 'admitted', 'guard'] as const satisfies readonly Entry['kind'][]

/**
 * The operations that turn `actual` into `desired`, in the order they must be applied: additions and replacements before
 * removals, so that nobody is unreachable while a member moves. A foreign entry is never changed, whether it is what is
 * desired of its place or in the way of it. An empty plan means the kernel has converged. What of it must wait is for `isHeld`
 * to say.
 */
export function plan(desired: Table, actual: Actual): readonly Operation[] {
  const written: Operation[] = readmitted(desired, actual.entries).map((entry) => ({ kind: 'add', entry }))
  for (const [place, entry] of desired) {
    const was = actual.entries.get(place)
    if (was === undefined) written.push({ kind: 'add', entry })
    else if (actual.ours.has(place) && !sameTarget(was, entry)) written.push({ kind: 'replace', entry, was })
  }
  const surplus: Operation[] = []
  for (const [place, entry] of actual.entries) {
    const along = entry.kind === 'admitted' && !desired.has(GUARD)
    if (actual.ours.has(place) && !desired.has(place) && !along) surplus.push({ kind: 'remove', entry })
  }
  const ofKind = (operations: readonly Operation[]) => (kind: Entry['kind']) => operations.filter(({ entry }) => entry.kind === kind)
  return [...KINDS.flatMap(ofKind(written)), ...LEAVING.flatMap(ofKind(surplus))]
}

/**
 * What is desired, and a way to each neighbour that somebody else has in a network that is unreachable else: his traffic is
 * not ours to cut off.
 */
export function passable(desired: Table, { entries, ours }: Actual): Table {
  const networks = [...desired.values()].flatMap((entry) => (entry.kind === 'unreachable' ? [entry.network] : []))
  if (networks.length === 0) return desired
  const ways = [...entries].flatMap(([place, entry]): Entry[] => {
    if (entry.kind !== 'neighbour' || ours.has(place)) return []
    return networks.some((network) => contains(network, entry.overlay)) ? [{ kind: 'route', overlay: entry.overlay }] : []
  })
  return new Map([...table(ways), ...desired])
}

/** A foreign entry in a place where another is wanted. */
export type Obstacle = { readonly wanted: Entry; readonly found: Entry }

/** What is in the way of what is desired, and not ours to change. */
export function obstacles(desired: Table, { entries, ours }: Actual): readonly Obstacle[] {
  return [...desired].flatMap(([place, wanted]): Obstacle[] => {
    const found = entries.get(place)
    return found === undefined || ours.has(place) || sameTarget(found, wanted) ? [] : [{ wanted, found }]
  })
}

/** What is there after operations that the kernel took. */
export function applied<State extends { readonly entries: Table; readonly marked: ReadonlySet<Slot> }>(
  before: State,
  operations: readonly Operation[],
): State {
  const entries = new Map(before.entries)
  const marked = new Set(before.marked)
  for (const { kind, entry } of operations) {
    const place = slot(entry)
    for (const gone of kind === 'add' ? [] : goneWith(entry, entries)) {
      entries.delete(gone)
      marked.delete(gone)
    }
    if (kind === 'remove') continue
    entries.set(place, entry)
    if (carriesMark(entry)) marked.add(place)
    else marked.delete(place)
  }
  return { ...before, entries, marked }
}
