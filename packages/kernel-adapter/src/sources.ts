/** What shows the entries of a device, and how it is understood. */
import { accept, MeshError, type DeviceName, type InterfaceAddress, type Result, type Table } from '@vxmesh/core'
import { parseRoutes, parseUnreachable } from './gre.ts'
import { NOTHING, together, type Marked } from './marked.ts'
import { parseEntries, parseNeighbours, type Link } from './read.ts'
import { SHOW_UNREACHABLE, showFdb, showNeighbours, showRoutes, words, type Command } from './render.ts'

/** A command, and how what it shows is understood. */
export type Source = { readonly command: Command; readonly understand: (text: string) => Result<Marked> }

/** The sources of a device that has addresses in these networks. */
export function sources(device: DeviceName, link: Link, networks: readonly InterfaceAddress[]): readonly Source[] {
  if (link.kind === 'vxlan') {
    return [
      { command: showFdb(device), understand: (text) => unmarked(parseEntries(text, link)) },
      { command: showNeighbours(device), understand: (text) => parseNeighbours(text) },
    ]
  }
  if (link.kind !== 'gre' && link.kind !== 'ip6gre') return []
  const neighbours = { command: showNeighbours(device), understand: (text: string) => parseNeighbours(text, 'gre') }
  return [
    ...(link.kind === 'gre' ? [neighbours] : []),
    { command: showRoutes(device), understand: (text) => parseRoutes(text, networks) },
    barriers(networks),
  ]
}

/** What shows which of these networks are unreachable, whether there is a device or not. */
export function barriers(networks: readonly InterfaceAddress[]): Source {
  return { command: SHOW_UNREACHABLE, understand: (text) => parseUnreachable(text, networks) }
}

function unmarked(entries: Result<Table>): Result<Marked> {
  return entries.ok ? accept({ ...NOTHING, entries: entries.value }) : entries
}

export type Shown = Source & { readonly text: string }

export function understood(_about: string, shown: readonly Shown[]): Marked {
  return together(shown.map(({ command, text, understand }) => parsed(command, text, understand)))
}

/** Most readings show what the one before did: the same text about the same is the same table, and need not be understood again. */
export function remembering(): typeof understood {
  let last: { readonly about: string; readonly shown: readonly Shown[]; readonly tables: Marked } | undefined
  return (about, shown) => {
    if (last?.about !== about || shown.some(({ text }, index) => text !== last?.shown[index]?.text)) {
      last = { about, shown, tables: understood(about, shown) }
    }
    return last.tables
  }
}

export function parsed<Value>(command: Command, text: string, parse: (text: string) => Result<Value>): Value {
  const value = parse(text)
  if (!value.ok) throw unreadable(command, value.reason)
  return value.value
}

export function unreadable(command: Command, reason: string): MeshError {
  return new MeshError({ code: 'KERNEL_UNREADABLE', what: words(command), reason })
}
