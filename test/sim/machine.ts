/** What a simulated host is without its daemon: addresses, and a kernel that forgets everything when the power goes. */
import type { DeviceName, Duration, InterfaceAddress, IpAddress, Operation, Rejection, TunnelSpec, Vni } from '@vxmesh/core'
import { MemoryHost, type MemoryAddress } from '@vxmesh/kernel-adapter'
import { DEVICE, SECOND_DEVICE, SECOND_ID, VXLAN_ID, VXLAN_PORT } from './world.ts'

export type MachineOptions = {
  readonly address: IpAddress
  readonly overlay: InterfaceAddress
  /** Its address in a second tunnel; undefined: it has only the first. */
  readonly second: InterfaceAddress | undefined
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

  get specs(): readonly TunnelSpec[] {
    const { overlay, second } = this.#options
    const spec = (device: DeviceName, id: Vni, address: InterfaceAddress): TunnelSpec => {
      const alias = `vxmesh:${this.#mesh}:${String(id)}`
      return { device, mode: 'vxlan', id, local: this.address, port: undefined, addresses: [address], alias }
    }
    return [spec(DEVICE, VXLAN_ID, overlay), ...(second === undefined ? [] : [spec(SECOND_DEVICE, SECOND_ID, second)])]
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
  write(device: DeviceName, operations: readonly Operation[]): readonly Rejection[] {
    if (this.writing.kind === 'failing') this.kernel.refuseWrites(Math.min(operations.length, this.writing.refuse()))
    return this.kernel.attemptNow(device, operations)
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
