import type { IpAddress, MacAddress, Port } from './values.ts'

/**
 * Where packets for a member go. The port is there only where it is not the device's own, as the kernel has it: with and
 * without its own port it is one destination, with any other port another.
 */
type Destination = { readonly underlay: IpAddress; readonly port?: Port | undefined }

/**
 * One line we own in the kernel. A flood entry sends everything without a better destination (broadcast, unknown
 * addresses) to one member: the zero MAC of `bridge fdb`. An fdb entry sends what is for one MAC address.
 */
export type Entry = (Destination & { readonly kind: 'flood' }) | (Destination & { readonly kind: 'fdb'; readonly mac: MacAddress })

/** The place an entry occupies in the kernel, its destination included: `flood 192.0.2.1 port 8472`. */
export type Slot = string

/** All the entries of one device, by slot. */
export type Table = ReadonlyMap<Slot, Entry>

export function slot(entry: Entry): Slot {
  const what = entry.kind === 'flood' ? 'flood' : `fdb ${entry.mac}`
  return `${what} ${entry.underlay}${entry.port === undefined ? '' : ` port ${String(entry.port)}`}`
}

export function table(entries: Iterable<Entry>): Table {
  return new Map([...entries].map((entry) => [slot(entry), entry]))
}
