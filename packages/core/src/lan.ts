/** Which interfaces of a host lead to a LAN: where other members may be found by asking whoever is there. */
import type { HostInterface } from './underlay.ts'
import { addressRange, hostOf, inside, type InterfaceAddress, type IpAddress } from './values.ts'

/** What an interface is to those on its link. */
export type Wire = {
  /** Changes when it is made anew under the same name. */
  readonly index: number
  /** Its addresses with the lengths of their networks, link-local ones included. */
  readonly networks: readonly InterfaceAddress[]
  /** It is up and takes multicast: neither loopback nor a line to one other. */
  readonly multicast: boolean
  /** Its own kind as the tools call it, `card` for one without, and of all that it is made of: ports of a bridge, what a VLAN is on. */
  readonly kinds: readonly [own: string, ...parts: string[]]
}

/** An interface that leads to a LAN. */
export type Lan = Pick<Wire, 'index' | 'networks'> & { readonly name: string }

/** Where to look, and why not everywhere that was meant, or nowhere. */
export type Lans = { readonly found: readonly Lan[]; readonly lacking: string | undefined }

/** Whatever carries packets inside others: what is asked there is asked of the other end, ourselves perhaps. */
const TUNNELS: ReadonlySet<string> = new Set(
  'vxlan geneve bareudp gre gretap ip6gre ip6gretap erspan ip6erspan ipip ip6tnl sit vti vti6 xfrm wireguard tun ppp gtp l2tp'.split(' '),
)

/** What only containers and guests of this host are behind. */
const INNER: ReadonlySet<string> = new Set(['veth', 'tun', 'macvtap'])

const NOWHERE: ReadonlySet<string> = new Set(['dummy', 'ifb', 'nlmon', 'vrf', 'vcan'])

/**
 * The LANs of a host: of the interfaces that were chosen, or, where none were, of all but tunnels and what leads to its own
 * containers. One that has an underlay address counts even when it looks like that of containers.
 */
export function lansOf(host: readonly HostInterface[], chosen: readonly string[], locals: readonly IpAddress[]): Lans {
  if (chosen.length > 0) {
    const found = host.filter(({ name }) => chosen.includes(name))
    const lans = found.flatMap((each) => (unasked(each) === undefined ? lanOf(each) : []))
    const lacking = chosen.filter((name) => !lans.some((lan) => lan.name === name))
    return { found: lans, lacking: lacking.length === 0 ? undefined : lacking.map((name) => whyNot(name, found)).join('; ') }
  }
  const lans = host.flatMap((each) => (unasked(each) === undefined && unlikely(each, locals) === undefined ? lanOf(each) : []))
  if (lans.length > 0) return { found: lans, lacking: undefined }
  const home = host.find(({ addresses }) => hasAny(addresses, locals))
  const why = home && (unasked(home) ?? unlikely(home, locals))
  return { found: [], lacking: why ?? 'no interface of this host leads to a LAN' }
}

function whyNot(name: string, found: readonly HostInterface[]): string {
  const there = found.find((each) => each.name === name)
  return (there && unasked(there)) ?? `there is no interface ${name} yet`
}

function lanOf({ name, wire }: HostInterface): readonly Lan[] {
  return wire === undefined ? [] : [{ name, index: wire.index, networks: wire.networks.filter(isShared) }]
}

/** Why nobody can be asked there at all. */
function unasked({ name, wire }: HostInterface): string | undefined {
  if (wire?.multicast !== true) return `${name} is down or takes no multicast`
  return wire.networks.some((network) => isShared(network) && isOfUse(network)) ? undefined : `${name} has no network with room for others`
}

/** Why nobody is looked for there unless it is asked for. */
function unlikely({ name, wire, addresses }: HostInterface, locals: readonly IpAddress[]): string | undefined {
  const kinds = wire?.kinds ?? []
  if (kinds.some((kind) => TUNNELS.has(kind) && !(kinds[0] === 'bridge' && kind === 'tun'))) return `${name} is a tunnel, or leads into one`
  if (kinds.some((kind) => NOWHERE.has(kind))) return `${name} leads nowhere`
  const inner = kinds[0] === 'bridge' && kinds.slice(1).every((kind) => INNER.has(kind))
  return inner && !hasAny(addresses, locals) ? `${name} leads to containers` : undefined
}

function hasAny(addresses: readonly IpAddress[], locals: readonly IpAddress[]): boolean {
  return locals.some((local) => addresses.includes(local))
}

/** Whether a network has room for a second host. */
function isShared(network: InterfaceAddress): boolean {
  const bits = Number(network.slice(network.indexOf('/') + 1))
  return bits < (network.includes(':') ? 128 : 32)
}

function isOfUse(network: InterfaceAddress): boolean {
  return addressRange(hostOf(network)) === 'usable'
}

/** Tells whether an address is that of a neighbour on one of these LANs, or of this host itself. */
export function neighbourhood(lans: readonly Lan[]): (address: IpAddress) => boolean {
  const networks = lans.flatMap((lan) => lan.networks.map(inside))
  return (address) => networks.some((isIn) => isIn(address))
}
