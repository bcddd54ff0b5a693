/**
 * Every command this package issues, in full words: iproute2 takes abbreviations, and `br` is one of `broadcast`.
 * Rendered from parsed values only, because a batch reads an embedded newline as a second command.
 */
import {
  family,
  unreachable,
  ZERO_MAC,
  type DeviceName,
  type Entry,
  type IpAddress,
  type Mode,
  type Operation,
  type TunnelSpec,
} from '@vxmesh/core'
import { admissionCommand, guardCommand, SOURCE_PORTS } from './guard.ts'
import type { Step } from './link.ts'

/** One call of a tool of iproute2. */
export type Command = { readonly tool: 'ip' | 'bridge'; readonly args: readonly string[] }

/** One call of a tool that writes entries. */
export type Write = Command | { readonly tool: 'nft'; readonly args: readonly string[] }

/** One call of any tool. */
export type Call = Write | { readonly tool: 'ovs-vsctl'; readonly args: readonly string[] }

/**
 * The `protocol` that marks a neighbour or a route as ours, as routing daemons mark theirs: 118, for v, which no other has
 * (/etc/iproute2/rt_protos). Whoever replaces such a neighbour without a protocol leaves the mark on it.
 */
export const PROTOCOL = 118

/** Of what is to hold only where no other route does; nobody else has a route of this metric. */
export const UNREACHABLE_METRIC = 4_278_198_272

export const SHOW_HOST: Command = ip('-json', '-details', 'address', 'show')

/** Reads further commands, without the tool's name, from its input; `-force` goes on after one that fails. */
export function batchOf(tool: Command['tool']): Command {
  return { tool, args: ['-force', '-batch', '-'] }
}

/** The same, but ends at the first one that fails. */
export function batchUntilRefused(tool: Command['tool']): Command {
  return { tool, args: ['-batch', '-'] }
}

/** What tells of changes to a tunnel. */
export const MONITORS: Readonly<Record<Mode, readonly Command[]>> = {
  vxlan: [bridge('monitor', 'fdb'), ip('monitor', 'link', 'address', 'neigh')],
  gre: [ip('monitor', 'link', 'address', 'neigh', 'route')],
}

export function version(tool: Command['tool']): Command {
  return { tool, args: ['-Version'] }
}

/** Takes the lines of a batch for as long as it is wanted, and prints what is shown as JSON: options are given only at its start. */
export function keptOf(tool: Command['tool']): Command {
  const showing = tool === 'ip' ? ['-N', '-json', '-details'] : ['-json']
  return { tool, args: [...showing, ...batchOf(tool).args] }
}

/** A command as a line of a batch: without the tool's name and its options. */
export function lineOf({ args }: Call): string {
  return args.slice(args.findIndex((word) => !word.startsWith('-'))).join(' ')
}

/** The device and its addresses, at once. */
export function showDevice(device: DeviceName): Command {
  return ip('-json', '-details', 'address', 'show', 'dev', device)
}

/** Any device. */
export function showLink(device: DeviceName): Command {
  return ip('-json', '-details', 'link', 'show', 'dev', device)
}

export function showFdb(device: DeviceName): Command {
  return bridge('-json', 'fdb', 'show', 'dev', device)
}

/** Only what stays until it is deleted; with the protocol as a number, whatever this host calls it. */
export function showNeighbours(device: DeviceName): Command {
  return ip('-N', '-json', 'neighbour', 'show', 'dev', device, 'nud', 'permanent')
}

/** The routes through a device, of both families: that of one cannot be asked for in a batch. */
export function showRoutes(device: DeviceName): Command {
  return ip('-N', '-json', 'route', 'show', 'table', 'all', 'dev', device, 'type', 'unicast')
}

/** What is unreachable on this host, because of us or of others. */
export const SHOW_UNREACHABLE: Command = ip('-N', '-json', 'route', 'show', 'table', 'all', 'type', 'unreachable')

export function deleteLink(device: DeviceName): Command {
  return ip('link', 'delete', 'dev', device)
}

/** The command that carries out one step of `decide`. */
export function stepCommand(spec: TunnelSpec, step: Step): Call {
  switch (step.kind) {
    case 'create': {
      const named = ['link', 'add', 'name', spec.device]
      if (spec.mode === 'gre') {
        const kind = family(step.local) === 'ipv6' ? ['ip6gre', 'external'] : ['gre', 'local', step.local, ...keyOf(spec)]
        return ip(...named, 'mtu', String(step.mtu), 'type', ...kind)
      }
      const vxlan = ['id', String(spec.id), 'local', step.local, 'dstport', String(step.port), ...sources(spec), 'learning']
      const mac = step.mac === undefined ? [] : ['address', step.mac]
      return ip(...named, ...mac, 'mtu', String(step.mtu), 'type', 'vxlan', ...vxlan)
    }
    case 'mark':
      return ip('link', 'set', 'dev', spec.device, 'alias', spec.alias)
    case 'move':
      return setLocal(spec, step.local)
    case 'resize':
      return ip('link', 'set', 'dev', spec.device, 'mtu', String(step.mtu))
    case 'address':
      return ip('address', 'add', step.address, 'dev', spec.device)
    case 'release':
      return ip('address', 'delete', step.address, 'dev', spec.device)
    case 'attach':
      if (step.to === 'bridge') return ip('link', 'set', 'dev', spec.device, 'master', step.master)
      // It may be a port of another, and only of one at a time.
      return ovs('--if-exists', 'del-port', spec.device, '--', 'add-port', step.master, spec.device)
    case 'raise':
      return ip('link', 'set', 'dev', spec.device, 'up')
    default:
      return unreachable(step)
  }
}

function sources({ guard }: TunnelSpec): readonly string[] {
  return guard === true ? ['srcport', String(SOURCE_PORTS.low), String(SOURCE_PORTS.high)] : []
}

/** Changes where packets leave from. The kernel keeps the entries. Without its key a GRE device would lose it. */
export function setLocal(spec: TunnelSpec, local: IpAddress | 'ADDRESS'): Command {
  const named = ['link', 'set', 'dev', spec.device, 'type', spec.mode]
  return spec.mode === 'gre' ? ip(...named, 'local', local, ...keyOf(spec)) : ip(...named, 'id', String(spec.id), 'local', local)
}

function keyOf({ id }: TunnelSpec): readonly string[] {
  return id === undefined ? [] : ['key', String(id)]
}

/**
 * The command that carries out one operation, alone or, without the tool's name, as a line of a batch. An entry that may
 * take the place of another, found or learned, is always written with `replace`: `append` of a MAC address that has a
 * destination does nothing, and `add` is refused. To the zero MAC, which has many, one is appended, as often as you like.
 */
export function entryCommand({ kind, entry }: Operation, device: DeviceName): Write {
  const removes = kind === 'remove'
  if (entry.kind === 'guard') return guardCommand(entry, device, removes)
  if (entry.kind === 'admitted') return admissionCommand(entry.underlay, device, removes)
  if (entry.kind === 'neighbour') {
    if (removes) return ip('neighbour', 'delete', entry.overlay, 'dev', device)
    const lasting = ['nud', 'permanent', 'protocol', String(PROTOCOL)]
    return ip('neighbour', 'replace', entry.overlay, ...target(entry), 'dev', device, ...lasting)
  }
  if (entry.kind === 'route' || entry.kind === 'unreachable') {
    return ip('route', removes ? 'delete' : kind, ...(removes ? placeOf(entry, device) : routeOf(entry, device)))
  }
  const [mac, write] = entry.kind === 'flood' ? [ZERO_MAC, 'append'] : [entry.mac, 'replace']
  return bridge('fdb', removes ? 'delete' : write, mac, ...target(entry), 'dev', device)
}

type Route = Entry & { kind: 'route' | 'unreachable' }

/** An address without a length is a route to it alone. It is added, and so refused where somebody else has one; only one of ours is replaced. */
function routeOf(entry: Route, device: DeviceName): readonly string[] {
  const [to, ...rest] = placeOf(entry, device)
  return entry.kind === 'route' && to !== undefined ? [to, ...target(entry), ...rest] : placeOf(entry, device)
}

function placeOf(entry: Route, device: DeviceName): readonly string[] {
  const mark = ['protocol', String(PROTOCOL)]
  if (entry.kind === 'route') return [entry.overlay, 'dev', device, ...mark]
  return ['unreachable', entry.network, 'metric', String(UNREACHABLE_METRIC), ...mark]
}

/** A delete of the zero MAC without `dst` wipes them all, and one without `port` means the device's own. */
function target(entry: Entry): readonly string[] {
  if (entry.kind === 'unreachable' || entry.kind === 'admitted') return []
  if (entry.kind === 'guard') return ['other', 'rules']
  if (entry.kind === 'route') return 'underlay' in entry ? ['encap', 'ip6', ...wrapping(entry)] : []
  if (entry.kind === 'neighbour') return ['lladdr', 'mac' in entry ? entry.mac : entry.underlay]
  return ['dst', entry.underlay, ...(entry.port === undefined ? [] : ['port', String(entry.port)])]
}

/** The number of a key is told before the word that there is one: without the word it is not sent. */
function wrapping({ key, underlay, local }: Extract<Entry, { kind: 'route'; underlay: IpAddress }>): readonly string[] {
  return [...(key === undefined ? [] : ['id', String(key), 'key']), 'dst', underlay, 'src', local]
}

/** The operation as the command a person would have typed. */
export function describe(operation: Operation, device: DeviceName): string {
  return words(entryCommand(operation, device))
}

/** Where an entry leads, as the tool shows it: `dst 192.168.226.5`, `lladdr 02:00:00:00:00:05`. */
export function describeTarget(entry: Entry): string {
  return target(entry).join(' ')
}

/** A command as a person would have typed it, in a shell. */
export function words({ tool, args }: Call): string {
  return [tool, ...args.map((word) => (/[; ]/.test(word) ? `'${word}'` : word))].join(' ')
}

/** It waits for the daemon of Open vSwitch, which may not run: not for ever. */
export function ovs(...args: readonly string[]): Call {
  return { tool: 'ovs-vsctl', args: ['--timeout=5', ...args] }
}

function ip(...args: string[]): Command {
  return { tool: 'ip', args }
}

function bridge(...args: string[]): Command {
  return { tool: 'bridge', args }
}
