/** The guard of a tunnel: the kernel takes from its members only what comes in for it. */
import { GUARD, sameTarget, slot, table, type Entry, type Slot, type Table } from './table.ts'
import { family } from './values.ts'

/** An entry of a guard, which says who may send, as all others say where to send to. */
export function isOfGuard({ kind }: Entry): boolean {
  return kind === 'guard' || kind === 'admitted'
}

/** The entries, and a guard that admits everybody to whom one of them sends. */
export function guarded(entries: Table, guard: Extract<Entry, { kind: 'guard' }>): Table {
  const admitted = [...entries.values()].flatMap((entry): Entry[] =>
    'underlay' in entry ? [{ kind: 'admitted', underlay: entry.underlay }] : [],
  )
  return new Map([...table([guard, ...admitted]), ...entries])
}

/** Those of the entries that a guard which is made anew must admit again: it comes in the place of the old one with all that that held. */
export function readmitted(desired: Table, entries: Table): readonly Entry[] {
  const [guard, was] = [desired.get(GUARD), entries.get(GUARD)]
  if (guard?.kind !== 'guard' || was === undefined || sameTarget(guard, was)) return []
  return [...entries.values()].filter((entry) => entry.kind === 'admitted' && family(entry.underlay) === guard.family)
}

/** The places in a table that go along with its guard: nobody is admitted where there is none. */
export function goneWith(entry: Entry, entries: Table): readonly Slot[] {
  return entry.kind === 'guard' ? [...entries.values()].filter(isOfGuard).map(slot) : [slot(entry)]
}
