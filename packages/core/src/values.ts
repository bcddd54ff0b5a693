/**
 * The values everything else is made of. Each has one parser, and that parser is the only place that makes one:
 * past it, a value is trusted and never checked again. All of them are plain strings or numbers at run time, in one
 * canonical form, so that equality is `===` and a value can be a key.
 */
import ipaddr from 'ipaddr.js'

declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

/** An answer that may be a refusal. Refusals are expected; they are values, not exceptions. */
export type Result<Value, Reason = string> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: Reason }

export function accept<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value }
}

export function refuse<Reason = string>(reason: Reason): { readonly ok: false; readonly reason: Reason } {
  return { ok: false, reason }
}

/** The value of a result that is known to be good; that it is not is a bug. */
export function sure<Value>(result: Result<Value>): Value {
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

/** Bytes of our own, never shared with another thread. */
export type Bytes = Uint8Array<ArrayBuffer>

/** The identity of a peer: the base58 text of an Ed25519 libp2p peer id, `12D3KooW…`. Mesh and invite keys use the same form. */
export type PeerId = Branded<string, 'PeerId'>

/** The public half of the mesh key, as a peer id. It names the mesh. */
export type MeshId = PeerId & { readonly mesh: true }

/** A host name's first label: what people call a member. Need not be unique. */
export type MemberName = Branded<string, 'MemberName'>

/** A VXLAN network identifier, 24 bits (RFC 7348 section 5). */
export type Vni = Branded<number, 'Vni'>

/** What tells the packets of one GRE tunnel from those of another, 32 bits (RFC 2890 section 2.1). */
export type GreKey = Branded<number, 'GreKey'>

/** A TCP or UDP port, 1 to 65535. */
export type Port = Branded<number, 'Port'>

/** Six octets in lower-case hexadecimal, colon-separated. */
export type MacAddress = Branded<string, 'MacAddress'>

/** An IPv4 or IPv6 address without a zone, in canonical text (RFC 5952 for IPv6). */
export type IpAddress = Branded<string, 'IpAddress'>

/** An address with the length of its network, as `ip address` shows it: `192.168.234.1/23`. Host bits are kept. */
export type InterfaceAddress = Branded<string, 'InterfaceAddress'>

/** The name of a network device, as the kernel accepts it. */
export type DeviceName = Branded<string, 'DeviceName'>

/** The number that only the owner of a record raises, at every change and at every refutation. Gaps mean nothing. */
export type Incarnation = Branded<number, 'Incarnation'>

/** Milliseconds on a monotonic clock with an arbitrary start. Says nothing about the time of day. */
export type Instant = Branded<number, 'Instant'>

/** Milliseconds between two instants. */
export type Duration = Branded<number, 'Duration'>

/** Milliseconds since 1970, by some host's wall clock. Compared, never trusted as the time. */
export type WallTime = Branded<number, 'WallTime'>

/** Where a member's libp2p listens. */
export type ControlAddress = { readonly address: IpAddress; readonly port: Port }

export const ZERO_MAC = '00:00:00:00:00:00' as MacAddress

export function milliseconds(count: number): Duration {
  return count as Duration
}

export function seconds(count: number): Duration {
  return (count * 1000) as Duration
}

export function instant(milliseconds: number): Instant {
  return milliseconds as Instant
}

export function after(start: Instant, wait: Duration): Instant {
  return (start + wait) as Instant
}

export function elapsed(from: Instant, to: Instant): Duration {
  return (to - from) as Duration
}

export function wallTime(milliseconds: number): WallTime {
  return milliseconds as WallTime
}

/** Ed25519 peer ids all begin alike, because the multihash spells out the key: 12D3KooW and 44 more characters of base58. */
export function parsePeerId(text: string): Result<PeerId> {
  return /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/.test(text) ? accept(text as PeerId) : refuse('not an Ed25519 peer id')
}

export function parseMeshId(text: string): Result<MeshId> {
  const peer = parsePeerId(text)
  return peer.ok ? accept(peer.value as MeshId) : refuse('not a mesh id')
}

/** Lower case letters, digits and inner hyphens, at most 63: a DNS label, so that nothing in a name can reach a terminal or a shell. */
export function parseMemberName(text: string): Result<MemberName> {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)
    ? accept(text as MemberName)
    : refuse('a name is 1 to 63 lower-case letters, digits and inner hyphens')
}

function wholeNumber(text: string | number): number | undefined {
  if (typeof text === 'number') return Number.isSafeInteger(text) ? text : undefined
  return /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : undefined
}

export function parseVni(text: string | number): Result<Vni> {
  const id = wholeNumber(text)
  return id !== undefined && id >= 1 && id <= 0xff_ff_ff ? accept(id as Vni) : refuse('a VXLAN id is a whole number from 1 to 16777215')
}

export function parseGreKey(text: string | number): Result<GreKey> {
  const key = wholeNumber(text)
  return key !== undefined && key >= 0 && key <= 0xff_ff_ff_ff
    ? accept(key as GreKey)
    : refuse('a GRE key is a whole number from 0 to 4294967295')
}

export function parsePort(text: string | number): Result<Port> {
  const port = wholeNumber(text)
  return port !== undefined && port >= 1 && port <= 0xff_ff ? accept(port as Port) : refuse('a port is a whole number from 1 to 65535')
}

/** The ceiling leaves a member room to raise its number a million times a second for three hundred years. */
const INCARNATION_CEILING = Number.MAX_SAFE_INTEGER - 1

export function parseIncarnation(value: number | bigint): Result<Incarnation> {
  const number = Number(value)
  return Number.isSafeInteger(number) && number >= 1 && number <= INCARNATION_CEILING
    ? accept(number as Incarnation)
    : refuse('an incarnation is a whole number from 1 to 2^53 - 2')
}

/** No member can say anything after this one. */
export const LAST_INCARNATION = INCARNATION_CEILING as Incarnation

/** One more than this; at the ceiling there is no more. */
export function incarnationAbove(known: Incarnation): Incarnation {
  return Math.min(known + 1, INCARNATION_CEILING) as Incarnation
}

export function parseWallTime(value: number | bigint): Result<WallTime> {
  const number = Number(value)
  return Number.isSafeInteger(number) && number >= 0 ? accept(number as WallTime) : refuse('not a time')
}

export function parseMac(text: string): Result<MacAddress> {
  const lower = text.toLowerCase()
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(lower) ? accept(lower as MacAddress) : refuse('not a MAC address')
}

/** Whether it is one device's address: neither none at all nor a group's. */
export function isUnicast(mac: MacAddress): boolean {
  return mac !== ZERO_MAC && Number.parseInt(mac.slice(0, 2), 16) % 2 === 0
}

/** The one way to write an IPv4 address: read ten thousand at a time, so not left to the library, which takes ten times as long. */
const DOTTED = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

export function parseIp(text: string): Result<IpAddress> {
  if (DOTTED.test(text)) return accept(text as IpAddress)
  if (text.includes('.') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return refuse('not an IP address')
  return accept(ipaddr.IPv6.parse(text).toRFC5952String() as IpAddress)
}

export function parseInterfaceAddress(text: string): Result<InterfaceAddress> {
  const [host = '', length = '', ...rest] = text.split('/')
  const address = parseIp(host)
  const bits = wholeNumber(length)
  if (!address.ok || rest.length > 0 || bits === undefined) return refuse('not an address with its prefix length, as 192.0.2.1/24')
  const longest = family(address.value) === 'ipv4' ? 32 : 128
  if (bits < 1 || bits > longest) return refuse(`the prefix length of ${address.value} is 1 to ${String(longest)}`)
  return accept(`${address.value}/${String(bits)}` as InterfaceAddress)
}

/** The kernel's rule (`dev_valid_name`): at most 15 bytes, no slash, colon or space; ours is narrower, since the name is printed and rendered. */
export function parseDeviceName(text: string): Result<DeviceName> {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(text)
    ? accept(text as DeviceName)
    : refuse('a device name is 1 to 15 letters, digits, dots, hyphens and underscores')
}

export function family(address: IpAddress): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}

/** The address without the length of its network. */
export function hostOf(address: InterfaceAddress): IpAddress {
  return address.slice(0, address.indexOf('/')) as IpAddress
}

/** Whether `address` lies in the network of `network`. */
export function contains(network: InterfaceAddress, address: IpAddress): boolean {
  return inside(network)(address)
}

/** The same of one network and many addresses. */
export function inside(network: InterfaceAddress): (address: IpAddress) => boolean {
  const kind = family(hostOf(network))
  const [base, bits] = ipaddr.parseCIDR(network)
  return (address) => family(address) === kind && ipaddr.parse(address).match(base, bits)
}

/** The two halves of a network: each more specific than it, together all of it. A single address has none. */
export function halves(network: InterfaceAddress): readonly InterfaceAddress[] {
  const [host, bits] = ipaddr.parseCIDR(network)
  const bytes = host.toByteArray()
  if (bits === bytes.length * 8) return []
  const fixed = bytes.map((byte, index) => byte & ~(0xff >> Math.min(Math.max(bits - index * 8, 0), 8)))
  const upper = fixed.map((byte, index) => (index === bits >> 3 ? byte | (0x80 >> (bits & 7)) : byte))
  return [fixed, upper].map((half) => `${addressFrom(half)}/${String(bits + 1)}` as InterfaceAddress)
}

function addressFrom(bytes: number[]): string {
  const address = ipaddr.fromByteArray(bytes)
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
}

/** What an IPv4 address is to a network, its own unless told, when no host may have it. Networks of two addresses or one have no such (RFC 3021). */
export function hostless(address: InterfaceAddress, network = address): 'network' | 'broadcast' | undefined {
  const [base, bits] = ipaddr.parseCIDR(network)
  if (base.kind() === 'ipv6' || bits >= 31) return undefined
  const host: string = hostOf(address)
  if (host === ipaddr.IPv4.networkAddressFromCIDR(network).toString()) return 'network'
  return host === ipaddr.IPv4.broadcastAddressFromCIDR(network).toString() ? 'broadcast' : undefined
}

/** What a packet cannot simply be sent to, in the words of the IANA special-purpose registries. */
const SPECIAL_RANGES = {
  unspecified: 'unspecified',
  loopback: 'loopback',
  linkLocal: 'link-local',
  multicast: 'multicast',
  broadcast: 'broadcast',
  ipv4Mapped: 'reserved',
} as const

export type AddressRange = 'usable' | 'reserved' | (typeof SPECIAL_RANGES)[keyof typeof SPECIAL_RANGES]

/** What kind of address it is; `usable` is anything a packet can be sent to. */
export function addressRange(address: IpAddress): AddressRange {
  const parsed = ipaddr.parse(address)
  const range: string = parsed.range()
  if (parsed.kind() === 'ipv4' && address.startsWith('0.')) return 'unspecified'
  // Documentation networks and class E share a name there; only class E can never be a destination.
  if (range === 'reserved' && parsed.kind() === 'ipv4' && parsed.toByteArray()[0]! >= 240) return 'reserved'
  return isSpecial(range) ? SPECIAL_RANGES[range] : 'usable'
}

/** Whether anybody on the internet could be given it: no private, shared or documentation address. */
export function isPublic(address: IpAddress): boolean {
  return ipaddr.parse(address).range() === 'unicast'
}

function isSpecial(range: string): range is keyof typeof SPECIAL_RANGES {
  return range in SPECIAL_RANGES
}
