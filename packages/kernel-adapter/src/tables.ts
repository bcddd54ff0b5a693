/**
 * What a kernel's tables become of what they are told, with the traps of the real one: the fake kernel's memory, as
 * functions. What they refuse is in the words of the tool; what changes nothing gives the same tables back.
 */
import { accept, family, holds, refuse, slot, type Entry, type IpAddress, type Result, type Slot, type Table } from '@vxmesh/core'
import type { VxlanLink } from './read.ts'

/** The entries of one device, and those places among them that carry our mark. */
export type Tables = { readonly entries: Table; readonly marked: ReadonlySet<Slot> }

export const EMPTY: Tables = { entries: new Map(), marked: new Set() }

const ABSENT = 'RTNETLINK answers: No such file or directory'

/** A MAC address has one destination and a neighbour one MAC address, the zero MAC has as many as there are. */
export function written(tables: Tables, link: VxlanLink, entry: Entry, mark: boolean): Result<Tables> {
  if ('underlay' in entry && family(entry.underlay) !== familyOf(link.local))
    return refuse('RTNETLINK answers: Address family not supported by protocol')
  const kept = plain(entry, link)
  const place = slot(kept)
  // A neighbour that is replaced without a protocol keeps the one it has.
  const marks = mark && entry.kind === 'neighbour' && !tables.marked.has(place)
  if (holds(tables.entries, kept) && !marks) return accept(tables)
  return accept({
    entries: new Map(tables.entries).set(place, kept),
    marked: marks ? new Set(tables.marked).add(place) : tables.marked,
  })
}

/**
 * A MAC address that leads elsewhere stays, without a complaint, and so do the other destinations of the zero MAC; the
 * kernel complains only where there is none at all. A neighbour goes whatever its MAC address.
 */
export function erased(tables: Tables, link: VxlanLink, entry: Entry): Result<Tables> {
  const kept = plain(entry, link)
  const place = slot(kept)
  if (entry.kind === 'flood' ? !some(tables, 'flood') : !tables.entries.has(place)) return refuse(ABSENT)
  const there = entry.kind === 'neighbour' || holds(tables.entries, kept)
  return accept(there ? without(tables, (each) => slot(each) === place) : tables)
}

/** A delete of the zero MAC without a destination. */
export function wiped(tables: Tables): Result<Tables> {
  return some(tables, 'flood') ? accept(without(tables, ({ kind }) => kind === 'flood')) : refuse(ABSENT)
}

/** Neighbours do not outlive a device that goes down, nor another MAC address of it; those of IPv4 not the last IPv4 address. */
export function forgotten(tables: Tables, of: 'ipv4' | 'both'): Tables {
  return without(tables, (entry) => entry.kind === 'neighbour' && (of === 'both' || family(entry.overlay) === of))
}

/** A device without a `local` is an IPv4 one. */
export function familyOf(local: IpAddress | undefined): 'ipv4' | 'ipv6' {
  return local === undefined ? 'ipv4' : family(local)
}

function without(tables: Tables, gone: (entry: Entry) => boolean): Tables {
  const kept = [...tables.entries].filter(([, entry]) => !gone(entry))
  if (kept.length === tables.entries.size) return tables
  const entries = new Map(kept)
  return { entries, marked: new Set([...tables.marked].filter((place) => entries.has(place))) }
}

function some({ entries }: Tables, kind: Entry['kind']): boolean {
  return [...entries.values()].some((entry) => entry.kind === kind)
}

/** An entry as the kernel keeps it: one with the device's own port is one without. */
function plain(entry: Entry, link: VxlanLink): Entry {
  if (entry.kind !== 'flood' && entry.kind !== 'fdb') return entry
  const { port, ...rest } = entry
  return port === undefined || port === link.port ? rest : { ...rest, port }
}
