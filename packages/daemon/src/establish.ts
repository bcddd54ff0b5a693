/** The device of a tunnel, and which of its addresses are ours to take away again: those that it lacked and got from us. */
import type { Device, Kernel, TunnelSpec } from '@vxmesh/core'
import type { Store } from './store.ts'

/**
 * Makes or takes the device. What an earlier start gave it and is not asked for any more goes. An address is noted once
 * the kernel has it: a crash in between leaves one that nobody takes away, never one noted that somebody else put there.
 */
export async function establish(kernel: Kernel, spec: TunnelSpec, store: Store): Promise<Device> {
  const { device, addresses } = spec
  const formerAddresses = store.given(device).filter((address) => !addresses.includes(address))
  const established = await kernel.establish({ ...spec, formerAddresses }, (address) => store.noteGiven(device, address))
  store.keepGiven(device, addresses)
  return established
}
