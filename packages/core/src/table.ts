import type { IpAddress } from './values.ts'

/**
 * One line we own in the kernel. A flood entry sends everything without a better destination (broadcast, unknown
 * addresses) to one member's underlay address: the zero MAC of `bridge fdb`.
 */
export type Entry = { readonly kind: 'flood'; readonly underlay: IpAddress }

/** The place an entry occupies in the kernel. A flood entry's place includes its destination: there is one a member. */
export type Slot = string

/** All the entries of one device, by slot. */
export type Table = ReadonlyMap<Slot, Entry>

export function slot(entry: Entry): Slot {
  return `${entry.kind} ${entry.underlay}`
}

export function table(entries: Iterable<Entry>): Table {
  return new Map([...entries].map((entry) => [slot(entry), entry]))
}
