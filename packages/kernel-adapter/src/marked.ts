/** What was read of a device: its entries, and which of them a daemon wrote. */
import { slot, table, type Entry, type Slot, type Table } from '@vxmesh/core'

/** Entries of a device, and those places among them that carry our mark. */
export type Marked = { readonly entries: Table; readonly marked: ReadonlySet<Slot> }

export type Found = { readonly entry: Entry; readonly ours: boolean }

export const NOTHING: Marked = { entries: new Map(), marked: new Set() }

export function markedOf(found: readonly Found[]): Marked {
  const marked = found.filter(({ ours }) => ours).map(({ entry }) => slot(entry))
  return { entries: table(found.map(({ entry }) => entry)), marked: new Set(marked) }
}

export function together(parts: readonly Marked[]): Marked {
  return {
    entries: new Map(parts.flatMap(({ entries }) => [...entries])),
    marked: new Set(parts.flatMap(({ marked }) => [...marked])),
  }
}
