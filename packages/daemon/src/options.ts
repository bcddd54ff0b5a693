/** What `vxmesh up` was asked for: every flag parsed, or refused with one line that names it. */
import { hostname } from 'node:os'
import {
  addressRange,
  hostless,
  hostOf,
  MeshError,
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMemberName,
  parsePort,
  parseVni,
  type DeviceName,
  type InterfaceAddress,
  type IpAddress,
  type MemberName,
  type Port,
  type Result,
  type Mode,
  type TunnelId,
  type TunnelName,
} from '@vxmesh/core'
import type { Seed } from '@vxmesh/gossip'
import { parseSeed } from '@vxmesh/gossip/libp2p'
import { LOG_LEVELS, type LogLevel } from './log.ts'

/** The flags as they were typed. */
export type RawUpOptions = {
  readonly invite?: string
  readonly device?: string
  readonly mode: string
  readonly id?: string
  readonly key?: string
  readonly local?: string
  readonly address: readonly string[]
  readonly seed: readonly string[]
  readonly stateDir: string
  readonly control: string
  readonly name?: string
  readonly port: string
  readonly vxlanPort?: string
  readonly logLevel: string
  readonly kernel: string
}

export type UpOptions = {
  readonly invite: string | undefined
  readonly device: DeviceName
  readonly mode: Mode
  readonly id: TunnelId
  readonly local: IpAddress | undefined
  /** The interface whose address to take for `local`, where it was named instead. */
  readonly localInterface: DeviceName | undefined
  readonly addresses: readonly InterfaceAddress[]
  readonly seeds: readonly Seed[]
  readonly stateDir: string
  readonly control: string
  readonly name: MemberName
  readonly port: Port
  readonly vxlanPort: Port | undefined
  readonly logLevel: LogLevel
  readonly kernel: 'iproute2' | 'memory'
}

/** What a later `vxmesh plan` has to know of a start, as it would be typed. */
export type Asked = {
  readonly device: string
  readonly mode: string
  readonly id?: string | undefined
  readonly key?: string | undefined
  readonly local?: string | undefined
  readonly address: readonly string[]
  readonly name: string
  readonly port: string
  readonly vxlanPort?: string | undefined
}

export function askedOf({ device, mode, id, local, localInterface, addresses, name, port, vxlanPort }: UpOptions): Asked {
  return {
    device,
    mode,
    [mode === 'gre' ? 'key' : 'id']: id?.toString(),
    local: localInterface ?? local,
    address: addresses,
    name,
    port: String(port),
    vxlanPort: vxlanPort?.toString(),
  }
}

export function parseUpOptions(raw: RawUpOptions): UpOptions {
  const { kernel, local } = raw
  const logLevel = LOG_LEVELS.find((level) => level === raw.logLevel)
  if (kernel !== 'iproute2' && kernel !== 'memory') throw usage(`--kernel ${kernel}`, 'the kernel is iproute2 or memory')
  if (logLevel === undefined) throw usage(`--log-level ${raw.logLevel}`, `the level is one of ${LOG_LEVELS.join(', ')}`)
  if (kernel === 'memory' && local === undefined) throw usage('--local', 'needed with --kernel memory')
  return {
    invite: raw.invite === undefined ? undefined : parsePath('--invite', raw.invite),
    device: flag('--device', needed('--device', raw.device, 'the device of the tunnel'), parseDeviceName),
    ...parseTunnel(raw),
    ...parseLocal(local, kernel),
    addresses: raw.address.map((address) => flag('--address', address, parseOverlay)),
    seeds: raw.seed.map((seed) => flag('--seed', seed, parseSeed)),
    stateDir: parsePath('--state-dir', raw.stateDir),
    control: parsePath('--control', raw.control),
    name: raw.name === undefined ? ownName() : flag('--name', raw.name, parseMemberName),
    port: flag('--port', raw.port, parsePort),
    vxlanPort: raw.vxlanPort === undefined ? undefined : flag('--vxlan-port', raw.vxlanPort, parsePort),
    logLevel,
    kernel,
  }
}

/** A VXLAN tunnel has an id, and one of GRE may have a key. */
function parseTunnel({ mode, id, key, vxlanPort, kernel }: RawUpOptions): TunnelName {
  if (mode === 'vxlan') {
    if (key !== undefined) throw usage(`--key ${key}`, 'only tunnels of --mode gre have a key; VXLAN has --id')
    return { mode, id: flag('--id', needed('--id', id, 'the VXLAN id'), parseVni) }
  }
  if (mode !== 'gre') throw usage(`--mode ${mode}`, 'the mode is vxlan or gre')
  if (id !== undefined) throw usage(`--id ${id}`, 'only tunnels of --mode vxlan have an id; GRE has --key, or none')
  if (vxlanPort !== undefined) throw usage(`--vxlan-port ${vxlanPort}`, 'GRE has no ports')
  if (kernel === 'memory') throw usage('--mode gre', 'the kernel in memory has VXLAN only')
  return { mode, id: key === undefined ? undefined : flag('--key', key, parseGreKey) }
}

function needed(name: string, text: string | undefined, what: string): string {
  if (text === undefined) throw usage(name, `needed, ${what}`)
  return text
}

function flag<Value>(name: string, text: string, parse: (text: string) => Result<Value>): Value {
  const parsed = parse(text)
  if (!parsed.ok) throw usage(`${name} ${text}`, parsed.reason)
  return parsed.value
}

export function parsePath(name: string, text: string): string {
  if (text === '' || text.includes('\0')) throw usage(name, 'needs a path')
  return text
}

/** An address, or an interface that has one: what is no address is a name. */
function parseLocal(text: string | undefined, kernel: UpOptions['kernel']): Pick<UpOptions, 'local' | 'localInterface'> {
  if (text === undefined) return { local: undefined, localInterface: undefined }
  const named =
    kernel === 'iproute2' && !parseIp(text).ok && /^[A-Za-z]/.test(text) && !text.includes(':') ? parseDeviceName(text) : undefined
  if (named?.ok === true) return { local: undefined, localInterface: named.value }
  return { local: flag('--local', text, kernel === 'memory' ? parseMemoryUnderlay : parseUnderlay), localInterface: undefined }
}

function parseUnderlay(text: string): Result<IpAddress> {
  const address = parseIp(text)
  if (!address.ok) return address
  const range = addressRange(address.value)
  return range === 'usable' ? address : { ok: false, reason: `${article(range)} address cannot carry a tunnel` }
}

/** What no packet ever leaves by may be on loopback as well. */
function parseMemoryUnderlay(text: string): Result<IpAddress> {
  const address = parseIp(text)
  return address.ok && addressRange(address.value) === 'loopback' ? address : parseUnderlay(text)
}

function parseOverlay(text: string): Result<InterfaceAddress> {
  const address = parseInterfaceAddress(text)
  if (!address.ok) return address
  const range = addressRange(hostOf(address.value))
  if (range !== 'usable') return { ok: false, reason: `${article(range)} address cannot be given to a device` }
  const reserved = hostless(address.value)
  return reserved === undefined ? address : { ok: false, reason: `it is the ${reserved} address of that network, which no host may have` }
}

function article(word: string): string {
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`
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
  if (!name.ok) throw usage('--name', 'needed: this host has no usable name')
  return name.value
}

function usage(where: string, reason: string): MeshError {
  return new MeshError({ code: 'USAGE', reason: `${where}: ${reason}` })
}
