/**
 * The guard of a tunnel, as a table of nftables of its own: `vxmesh-provider0`. What comes in for the tunnel passes where its
 * source is in the set of members; what is for other tunnels, of the same UDP port or of GRE, is none of its business. Where
 * the number of the tunnel cannot be read, as in a fragment cut too short for it, nothing passes but what is members'.
 *
 * It stands where packets are taken in, not before: by then fragments of IPv4 are whole, and what is only forwarded is
 * left alone. What leaves the host for the tunnel must come from ports that its users cannot have, where the device does so.
 */
import { family, parseIp, type DeviceName, type Entry, type IpAddress, type Mode, type Port, type TunnelId } from '@vxmesh/core'
import { markedOf, NOTHING, type Marked } from './marked.ts'
import type { Write } from './render.ts'

export type Guard = Extract<Entry, { kind: 'guard' }>

/** What a guard has to know of its tunnel. */
export type Guarded = {
  readonly mode: Mode
  readonly id: TunnelId
  /** The address that it sends from. */
  readonly underlay: IpAddress
  readonly port: Port | undefined
  /** The UDP ports that it sends to. */
  readonly ports: readonly Port[]
  /** Its device sends only from UDP ports that the unprivileged cannot have. */
  readonly privileged: boolean
}

/** UDP ports that the unprivileged cannot have, without those that old programs take for themselves. */
export const SOURCE_PORTS = { low: 600, high: 1023 }

/** The guard of a tunnel. Its rules are in the very words in which nft shows them, which is how they are known again. */
export function guardOf(tunnel: Guarded): Guard {
  const { mode, underlay, privileged } = tunnel
  const kind = family(underlay)
  const sent = mode === 'vxlan' && privileged ? block('chain postrouting', [hook('postrouting', '300'), ...sendingRules(tunnel)]) : []
  const taken = mode === 'gre' ? greRules(tunnel) : vxlanRules(tunnel)
  const members = block('set members', [kind === 'ipv4' ? 'type ipv4_addr' : 'type ipv6_addr'])
  return { kind: 'guard', family: kind, rules: [...members, ...block('chain input', [hook('input', 'filter'), ...taken]), ...sent] }
}

/** The number of the tunnel is in the header of VXLAN, behind that of UDP; other tunnels have the same port. */
function vxlanRules({ underlay, port, id }: Guarded): readonly string[] {
  const kind = family(underlay)
  const dport = `udp dport ${String(port)}`
  return [
    `meta nfproto ${kind} ${dport} @th,96,24 != ${hex(id)} accept`,
    `${dport} ${ipOf(kind)} saddr @members accept`,
    `meta nfproto ${kind} ${dport} counter drop`,
  ]
}

/**
 * The key is behind a checksum, where there is one: two bits at the start of the header tell. The device of GRE over IPv6 takes
 * what comes with any key.
 */
function greRules({ underlay, id }: Guarded): readonly string[] {
  const kind = family(underlay)
  const gre = kind === 'ipv4' ? 'ip protocol gre' : 'meta nfproto ipv6 meta l4proto gre'
  const keyed = (key: TunnelId) => [
    `${gre} @th,0,8 & 0x20 == 0x0 accept`,
    `${gre} @th,0,8 & 0xa0 == 0x20 @th,32,32 != ${hex(key)} accept`,
    `${gre} @th,0,8 & 0xa0 == 0xa0 @th,64,32 != ${hex(key)} accept`,
  ]
  const others = kind === 'ipv6' ? [] : id === undefined ? [`${gre} @th,0,8 & 0x20 == 0x20 accept`] : keyed(id)
  const members = kind === 'ipv6' ? 'meta l4proto gre ip6 saddr @members accept' : `${gre} ip saddr @members accept`
  return [...others, members, `${gre} counter drop`]
}

/** What users of this host send in its name, as if it came out of the tunnel's device, through a NAT or not. */
function sendingRules({ underlay, ports, id }: Guarded): readonly string[] {
  const from = `${ipOf(family(underlay))} saddr ${underlay}`
  const source = `udp sport != ${String(SOURCE_PORTS.low)}-${String(SOURCE_PORTS.high)}`
  return ports.map((port) => `${from} udp dport ${String(port)} ${source} @th,96,24 ${hex(id)} counter drop`)
}

function ipOf(kind: Guard['family']): string {
  return kind === 'ipv4' ? 'ip' : 'ip6'
}

function hex(id: TunnelId): string {
  return `0x${(id ?? 0).toString(16)}`
}

function hook(name: string, priority: string): string {
  return `type filter hook ${name} priority ${priority}; policy accept;`
}

function block(name: string, lines: readonly string[]): readonly string[] {
  return [`${name} {`, ...lines, '}']
}

/** Shows the table of a device's guard, without what its counters count. */
export function showGuard(device: DeviceName): Write {
  return { tool: 'nft', args: ['--stateless', 'list', 'table', ...tableOf(device)] }
}

/** Asks whether a table could be made, and makes none. */
export const TRY_TABLE: Write = { tool: 'nft', args: ['--check', 'add', 'table', 'inet', 'vxmesh'] }

/** Makes the table anew, whatever is there, or takes it away: either in one transaction. */
export function guardCommand({ rules }: Guard, device: DeviceName, removes: boolean): Write {
  const table = tableOf(device).join(' ')
  if (removes) return { tool: 'nft', args: ['delete', 'table', ...tableOf(device)] }
  const lines = rules.map((line) => (/[{;]$/.test(line) ? line : `${line};`)).join(' ')
  return { tool: 'nft', args: [`add table ${table}; delete table ${table}; table ${table} { ${lines} }`] }
}

/** The same for a file that nft reads, with those whom it admits. */
export function guardLines({ rules }: Guard, members: readonly IpAddress[], device: DeviceName): readonly string[] {
  const table = `table ${tableOf(device).join(' ')}`
  const [set = '', type = '', ...rest] = rules
  const elements = members.length === 0 ? [] : [`elements = { ${members.join(', ')} }`]
  return [table, `delete ${table}`, `${table} {`, set, type, ...elements, ...rest, '}']
}

export function admissionCommand(underlay: IpAddress, device: DeviceName, removes: boolean): Write {
  return { tool: 'nft', args: [removes ? 'delete' : 'add', 'element', ...tableOf(device), 'members', '{', underlay, '}'] }
}

function tableOf(device: DeviceName): readonly string[] {
  return ['inet', `vxmesh-${device}`]
}

/** What nft shows of the table of a guard. All of it is ours, whoever wrote it. */
export function parseGuard(text: string): Marked {
  const [, ...rules] = text
    .replace(ELEMENTS, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (rules.pop() === undefined) return NOTHING
  const members = (ELEMENTS.exec(text)?.[1] ?? '').split(',').flatMap((each) => {
    const underlay = parseIp(each.trim())
    return underlay.ok ? [{ ours: true, entry: { kind: 'admitted', underlay: underlay.value } as const }] : []
  })
  const kind = rules.includes('type ipv6_addr') ? 'ipv6' : 'ipv4'
  return markedOf([{ ours: true, entry: { kind: 'guard', family: kind, rules } }, ...members])
}

/** A long set takes many lines. */
const ELEMENTS = /elements = \{([^}]*)\}/
