/** The device of a tunnel, and which of its addresses are ours to take away again: those that it lacked and got from us. */
import { limitOf, ZERO_MAC, type Device, type Kernel, type MeshId, type TunnelClaim, type TunnelName, type TunnelSpec } from '@vxmesh/core'
import { OVERLAY_MOST } from '@vxmesh/gossip'
import { wallClock, type Store } from './store.ts'
import type { TunnelOptions } from './tunnel-options.ts'

/**
 * Makes or takes the device. What an earlier start gave it and is not asked for any more goes. An address is noted once
 * the kernel has it: a crash in between leaves one that nobody takes away, never one noted that somebody else put there.
 */
export async function establish(kernel: Kernel, spec: TunnelSpec, store: Store): Promise<Device> {
  const { device, addresses } = spec
  const established = await kernel.establish(withFormer(spec, store), (address) => store.noteGiven(device, address))
  store.keepGiven(device, addresses)
  return established
}

/** The spec with the addresses that an earlier start gave the device and that are not asked for any more. */
export function withFormer(spec: TunnelSpec, store: Store): TunnelSpec {
  return { ...spec, formerAddresses: store.given(spec.device).filter((address) => !spec.addresses.includes(address)) }
}

/** The tunnel that was asked for. Its id marks a device as ours; those of VXLAN stand for themselves, as they always have. */
export function specOf({ device, mode, id, local, port, mtu, master, addresses }: TunnelOptions, mesh: MeshId, guard: boolean): TunnelSpec {
  return { device, mode, id, local, port, mtu, master, addresses, guard, alias: `vxmesh:${mesh}:${tagOf({ mode, id })}` }
}

/**
 * What we claim, from the device as it is: of its addresses as many as a record can tell. What is behind a bridge speaks
 * with other MAC addresses: none is claimed.
 */
export function claimOf({ mode, id, mtu: asked }: TunnelSpec, device: Device, room: number | undefined, store: Store): TunnelClaim {
  const { local: underlay, port, mtu } = device
  const overlay = device.addresses.slice(0, OVERLAY_MOST)
  const mac = device.master !== undefined ? ZERO_MAC : device.mac
  const claimedAt = store.claimedAt(tagOf({ mode, id }), overlay, wallClock())
  return { mode, id, underlay, port, mac, overlay, mtu, mtuLimit: limitOf(asked, mtu, room), claimedAt }
}

export function sameClaim(a: TunnelClaim, b: TunnelClaim): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function tagOf({ mode, id }: TunnelName): string {
  const text = id === undefined ? '' : String(id)
  return mode === 'gre' ? `gre:${text}` : text
}
