/**
 * What to do about the device of a tunnel, given what is there. Shared by the real kernel and the fake.
 *
 * A device that we make is not bound with `dev`: bound, it would die with the interface; unbound, it survives and its
 * `local` can follow the host's address with the forwarding table kept. The price is that the kernel does not know the
 * underlay's MTU and would take 1500, so it is computed here. One of GRE is made without `remote`, which makes it multipoint;
 * over IPv6, where such a device sends nothing, it is an external one.
 */
import {
  accept,
  addressRange,
  contains,
  family,
  homeOf,
  hostOf,
  parsePort,
  refuse,
  type Device,
  type DeviceName,
  type Home,
  type HostInterface,
  type InterfaceAddress,
  type IpAddress,
  type MacAddress,
  type Port,
  type Result,
  type TunnelName,
  type TunnelSpec,
} from '@vxmesh/core'
import type { GreLink, Ip6GreLink } from './gre.ts'
import type { Master } from './master.ts'
import type { Link, VxlanLink } from './read.ts'
import { setLocal, words } from './render.ts'

/** A device that may carry the tunnel. */
export type Carrier = VxlanLink | GreLink | Ip6GreLink

/** A device of the tunnel's name, just read. */
export type Present = { readonly link: Link; readonly addresses: readonly InterfaceAddress[] }

/** One command's worth of work on the device. `mtu` is in bytes. */
export type Step =
  | { readonly kind: 'create'; readonly local: IpAddress; readonly port: Port | undefined; readonly mtu: number; readonly mac?: MacAddress }
  | { readonly kind: 'mark' }
  | { readonly kind: 'move'; readonly local: IpAddress }
  | { readonly kind: 'resize'; readonly mtu: number }
  | { readonly kind: 'address'; readonly address: InterfaceAddress }
  | { readonly kind: 'release'; readonly address: InterfaceAddress }
  | { readonly kind: 'attach'; readonly master: DeviceName; readonly to: 'bridge' | 'ovs' }
  | { readonly kind: 'raise' }

/** Why the tunnel cannot be had: the flag to look at, and one sentence with what to do. */
export type Refusal = { readonly where: '--device' | '--local' | '--vxlan-port' | '--master'; readonly reason: string }

/** What encapsulation adds: Ethernet 14, VXLAN 8, UDP 8 (RFC 7348 section 5), and IPv4 20 or IPv6 40. */
const OVERHEAD = { ipv4: 50, ipv6: 70 }

/** What encapsulation adds with GRE: IPv4 20 or IPv6 40, GRE 4, and 4 more for a key (RFC 2784, RFC 2890). */
const GRE_OVERHEAD = { ipv4: 24, ipv6: 44 }
const KEY_OVERHEAD = 4

/** The MTU of a tunnel that is at home there, in bytes. */
export function mtuAt({ local, mtu }: Home, { mode, id }: TunnelName): number {
  if (mode === 'gre') return mtu - GRE_OVERHEAD[family(local)] - (id === undefined ? 0 : KEY_OVERHEAD)
  return mtu - OVERHEAD[family(local)]
}

const DEFAULT_PORT = 4789

/** The steps, in order, that make the tunnel's device what the spec asks for; none when it is that already. */
export function decide(
  spec: TunnelSpec,
  present: Present | undefined,
  host: readonly HostInterface[],
  master?: Master,
): Result<readonly Step[], Refusal> {
  const attach = attached(spec, present, master)
  if (!attach.ok) return attach
  if (present === undefined) return create(spec, host, attach.value)
  const link = suitable(spec, present.link)
  if (!link.ok) return link
  const move = moved(spec, link.value, host)
  if (!move.ok) return move
  const raise: Step[] = link.value.up ? [] : [{ kind: 'raise' }]
  const resize: Step[] = typeof spec.mtu !== 'number' || spec.mtu === link.value.mtu ? [] : [{ kind: 'resize', mtu: spec.mtu }]
  return accept([...move.value, ...resize, ...attach.value, ...readdress(spec, present.addresses), ...raise])
}

/**
 * The steps that bring back what went along with a former address: without the sysctl `promote_secondaries` the kernel
 * deletes, together with the first IPv4 address of a network, all others of that network, ours and not.
 */
export function restore(spec: TunnelSpec, before: readonly InterfaceAddress[], after: readonly InterfaceAddress[]): readonly Step[] {
  const former = formerOf(spec, before)
  const kept = [...spec.addresses, ...before].filter((address) => !former.includes(address))
  return missing(
    kept.filter((address) => former.some((gone) => fellow(gone, address))),
    after,
  )
}

/** Whether the kernel deletes one address together with the other: IPv4 ones of one network, of the same length. */
export function fellow(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return family(hostOf(a)) === 'ipv4' && lengthOf(a) === lengthOf(b) && contains(a, hostOf(b))
}

/**
 * The device of the spec as it was read; refused with the reason when it is not one that can carry the tunnel.
 * IPv6 link-local addresses are left out unless asked for: the kernel makes them, they mean nothing to others.
 */
export function deviceOf(spec: TunnelSpec, { link, addresses }: Present): Result<Device, Refusal> {
  const carrier = carries(spec, link)
  if (!carrier.ok) return carrier
  const { port, mac, mtu, up, master } = carrier.value
  const local = localOf(spec, carrier.value)
  if (local === undefined) return refuse(withoutLocal(spec))
  return accept({
    name: spec.device,
    id: spec.id,
    local,
    port,
    mac,
    mtu,
    up,
    master,
    addresses: addresses.filter((address) => spec.addresses.includes(address) || !isAutomatic(address)),
    origin: isOurs(spec, carrier.value) ? 'made' : 'adopted',
    ...('privileged' in carrier.value ? { privileged: true } : {}),
  })
}

function create(spec: TunnelSpec, host: readonly HostInterface[], attach: readonly Step[]): Result<readonly Step[], Refusal> {
  const { device, local } = spec
  if (local === undefined) {
    return refuse({
      where: '--local',
      reason: `there is no device ${device}; to make it, give the address of this host to send from${candidates(host)}`,
    })
  }
  const home = homeIn(spec, local, host)
  if (!home.ok) return home
  const mtu = typeof spec.mtu === 'number' ? spec.mtu : mtuAt(home.value, spec)
  const port = spec.mode === 'gre' ? undefined : (spec.port ?? defaultPort())
  return accept([
    { kind: 'create', local, port, mtu, ...(spec.mac === undefined ? {} : { mac: spec.mac }) },
    { kind: 'mark' },
    ...attach,
    ...missing(spec.addresses, []),
    { kind: 'raise' },
  ])
}

function attached(
  { master: name }: TunnelSpec,
  present: Present | undefined,
  master: Master | undefined,
): Result<readonly Step[], Refusal> {
  const link = present?.link
  if (name === undefined || (link !== undefined && 'master' in link && link.master === name)) return accept([])
  const not = (reason: string) => refuse<Refusal>({ where: '--master', reason })
  if (master === undefined) return not(`there is no bridge ${name}; make it first (ip link add name ${name} type bridge)`)
  if (master.kind === 'other') return not(`${name} is a device of kind ${master.what}, and no bridge`)
  return accept([{ kind: 'attach', master: name, to: master.kind }])
}

function defaultPort(): Port {
  const port = parsePort(DEFAULT_PORT)
  if (!port.ok) throw new Error(port.reason)
  return port.value
}

/** Which interface has `local`. The tunnel's own device does not count. */
function homeIn(spec: TunnelSpec, local: IpAddress, host: readonly HostInterface[]): Result<Home, Refusal> {
  const others = host.filter(({ name }) => name !== spec.device)
  const home = homeOf(local, others)
  return home === undefined
    ? refuse({ where: '--local', reason: `${local} is not an address of this host${candidates(others)}` })
    : accept(home)
}

function candidates(host: readonly HostInterface[]): string {
  const usable = host.flatMap(({ name, addresses }) =>
    addresses.filter((address) => addressRange(address) === 'usable').map((address) => `${address} (${name})`),
  )
  return usable.length === 0 ? '' : `: it has ${usable.slice(0, 6).join(', ')}${usable.length > 6 ? ' and more' : ''}`
}

function carries(spec: TunnelSpec, link: Link): Result<Carrier, Refusal> {
  const { device, mode, id, local } = spec
  const instead = `choose another device name, or delete it first (ip link delete dev ${device})`
  const not = (what: string) => refuse<Refusal>({ where: '--device', reason: `${device} ${what}; ${instead}` })
  const kind = link.kind === 'other' ? link.what : link.kind === 'external' ? 'vxlan' : link.kind
  if (mode === 'gre' && link.kind === 'ip6gre' && local === undefined) {
    return refuse({
      where: '--local',
      reason: `${device} has no address of its own, as any of GRE over IPv6: give the one of this host to send from`,
    })
  }
  const wanted = mode === 'gre' && local !== undefined && family(local) === 'ipv6' ? 'ip6gre' : mode
  if (link.kind === 'other' || kind !== wanted) return not(`is a device of kind ${kind}, not ${wanted}`)
  if (link.kind === 'external') return not('is a vxlan device in external mode, without an id of its own')
  if (link.kind === 'ip6gre')
    return link.external ? accept(link) : not('is an ip6gre device that is not external, and so sends to one host or to none')
  if (link.kind === 'gre') {
    if (link.external) return not('is a gre device in external mode, without a key of its own')
    if (link.remote !== undefined) return not(`leads to ${link.remote} alone`)
    if (link.id === 'unequal') return not('sends with another GRE key than it takes')
    return link.id === id ? accept(link) : not(`carries ${keyWords(link.id)}, not ${keyWords(id)}`)
  }
  return link.id === id ? accept(link) : not(`carries VXLAN id ${String(link.id)}, not ${String(id)}`)
}

/** An external device sends from whatever address each packet is told to. */
function localOf({ local }: TunnelSpec, link: Carrier): IpAddress | undefined {
  return link.kind === 'ip6gre' ? local : link.local
}

function keyWords(key: TunnelName['id']): string {
  return key === undefined ? 'GRE without a key' : `GRE key ${String(key)}`
}

function suitable(spec: TunnelSpec, link: Link): Result<Carrier, Refusal> {
  const carrier = carries(spec, link)
  if (!carrier.ok) return carrier
  const { port } = carrier.value
  const local = localOf(spec, carrier.value)
  if (port !== undefined && spec.port !== undefined && spec.port !== port) {
    const reason =
      `${spec.device} uses port ${String(port)}, not ${String(spec.port)}, and a port cannot change on a device that exists; ` +
      `leave --vxlan-port out, or delete the device first (ip link delete dev ${spec.device})`
    return refuse({ where: '--vxlan-port', reason })
  }
  if (isOurs(spec, carrier.value) && spec.local !== undefined) return carrier
  // Which address packets of such a device leave from is the routing table's choice, so nobody could be told where to send.
  if (local === undefined) return refuse(withoutLocal(spec))
  if (spec.local === undefined || spec.local === local) return carrier
  const reason =
    `${spec.device} sends from ${local}, not ${spec.local}; ` +
    `leave --local out, or change the device first (${words(setLocal(spec, spec.local))})`
  return refuse({ where: '--local', reason })
}

function withoutLocal(spec: TunnelSpec): Refusal {
  const remedy = words(setLocal(spec, spec.local ?? 'ADDRESS'))
  return {
    where: spec.local === undefined ? '--device' : '--local',
    reason: `${spec.device} has no local address, so the others cannot know where it sends from; give it one first (${remedy})`,
  }
}

/** Only reached with another `local` on a device we made: `suitable` refuses it on any other. */
function moved(spec: TunnelSpec, link: Carrier, host: readonly HostInterface[]): Result<readonly Step[], Refusal> {
  const { local } = spec
  if (local === undefined || local === localOf(spec, link)) return accept([])
  if (link.local !== undefined && family(local) !== family(link.local)) {
    const reason =
      `${spec.device} sends from ${link.local}, and the address family cannot change on a device that exists; ` +
      `delete it first (ip link delete dev ${spec.device})`
    return refuse({ where: '--local', reason })
  }
  const home = homeIn(spec, local, host)
  return home.ok ? accept([{ kind: 'move', local }]) : home
}

/**
 * New addresses first, then the former ones go, so that the device is never without; but an IPv6 address with another
 * prefix length comes after the one it replaces, beside which the kernel refuses it.
 */
function readdress(spec: TunnelSpec, there: readonly InterfaceAddress[]): readonly Step[] {
  const former = formerOf(spec, there).map((address): Step & { kind: 'release' } => ({ kind: 'release', address }))
  const hosts = new Set(spec.addresses.map(hostOf))
  const inTheWay = former.filter(({ address }) => family(hostOf(address)) === 'ipv6' && hosts.has(hostOf(address)))
  return [...inTheWay, ...missing(spec.addresses, there), ...former.filter((step) => !inTheWay.includes(step))]
}

/** The former addresses that are there and not asked for, last ones first: the kernel lists what it would delete along after it. */
function formerOf({ addresses, formerAddresses = [] }: TunnelSpec, there: readonly InterfaceAddress[]): readonly InterfaceAddress[] {
  return there.filter((address) => formerAddresses.includes(address) && !addresses.includes(address)).toReversed()
}

function missing(wanted: readonly InterfaceAddress[], there: readonly InterfaceAddress[]): readonly Step[] {
  return [...new Set(wanted)].filter((address) => !there.includes(address)).map((address) => ({ kind: 'address', address }))
}

function lengthOf(address: InterfaceAddress): string {
  return address.slice(address.indexOf('/'))
}

function isOurs(spec: TunnelSpec, link: Carrier): boolean {
  return link.alias === spec.alias
}

function isAutomatic(address: InterfaceAddress): boolean {
  const host = hostOf(address)
  return family(host) === 'ipv6' && addressRange(host) === 'link-local'
}
