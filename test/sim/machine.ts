/** What a simulated host is without its daemon: addresses, and a kernel that forgets everything when the power goes. */
import type { Duration, InterfaceAddress, IpAddress, Operation, Rejection, TunnelSpec } from '@vxmesh/core'
import { MemoryHost, type MemoryAddress } from '@vxmesh/kernel-adapter'
import { DEVICE, VXLAN_ID, VXLAN_PORT } from './world.ts'

export type MachineOptions = {
  readonly address: IpAddress
  readonly overlay: InterfaceAddress
  /** The device was made by somebody else. */
  readonly adopted: boolean
}

/** How the kernel takes what it is told: `slow` takes a while for each operation, `failing` refuses the first few of every turn. */
export type Writing =
  | { readonly kind: 'well' }
  | { readonly kind: 'slow'; readonly each: Duration }
  | { readonly kind: 'failing'; refuse(): number }

export class Machine {
  kernel: MemoryHost
  writing: Writing = { kind: 'well' }
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

  /** Tells the kernel what to do. Returns what it refused. */
  write(operations: readonly Operation[]): readonly Rejection[] {
    if (this.writing.kind === 'failing') this.kernel.refuseWrites(Math.min(operations.length, this.writing.refuse()))
    return this.kernel.attemptNow(DEVICE, operations)
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
