/** What a simulated host is without its daemon: addresses, and a kernel that forgets everything when the power goes. */
import type { InterfaceAddress, IpAddress, TunnelSpec } from '@vxmesh/core'
import { MemoryHost, type MemoryAddress } from '@vxmesh/kernel-adapter'
import { DEVICE, VXLAN_ID, VXLAN_PORT } from './world.ts'

export type MachineOptions = {
  readonly address: IpAddress
  readonly overlay: InterfaceAddress
  /** The device was made by somebody else. */
  readonly adopted: boolean
}

export class Machine {
  kernel: MemoryHost
  readonly #options: MachineOptions
  readonly #addresses: IpAddress[]
  readonly #mesh: string
  readonly #changed: () => void

  constructor(options: MachineOptions, mesh: string, changed: () => void) {
    this.#options = options
    this.#addresses = [options.address]
    this.#mesh = mesh
    this.#changed = changed
    this.kernel = this.#boot()
  }

  /** Where others send to: the newest of its addresses. */
  get address(): IpAddress {
    return this.#addresses.at(-1) ?? this.#options.address
  }

  get spec(): TunnelSpec {
    const alias = `vxmesh:${this.#mesh}:${String(VXLAN_ID)}`
    return { device: DEVICE, mode: 'vxlan', id: VXLAN_ID, local: this.address, port: undefined, addresses: [this.#options.overlay], alias }
  }

  has(address: string): boolean {
    return this.#addresses.some((each) => each === address)
  }

  /** Another address to send from. The old one still leads here. */
  move(address: IpAddress): void {
    this.#addresses.push(address)
    this.kernel.renumber(this.#interfaces())
  }

  reboot(): void {
    this.kernel = this.#boot()
  }

  #boot(): MemoryHost {
    const kernel = new MemoryHost({ addresses: this.#interfaces() })
    if (this.#options.adopted) kernel.plant(DEVICE, { kind: 'vxlan', id: VXLAN_ID, local: this.address, port: VXLAN_PORT })
    kernel.onChange(this.#changed)
    return kernel
  }

  #interfaces(): readonly MemoryAddress[] {
    return this.#addresses.map((address) => ({ address, interface: 'eth0', mtu: 1500 }))
  }
}
