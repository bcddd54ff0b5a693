/**
 * Every command this package issues, in full words: iproute2 takes abbreviations, and `br` is one of `broadcast`.
 * Rendered from parsed values only, because a batch reads an embedded newline as a second command.
 */
import { unreachable, ZERO_MAC, type DeviceName, type IpAddress, type Operation, type TunnelSpec } from '@vxmesh/core'
import type { Step } from './link.ts'

/** One call of a tool of iproute2. */
export type Command = { readonly tool: 'ip' | 'bridge'; readonly args: readonly string[] }

export const SHOW_HOST: Command = ip('-json', 'address', 'show')

/** Reads further commands, without the tool's name, from its input; `-force` goes on after one that fails. */
export function batchOf(tool: Command['tool']): Command {
  return { tool, args: ['-force', '-batch', '-'] }
}

export const MONITOR_FDB: Command = bridge('monitor', 'fdb')

export const MONITOR_LINKS: Command = ip('monitor', 'link', 'address')

export function version(tool: Command['tool']): Command {
  return { tool, args: ['-Version'] }
}

export function showLink(device: DeviceName): Command {
  return ip('-json', '-details', 'link', 'show', 'dev', device)
}

export function showAddresses(device: DeviceName): Command {
  return ip('-json', 'address', 'show', 'dev', device)
}

export function showFdb(device: DeviceName): Command {
  return bridge('-json', 'fdb', 'show', 'dev', device)
}

export function deleteLink(device: DeviceName): Command {
  return ip('link', 'delete', 'dev', device)
}

/** The command that carries out one step of `decide`. */
export function stepCommand(spec: TunnelSpec, step: Step): Command {
  switch (step.kind) {
    case 'create': {
      const vxlan = ['id', String(spec.id), 'local', step.local, 'dstport', String(step.port), 'learning']
      return ip('link', 'add', 'name', spec.device, 'mtu', String(step.mtu), 'type', 'vxlan', ...vxlan)
    }
    case 'mark':
      return ip('link', 'set', 'dev', spec.device, 'alias', spec.alias)
    case 'move':
      return setLocal(spec, step.local)
    case 'address':
      return ip('address', 'add', step.address, 'dev', spec.device)
    case 'release':
      return ip('address', 'delete', step.address, 'dev', spec.device)
    case 'raise':
      return ip('link', 'set', 'dev', spec.device, 'up')
    default:
      return unreachable(step)
  }
}

/** Changes where packets leave from. The kernel keeps the forwarding table. */
export function setLocal(spec: TunnelSpec, local: IpAddress | 'ADDRESS'): Command {
  return ip('link', 'set', 'dev', spec.device, 'type', 'vxlan', 'id', String(spec.id), 'local', local)
}

/**
 * The command that carries out one operation, alone or, without the tool's name, as a line of a batch. `append`, for
 * zero-MAC entries, may be repeated and refuses no second destination; `replace`, for others, takes the place of what was
 * learned, where `append` would do nothing. A delete always names its destination, since without one it wipes them all,
 * and its port, since without one it means the device's own.
 */
export function entryCommand({ kind, entry }: Operation, device: DeviceName): Command {
  const [mac, add] = entry.kind === 'flood' ? [ZERO_MAC, 'append'] : [entry.mac, 'replace']
  const port = entry.port === undefined ? [] : ['port', String(entry.port)]
  return bridge('fdb', kind === 'add' ? add : 'delete', mac, 'dst', entry.underlay, ...port, 'dev', device)
}

/** The operation as the command a person would have typed. */
export function describe(operation: Operation, device: DeviceName): string {
  return words(entryCommand(operation, device))
}

/** A command as a person would have typed it. */
export function words({ tool, args }: Command): string {
  return [tool, ...args].join(' ')
}

function ip(...args: string[]): Command {
  return { tool: 'ip', args }
}

function bridge(...args: string[]): Command {
  return { tool: 'bridge', args }
}
