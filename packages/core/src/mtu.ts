/**
 * How long the packets of a tunnel may be. Each member tells what its device takes and, apart from that, what may be sent to
 * it whatever the others do: so devices that shrank to the smallest of the mesh can grow again when that one grows or goes.
 */
import type { Verdict } from './desired.ts'
import type { MemberName, InterfaceAddress, PeerId, Result } from './values.ts'
import { accept, family, hostOf, refuse } from './values.ts'
import { sameTunnel, type TunnelName } from './tunnel.ts'
import type { View } from './view.ts'

/** Bytes, or the smallest of all members; undefined: what the underlay has room for, until somebody sets it by hand. */
export type Mtu = number | 'mesh' | undefined

/** Less, no device of IPv4 takes (RFC 791), and with less the kernel ends IPv6 on a device (RFC 8200). */
const LEAST = { ipv4: 68, ipv6: 1280 }
const MOST = 65_535

/** `mesh`, or a number of bytes, as an operator writes it. */
export function parseMtu(text: string): Result<'mesh' | number> {
  if (text === 'mesh') return accept(text)
  const bytes = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0
  return bytes >= LEAST.ipv4 && bytes <= MOST
    ? accept(bytes)
    : refuse(`the MTU is mesh, or from ${String(LEAST.ipv4)} to ${String(MOST)} bytes`)
}

/** What a device with these addresses needs, in bytes. */
export function leastMtu(addresses: readonly InterfaceAddress[]): number {
  return Math.max(LEAST.ipv4, ...addresses.map((address) => LEAST[family(hostOf(address))]))
}

/** The largest packet that may be sent to a member whatever the others do. `room`: what its underlay can carry, where that is known. */
export function limitOf(asked: Mtu, mtu: number, room: number | undefined): number {
  return asked === 'mesh' ? (room ?? mtu) : Math.min(mtu, room ?? mtu)
}

/** A member's limit, and what its device takes now, in bytes. */
export type MemberMtu = { readonly peer: PeerId; readonly name: MemberName; readonly limit: number; readonly mtu: number }

/** Of those that packets are sent to; smallest limits first, and of one limit by name. */
export function memberMtus(view: View, verdicts: ReadonlyMap<PeerId, Verdict>, tunnel: TunnelName): readonly MemberMtu[] {
  const mtus = [...verdicts].flatMap(([peer, { kind }]): MemberMtu[] => {
    const record = kind === 'wanted' ? view.get(peer)?.signed.record : undefined
    const claim = record?.tunnels.find((each) => sameTunnel(each, tunnel))
    return record === undefined || claim === undefined ? [] : [{ peer, name: record.name, limit: claim.mtuLimit, mtu: claim.mtu }]
  })
  return mtus.sort((a, b) => a.limit - b.limit || (a.name < b.name ? -1 : 1))
}

/** What a device has and could have. `smallest`: of the limits of all others; undefined: there are none. */
export type Fit = {
  readonly mtu: number
  readonly room: number | undefined
  readonly smallest: number | undefined
  readonly addresses: readonly InterfaceAddress[]
}

/**
 * The MTU that a device should have instead of the one it has; undefined: it has it, or nobody asked. It shrinks at once,
 * and grows only when the others are heard: who was the smallest may be there still.
 */
export function refit(asked: Mtu, { mtu, room, smallest, addresses }: Fit, mayGrow: boolean): number | undefined {
  if (asked === undefined || asked === mtu) return undefined
  if (asked !== 'mesh') return asked
  const fitting = Math.max(leastMtu(addresses), Math.min(room ?? mtu, smallest ?? MOST))
  return fitting < mtu || (fitting > mtu && mayGrow) ? fitting : undefined
}
