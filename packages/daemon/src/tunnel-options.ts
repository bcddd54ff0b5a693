/** A tunnel as it was asked for: every part parsed, or refused with one line that names it. */
import {
  addressRange,
  hostless,
  hostOf,
  leastMtu,
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMtu,
  parsePort,
  parseVni,
  refuse,
  type DeviceName,
  type InterfaceAddress,
  type IpAddress,
  type Mtu,
  type Port,
  type Result,
  type TunnelName,
} from '@vxmesh/core'
import { OVERLAY_MOST } from '@vxmesh/gossip'
import { fault, parsedAt, tunnelPlace, type Place, type Source, type TunnelPart } from './source.ts'

/** What is at a tunnel's sides: the kernel that is to carry it. */
export type KernelChoice = 'iproute2' | 'memory'

/** A tunnel as it was typed. */
export type RawTunnel = {
  readonly device: string
  readonly mode: string
  readonly id?: string | undefined
  readonly key?: string | undefined
  readonly local?: string | undefined
  readonly addresses: readonly string[]
  /** The UDP port of VXLAN. */
  readonly port?: string | undefined
  /** Bytes, or `mesh`: the smallest of all members. */
  readonly mtu?: string | undefined
  /** The bridge that the device is to be a port of. */
  readonly master?: string | undefined
}

export type TunnelOptions = TunnelName & {
  readonly device: DeviceName
  readonly local: IpAddress | undefined
  /** The interface whose address to take for `local`, where it was named instead. */
  readonly localInterface: DeviceName | undefined
  readonly addresses: readonly InterfaceAddress[]
  readonly port: Port | undefined
  readonly mtu: Mtu
  readonly master: DeviceName | undefined
}

export function parseTunnel(raw: RawTunnel, source: Source, kernel: KernelChoice): TunnelOptions {
  const place = (part: TunnelPart) => tunnelPlace(source, raw.device, part)
  const { port, mtu, master } = raw
  if (raw.addresses.length > OVERLAY_MOST)
    throw fault(place('addresses'), undefined, `a tunnel may have ${String(OVERLAY_MOST)} addresses, not ${String(raw.addresses.length)}`)
  const addresses = raw.addresses.map((address) => parsedAt(place('addresses'), address, parseOverlay))
  return {
    device: parsedAt(place('device'), raw.device, parseDeviceName),
    ...parseName(raw, place),
    ...parseLocal(raw.local, place, kernel),
    addresses,
    port: port === undefined ? undefined : parsedAt(place('port'), port, parsePort),
    mtu: mtu === undefined ? undefined : parsedAt(place('mtu'), mtu, (text) => parseFittingMtu(text, addresses)),
    master: master === undefined ? undefined : parseMaster(master, raw, place('master')),
  }
}

/** A tunnel as it would be typed. */
export function typed({ device, mode, id, local, localInterface, addresses, port, mtu, master }: TunnelOptions): RawTunnel {
  return {
    device,
    mode,
    [mode === 'gre' ? 'key' : 'id']: id?.toString(),
    local: localInterface ?? local,
    addresses,
    port: port?.toString(),
    mtu: mtu?.toString(),
    master,
  }
}

/** What may be said of a device with these addresses. */
function parseFittingMtu(text: string, addresses: readonly InterfaceAddress[]): Result<Mtu> {
  const mtu = parseMtu(text)
  const least = leastMtu(addresses)
  return mtu.ok && mtu.value !== 'mesh' && mtu.value < least ? refuse(`IPv6 needs ${String(least)} bytes`) : mtu
}

/** A bridge takes Ethernet, which GRE does not carry. */
function parseMaster(text: string, { mode, device }: RawTunnel, place: Place): DeviceName {
  if (mode === 'gre') throw fault(place, text, 'a device of GRE carries no Ethernet, and can be no port of a bridge')
  if (text === device) throw fault(place, text, 'that is the device itself')
  return parsedAt(place, text, parseDeviceName)
}

type PlaceOf = (part: TunnelPart) => ReturnType<typeof tunnelPlace>

/** A VXLAN tunnel has an id, and one of GRE may have a key. */
function parseName({ mode, id, key, port }: RawTunnel, place: PlaceOf): TunnelName {
  if (mode === 'vxlan') {
    if (key !== undefined) throw fault(place('key'), key, 'only tunnels of mode gre have a key; VXLAN has an id')
    if (id === undefined) throw fault(place('id'), undefined, 'needed, the VXLAN id')
    return { mode, id: parsedAt(place('id'), id, parseVni) }
  }
  if (mode !== 'gre') throw fault(place('mode'), mode, 'the mode is vxlan or gre')
  if (id !== undefined) throw fault(place('id'), id, 'only tunnels of mode vxlan have an id; GRE has a key, or none')
  if (port !== undefined) throw fault(place('port'), port, 'GRE has no ports')
  return { mode, id: key === undefined ? undefined : parsedAt(place('key'), key, parseGreKey) }
}

/** An address, or an interface that has one: what is no address is a name. */
function parseLocal(text: string | undefined, place: PlaceOf, kernel: KernelChoice): Pick<TunnelOptions, 'local' | 'localInterface'> {
  if (text === undefined && kernel === 'memory') throw fault(place('local'), undefined, 'needed with --kernel memory')
  if (text === undefined) return { local: undefined, localInterface: undefined }
  const named =
    kernel === 'iproute2' && !parseIp(text).ok && /^[A-Za-z]/.test(text) && !text.includes(':') ? parseDeviceName(text) : undefined
  if (named?.ok === true) return { local: undefined, localInterface: named.value }
  return { local: parsedAt(place('local'), text, kernel === 'memory' ? parseMemoryUnderlay : parseUnderlay), localInterface: undefined }
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
