/** What was asked of a device: its addresses, its MTU, and the bridge that it is to be a port of. */
import { refit, type Device, type DeviceName, type Fit, type Kernel, type TunnelSpec } from '@vxmesh/core'

/** What is to be changed about the device, in words as well. `repair`: somebody else had undone it. */
type Misfit = {
  readonly change: { readonly mtu?: number; readonly master?: DeviceName }
  readonly words: string
  readonly repair: boolean
}

type Around = Pick<Fit, 'room' | 'smallest'> & { readonly mayGrow: boolean }

export type Fitting = {
  /** Undefined when nothing is to be changed, or nothing can be for now: a bridge that is gone is waited for. */
  look(spec: TunnelSpec, device: Device, around: Around): Promise<Misfit | undefined>
}

export function fittings(kernel: Kernel): Fitting {
  /** Whether the device was in its bridge, and the bridge there, when they were last looked at. */
  let attached = true
  return {
    async look({ mtu: asked, master: wanted, addresses }, device, { mayGrow, ...around }) {
      const strays = wanted !== undefined && device.master !== wanted
      const found = strays && (await kernel.hasBridge(wanted))
      // Somebody took it away, or set the device down, which has the kernel delete those of IPv6. One that is down is left so.
      const lost = device.up ? addresses.filter((address) => !device.addresses.includes(address)) : []
      const mtu = refit(asked, { ...device, ...around }, mayGrow)
      const words = [
        ...(found ? [`put back into ${wanted}${device.master === undefined ? '' : ` from ${device.master}`}`] : []),
        ...(lost.length === 0 ? [] : [`given ${lost.join(' and ')} again`]),
        ...(mtu === undefined ? [] : [`mtu ${String(mtu)} instead of ${String(device.mtu)}`]),
      ]
      const repair = (found && attached) || lost.length > 0
      attached = !strays || found
      if (words.length === 0) return undefined
      const change = { ...(mtu === undefined ? {} : { mtu }), ...(found ? { master: wanted } : {}) }
      return { change, words: `${device.name}: ${words.join(', ')}`, repair }
    },
  }
}
