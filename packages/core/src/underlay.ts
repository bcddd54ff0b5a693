/** Where a tunnel sends from, as the addresses of the host change under it. */
import type { Wire } from './lan.ts'
import { addressRange, family, type IpAddress } from './values.ts'

/** A network interface of the host, just read. */
export type HostInterface = {
  readonly name: string
  /** Bytes. */
  readonly mtu: number
  /** In the kernel's order. */
  readonly addresses: readonly IpAddress[]
  /** Undefined where there is none, as in memory. */
  readonly wire: Wire | undefined
}

/** An underlay address, and the interface that has it. `mtu` is the interface's, in bytes. */
export type Home = { readonly local: IpAddress; readonly interface: string; readonly mtu: number }

/** Who has an address; of several the one whose packets are shortest. Undefined when nobody does. */
export function homeOf(local: IpAddress, host: readonly HostInterface[]): Home | undefined {
  const [holder] = host.filter(({ addresses }) => addresses.includes(local)).toSorted((a, b) => a.mtu - b.mtu)
  return holder && { local, interface: holder.name, mtu: holder.mtu }
}

/**
 * Where a tunnel is at home now: where its address is, on whatever interface; when the host has it no longer, the first
 * usable address of its family on the interface that had it, as after a renumbering. Undefined while there is neither.
 */
export function followHome(before: Home, host: readonly HostInterface[]): Home | undefined {
  const same = homeOf(before.local, host)
  if (same !== undefined) return same
  const successor = host
    .find(({ name }) => name === before.interface)
    ?.addresses.find((address) => family(address) === family(before.local) && addressRange(address) === 'usable')
  return successor && homeOf(successor, host)
}
