/** What the kernel in memory does with addresses, as the real one. */
import { family, hostOf, type HostInterface, type InterfaceAddress, type IpAddress } from '@vxmesh/core'
import { fellow } from './link.ts'

/** An address of the host, on which interface it is, and that interface's MTU in bytes. */
export type MemoryAddress = { readonly address: IpAddress; readonly interface: string; readonly mtu: number }

/** What the tool says of an address that is there already. */
export const ADDRESS_TAKEN = { ipv4: 'ipv4: Address already assigned.', ipv6: 'ipv6: address already assigned.' }

/** What is left when one address is deleted: the first IPv4 address of a network takes the others of it along. */
export function without(gone: InterfaceAddress, held: readonly InterfaceAddress[]): readonly InterfaceAddress[] {
  const first = held.find((address) => fellow(gone, address)) === gone
  return held.filter((address) => address !== gone && !(first && fellow(gone, address)))
}

/** Whether the kernel refuses one address beside the other: an IPv6 address may be there once, whatever its prefix. */
export function clash(held: InterfaceAddress, wanted: InterfaceAddress): boolean {
  return held === wanted || (family(hostOf(held)) === 'ipv6' && hostOf(held) === hostOf(wanted))
}

export function interfaces(addresses: readonly MemoryAddress[]): readonly HostInterface[] {
  const names = [...new Set(addresses.map((each) => each.interface))]
  return names.map((name) => {
    const on = addresses.filter((each) => each.interface === name)
    return { name, mtu: Math.min(...on.map(({ mtu }) => mtu)), addresses: on.map(({ address }) => address), wire: undefined }
  })
}
