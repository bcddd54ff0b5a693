/** What `vxmesh up` was asked for: every part parsed, or refused with one line that names it. */
import { hostname } from 'node:os'
import {
  contains,
  hostOf,
  inside,
  parseDeviceName,
  parseInterfaceAddress,
  parseMemberName,
  parsePort,
  tunnelWords,
  type DeviceName,
  type InterfaceAddress,
  type IpAddress,
  type MemberName,
  type Port,
} from '@vxmesh/core'
import { TUNNELS_MOST, type Seed } from '@vxmesh/gossip'
import { parseSeed } from '@vxmesh/gossip/libp2p'
import { LOG_LEVELS, type LogLevel } from './log.ts'
import { BY_FLAGS, fault, memberPlace, parsedAt, tunnelPlace, type MemberPart, type Place, type Source } from './source.ts'
import { parseTunnel, typed, type KernelChoice, type RawTunnel, type TunnelOptions } from './tunnel-options.ts'

/** What is asked of the member, whatever its tunnels, as it was typed. */
export type RawMember = {
  readonly invite?: string
  readonly seed: readonly string[]
  readonly discover: readonly string[]
  readonly stateDir: string
  readonly control: string
  readonly name?: string
  readonly port: string
  readonly logLevel: string
  readonly guard: string
  readonly underlay: readonly string[]
  readonly kernel: string
}

/** The flags as they were typed: a member with one tunnel. */
export type RawUpOptions = RawMember & {
  readonly device?: string
  readonly mode: string
  readonly id?: string
  readonly key?: string
  readonly local?: string
  readonly address: readonly string[]
  readonly vxlanPort?: string
  readonly mtu?: string
  readonly master?: string
}

export type UpOptions = {
  readonly invite: string | undefined
  readonly tunnels: readonly TunnelOptions[]
  readonly seeds: readonly Seed[]
  /** The interfaces to look for members on; none: those that lead to a LAN. */
  readonly discover: readonly DeviceName[] | 'off'
  readonly stateDir: string
  readonly control: string
  readonly name: MemberName
  readonly port: Port
  readonly logLevel: LogLevel
  /** Whether the tunnels take in only what members send. */
  readonly guard: boolean
  /** The networks that members' underlay addresses may be in; none: any. */
  readonly underlay: readonly InterfaceAddress[]
  readonly kernel: KernelChoice
  readonly source: Source
}

/** What a later `vxmesh plan` has to know of a start, as it would be typed. */
export type Asked = {
  readonly name: string
  readonly port: string
  readonly guard?: string | undefined
  readonly underlay?: readonly string[] | undefined
  readonly tunnels: readonly RawTunnel[]
}

export function askedOf({ name, port, guard, underlay, tunnels }: UpOptions): Asked {
  const rest = { ...(guard ? { guard: 'on' } : {}), ...(underlay.length > 0 ? { underlay } : {}) }
  return { name, port: String(port), ...rest, tunnels: tunnels.map(typed) }
}

export function parseUpOptions({
  device,
  mode,
  id,
  key,
  local,
  address: addresses,
  vxlanPort: port,
  mtu,
  master,
  ...member
}: RawUpOptions): UpOptions {
  if (device === undefined) throw fault(tunnelPlace(BY_FLAGS, '', 'device'), undefined, 'needed, the device of the tunnel')
  return parseMember(member, [{ device, mode, id, key, local, addresses, port, mtu, master }], BY_FLAGS)
}

export function parseMember(raw: RawMember, tunnels: readonly RawTunnel[], source: Source): UpOptions {
  const { kernel } = raw
  const place = (part: MemberPart) => memberPlace(source, part)
  const logLevel = LOG_LEVELS.find((level) => level === raw.logLevel)
  if (kernel !== 'iproute2' && kernel !== 'memory') throw fault(place('kernel'), kernel, 'the kernel is iproute2 or memory')
  if (logLevel === undefined) throw fault(place('log-level'), raw.logLevel, `the level is one of ${LOG_LEVELS.join(', ')}`)
  if (raw.guard !== 'on' && raw.guard !== 'off') throw fault(place('guard'), raw.guard, 'the guard is on or off')
  return {
    invite: raw.invite === undefined ? undefined : parsePath(place('invite'), raw.invite),
    tunnels: distinct(
      tunnels.map((each) => parseTunnel(each, source, kernel)),
      source,
    ),
    seeds: raw.seed.map((seed) => parsedAt(place('seeds'), seed, parseSeed)),
    discover: parseDiscover(place('discover'), raw, tunnels),
    stateDir: parsePath(place('state-dir'), raw.stateDir),
    control: parsePath(place('control'), raw.control),
    name: raw.name === undefined ? ownName() : parsedAt(place('name'), raw.name, parseMemberName),
    port: parsedAt(place('port'), raw.port, parsePort),
    logLevel,
    guard: raw.guard === 'on',
    underlay: raw.underlay.map((network) => parsedAt(place('underlay'), network, parseInterfaceAddress)),
    kernel,
    source,
  }
}

/** Tells whether an underlay address is one that members may have. */
export function withinUnderlay({ underlay }: Pick<UpOptions, 'underlay'>): (address: IpAddress) => boolean {
  const networks = underlay.map(inside)
  return (address) => networks.length === 0 || networks.some((isIn) => isIn(address))
}

/** The kernel in memory has no interface to be found on. */
function parseDiscover(place: Place, { discover, kernel }: RawMember, tunnels: readonly RawTunnel[]): UpOptions['discover'] {
  if (discover.includes('off') && discover.length > 1) throw fault(place, undefined, 'is either off, or names interfaces')
  const own = tunnels.find(({ device }) => discover.includes(device))
  if (own !== undefined) throw fault(place, own.device, 'is a tunnel: members are looked for outside of it')
  return discover.includes('off') || kernel === 'memory' ? 'off' : discover.map((name) => parsedAt(place, name, parseDeviceName))
}

/** The others know a tunnel by its kind and its id or key: a member carries each once. */
function distinct(tunnels: readonly TunnelOptions[], source: Source): readonly TunnelOptions[] {
  const carriers = new Map<string, string>()
  for (const [index, tunnel] of tunnels.entries()) {
    const words = tunnelWords(tunnel)
    const other = carriers.get(words)
    const place = tunnelPlace(source, tunnel.device, 'device')
    if (other !== undefined) throw fault(place, undefined, `carries ${words}, as ${other} does: a member carries a tunnel once`)
    if (index >= TUNNELS_MOST) throw fault(place, undefined, `is one too many: a member may have ${String(TUNNELS_MOST)} tunnels`)
    carriers.set(words, tunnel.device)
    apart(tunnel, tunnels.slice(0, index), tunnelPlace(source, tunnel.device, 'addresses'))
  }
  return tunnels
}

/** The kernel would send into one tunnel what is meant for the other. */
function apart({ addresses }: TunnelOptions, others: readonly TunnelOptions[], place: Place): void {
  const overlap = (a: InterfaceAddress, b: InterfaceAddress): boolean => contains(a, hostOf(b)) || contains(b, hostOf(a))
  for (const address of addresses) {
    for (const other of others) {
      const there = other.addresses.find((each) => overlap(address, each))
      if (there !== undefined) throw fault(place, address, `its network overlaps that of ${other.device}, ${there}`)
    }
  }
}

export function parsePath(place: Place, text: string): string {
  if (text === '' || text.includes('\0')) throw fault(place, undefined, 'needs a path')
  return text
}

/** The first label of the host's name, in the letters that a member's name may have. */
function ownName(): MemberName {
  const label = hostname().toLowerCase().split('.')[0] ?? ''
  const name = parseMemberName(
    label
      .replaceAll(/[^a-z0-9-]/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63),
  )
  if (!name.ok) throw fault(memberPlace(BY_FLAGS, 'name'), undefined, 'needed: this host has no usable name')
  return name.value
}
