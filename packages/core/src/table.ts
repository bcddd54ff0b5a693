import { unreachable } from './errors.ts'
import type { TunnelId } from './tunnel.ts'
import type { InterfaceAddress, IpAddress, MacAddress, Port } from './values.ts'

/**
 * Where packets for a member go. The port is there only where it is not the device's own, as the kernel has it: with and
 * without its own port it is one destination, with any other port another.
 */
type Destination = { readonly underlay: IpAddress; readonly port?: Port | undefined }

/** What a packet is sent in, where the device does not know: from which address of the underlay to which, with which key. */
type Wrapping = { readonly local: IpAddress; readonly underlay: IpAddress; readonly key: TunnelId }

/**
 * One line we own in the kernel. A flood entry sends everything without a better destination (broadcast, unknown
 * addresses) to one member: the zero MAC of `bridge fdb`. An fdb entry sends what is for one MAC address. A neighbour
 * says which MAC address an address inside the tunnel has, so that nobody need ask by ARP.
 *
 * In a tunnel of multipoint GRE a neighbour says where packets for an address inside the tunnel go. There is also a route
 * to that address, since the rest of the network is unreachable (see `unreachableOf`). Over IPv6 the kernel cannot read a
 * neighbour, and the route itself says where.
 *
 * The guard keeps out of the tunnel whatever no member sent, by rules of the kernel's packet filter, in its words; who is
 * admitted passes it.
 */
export type Entry =
  | (Destination & { readonly kind: 'flood' })
  | (Destination & { readonly kind: 'fdb'; readonly mac: MacAddress })
  | { readonly kind: 'neighbour'; readonly overlay: IpAddress; readonly mac: MacAddress }
  | { readonly kind: 'neighbour'; readonly overlay: IpAddress; readonly underlay: IpAddress }
  | { readonly kind: 'route'; readonly overlay: IpAddress }
  | (Wrapping & { readonly kind: 'route'; readonly overlay: IpAddress })
  | { readonly kind: 'unreachable'; readonly network: InterfaceAddress }
  | { readonly kind: 'guard'; readonly family: 'ipv4' | 'ipv6'; readonly rules: readonly string[] }
  | { readonly kind: 'admitted'; readonly underlay: IpAddress }

/**
 * In the order in which they are written: a member is admitted before anything is sent to it; a neighbour makes the kernel send to its MAC address, which has its way by then;
 * a network becomes unreachable when its members have their routes.
 */
export const KINDS = ['guard', 'admitted', 'flood', 'fdb', 'neighbour', 'route', 'unreachable'] as const satisfies readonly Entry['kind'][]

/**
 * The place an entry occupies in the kernel: `flood 192.0.2.1 port 8472`, `fdb 02:00:00:00:00:05`, `neighbour 192.168.234.2`.
 * Everybody may be flooded to, but a MAC address has one destination and an address one MAC address.
 */
export type Slot = string

/** The place of the guard: a tunnel has one. */
export const GUARD: Slot = 'guard'

/** All the entries of one device, by slot. */
export type Table = ReadonlyMap<Slot, Entry>

export function slot(entry: Entry): Slot {
  switch (entry.kind) {
    case 'flood':
      return `flood ${destination(entry)}`
    case 'fdb':
      return `fdb ${entry.mac}`
    case 'neighbour':
    case 'route':
      return `${entry.kind} ${entry.overlay}`
    case 'unreachable':
      return `unreachable ${entry.network}`
    case 'guard':
      return GUARD
    case 'admitted':
      return `admitted ${entry.underlay}`
    default:
      return unreachable(entry)
  }
}

/** Whether two entries are one: the same place, leading to the same. */
export function sameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return slot(a) === slot(b) && target(a) === target(b)
}

/** Whether what two entries of one place lead to is the same: as many are compared as there are members, for each change of one. */
export function sameTarget(a: Entry, b: Entry): boolean {
  return a === b || target(a) === target(b)
}

/** Whether a table has exactly this entry. */
export function holds(entries: Table | undefined, entry: Entry): boolean {
  return sameEntry(entries?.get(slot(entry)), entry)
}

export function table(entries: Iterable<Entry>): Table {
  return new Map([...entries].map((entry) => [slot(entry), entry]))
}

function target(entry: Entry): string {
  if (entry.kind === 'unreachable' || entry.kind === 'admitted') return ''
  if (entry.kind === 'guard') return [entry.family, ...entry.rules].join('\n')
  if (entry.kind === 'route') return 'underlay' in entry ? [entry.local, entry.underlay, entry.key].join(' ') : ''
  if (entry.kind !== 'neighbour') return destination(entry)
  return 'mac' in entry ? entry.mac : entry.underlay
}

/** Whether an entry that we write carries our mark in the kernel: those of `bridge` cannot. */
export function carriesMark({ kind }: Entry): boolean {
  return kind !== 'flood' && kind !== 'fdb'
}

function destination({ underlay, port }: Destination): string {
  return port === undefined ? underlay : `${underlay} port ${String(port)}`
}
