/**
 * What a kernel's tables become of what they are told, with the traps of the real one: the fake kernel's memory, as
 * functions. What they refuse is in the words of the tool; what changes nothing gives the same tables back.
 */
import {
  accept,
  family,
  hostOf,
  holds,
  refuse,
  slot,
  type Entry,
  type InterfaceAddress,
  type IpAddress,
  type Result,
  type Table,
} from '@vxmesh/core'
import type { Carrier } from './link.ts'
import { NOTHING, type Marked } from './marked.ts'

/** The entries of one device, and those places among them that carry our mark; what is unreachable is of the host, and with it. */
export type Tables = Marked

export const EMPTY: Tables = NOTHING

/** What becomes of tables by a change, on a device of that kind; undefined: of what is of no device. */
export type Change = (tables: Tables, link: Carrier | undefined) => Result<Tables>

const ABSENT = 'RTNETLINK answers: No such file or directory'
const NO_ROUTE = 'RTNETLINK answers: No such process'

/** A MAC address has one destination and a neighbour one MAC address, the zero MAC has as many as there are. `mark`: it is ours who write. */
export function written(tables: Tables, link: Carrier | undefined, entry: Entry, mark: boolean): Result<Tables> {
  const complaint = objection(link, entry)
  if (complaint !== undefined) return refuse(complaint)
  const kept = plain(entry, link)
  const place = slot(kept)
  if (isRoute(entry)) return tables.entries.has(place) ? refuse('RTNETLINK answers: File exists') : accept(put(tables, kept, mark))
  // A neighbour that is replaced without a protocol keeps the one it has.
  const marks = mark && entry.kind === 'neighbour' && !tables.marked.has(place)
  return accept(holds(tables.entries, kept) && !marks ? tables : put(tables, kept, marks))
}

/** What of a route is ours is replaced by us, whatever it was. */
export function replaced(tables: Tables, link: Carrier | undefined, entry: Entry): Result<Tables> {
  const freed = isRoute(entry) ? without(tables, (each) => slot(each) === slot(entry)) : tables
  return written(freed, link, entry, true)
}

/** Why the kernel, or the tool, does not take an entry at all. */
function objection(link: Carrier | undefined, entry: Entry): string | undefined {
  // What is unreachable is of no device.
  if (link === undefined) return undefined
  const bridged = entry.kind === 'flood' || entry.kind === 'fdb'
  if (link.kind !== 'vxlan') {
    if (bridged) return 'Error: FDB add only supported for Ethernet devices.'
    if (entry.kind === 'neighbour' && 'underlay' in entry && family(entry.underlay) === 'ipv6')
      return `"${entry.underlay.split(':')[0] ?? ''}" is invalid lladdr.`
    if (entry.kind === 'route' && !link.up)
      return `Error: ${family(entry.overlay) === 'ipv4' ? 'Device for nexthop is not up.' : 'Nexthop device is not up.'}`
    return undefined
  }
  return bridged && family(entry.underlay) !== familyOf(link.local)
    ? 'RTNETLINK answers: Address family not supported by protocol'
    : undefined
}

/**
 * A MAC address that leads elsewhere stays, without a complaint, and so do the other destinations of the zero MAC; the
 * kernel complains only where there is none at all. A neighbour goes whatever its MAC address. A route goes by its mark, if
 * that is named.
 */
export function erased(tables: Tables, link: Carrier | undefined, entry: Entry, mark: boolean): Result<Tables> {
  const kept = plain(entry, link)
  const place = slot(kept)
  const gone = (each: Entry) => slot(each) === place
  if (isRoute(entry))
    return tables.entries.has(place) && (!mark || tables.marked.has(place)) ? accept(without(tables, gone)) : refuse(NO_ROUTE)
  if (entry.kind === 'flood' ? !some(tables, 'flood') : !tables.entries.has(place)) return refuse(ABSENT)
  return accept(entry.kind === 'neighbour' || holds(tables.entries, kept) ? without(tables, gone) : tables)
}

/** A delete of the zero MAC without a destination. */
export function wiped(tables: Tables): Result<Tables> {
  return some(tables, 'flood') ? accept(without(tables, ({ kind }) => kind === 'flood')) : refuse(ABSENT)
}

/** Neighbours do not outlive another link-layer address of the device, nor, with GRE, that it asks for addresses. */
export function forgotten(tables: Tables): Tables {
  return without(tables, ({ kind }) => kind === 'neighbour')
}

/** Neighbours and routes do not outlive a device that goes down, and those of IPv4 not its last IPv4 address. */
export function unlinked(tables: Tables, of: 'ipv4' | 'both'): Tables {
  return without(
    tables,
    (entry) => (entry.kind === 'neighbour' || entry.kind === 'route') && (of === 'both' || family(entry.overlay) === of),
  )
}

/** What is left of a device that goes down: IPv6 addresses go along. */
export function lasting(addresses: readonly InterfaceAddress[]): readonly InterfaceAddress[] {
  return addresses.filter((address) => family(hostOf(address)) === 'ipv4')
}

/** A device without a `local` is an IPv4 one. */
export function familyOf(local: IpAddress | undefined): 'ipv4' | 'ipv6' {
  return local === undefined ? 'ipv4' : family(local)
}

function isRoute({ kind }: Entry): boolean {
  return kind === 'route' || kind === 'unreachable'
}

function put(tables: Tables, entry: Entry, mark: boolean): Tables {
  const place = slot(entry)
  return { entries: new Map(tables.entries).set(place, entry), marked: mark ? new Set(tables.marked).add(place) : tables.marked }
}

function without(tables: Tables, gone: (entry: Entry) => boolean): Tables {
  const kept = [...tables.entries].filter(([, entry]) => !gone(entry))
  if (kept.length === tables.entries.size) return tables
  const entries: Table = new Map(kept)
  return { entries, marked: new Set([...tables.marked].filter((place) => entries.has(place))) }
}

function some({ entries }: Tables, kind: Entry['kind']): boolean {
  return [...entries.values()].some((entry) => entry.kind === kind)
}

/** An entry as the kernel keeps it: one with the device's own port is one without. */
function plain(entry: Entry, link: Carrier | undefined): Entry {
  if (entry.kind !== 'flood' && entry.kind !== 'fdb') return entry
  const { port, ...rest } = entry
  return port === undefined || port === link?.port ? rest : { ...rest, port }
}

/** Of what is unreachable, what is so in these networks. */
export function within({ entries, marked }: Tables, networks: readonly InterfaceAddress[]): Tables {
  const found = new Map([...entries].filter(([, entry]) => entry.kind === 'unreachable' && networks.includes(entry.network)))
  return { entries: found, marked: new Set([...marked].filter((place) => found.has(place))) }
}
