/** The outside world as the pure code sees it. Every port has a real implementation and a tested fake. */
import type { Mtu } from './mtu.ts'
import type { Operation } from './plan.ts'
import type { Slot, Table } from './table.ts'
import type { Mode, TunnelId } from './tunnel.ts'
import type { HostInterface } from './underlay.ts'
import type { Bytes, DeviceName, InterfaceAddress, Instant, IpAddress, MacAddress, PeerId, Port, Result } from './values.ts'

/** Time. Only the daemon's own clock reads the machine's. */
export interface Clock {
  now(): Instant
}

/** Dice: a number from 0 up to, not including, 1. */
export type Random = () => number

/** Signs in the name of one key. */
export interface Signer {
  readonly peer: PeerId
  /**
   * A signed envelope around `payload` (libp2p RFC 0002). The domain is part of what is signed and not part of the
   * envelope, so that a signature made for one purpose, or one mesh, is worth nothing in another.
   */
  seal(domain: string, payload: Bytes): Bytes
}

/** Opens what others signed. */
export interface Verifier {
  /** Who signed the envelope and what is in it; refused when it is malformed, of another kind of key, or not signed for `domain`. */
  open(domain: string, envelope: Bytes): Result<{ readonly signer: PeerId; readonly payload: Bytes }>
}

/** The tunnel that the user asked for. */
export type TunnelSpec = {
  readonly device: DeviceName
  readonly mode: Mode
  readonly id: TunnelId
  /** The underlay address; undefined: the one an adopted device has. */
  readonly local: IpAddress | undefined
  /** The UDP port; undefined: the one an existing device has, else 4789 (RFC 7348), and with GRE, which has none. */
  readonly port: Port | undefined
  /** One in bytes it gets at once. Otherwise a device that exists keeps its own, and one that is made gets what its underlay has room for. */
  readonly mtu?: Mtu
  /** The MAC address of a device that is made; undefined: one of the kernel's choice. */
  readonly mac?: MacAddress
  /** The bridge that it is to be a port of. */
  readonly master?: DeviceName | undefined
  /** Addresses the device must have. Others that it has are left alone. */
  readonly addresses: readonly InterfaceAddress[]
  /** Addresses that an earlier start gave the device and that go now, unless they are among `addresses`. */
  readonly formerAddresses?: readonly InterfaceAddress[]
  /** Whether the tunnel has a guard. A device that is made for one sends from ports that only the privileged may use. */
  readonly guard?: boolean
  /** Written on a device that we make, to know it again: `vxmesh:<mesh>:<id>`. */
  readonly alias: string
}

/** A device that carries a tunnel, just read. */
export type Device = {
  readonly name: DeviceName
  readonly id: TunnelId
  readonly local: IpAddress
  /** Undefined: it is one of GRE. */
  readonly port: Port | undefined
  /** Zero: it is one of GRE. */
  readonly mac: MacAddress
  readonly mtu: number
  /** Administratively up: not whether a packet would pass. */
  readonly up: boolean
  /** The bridge, or the like, that it is a port of: what is behind it has other MAC addresses than its own. */
  readonly master: string | undefined
  /** It sends only from UDP ports that the unprivileged cannot have. */
  readonly privileged?: true
  readonly addresses: readonly InterfaceAddress[]
  /** Made by a daemon of this mesh, or by somebody else and adopted. */
  readonly origin: 'made' | 'adopted'
}

/** A device and the entries on it, just read. */
export type Reading = {
  readonly device: Device
  readonly entries: Table
  /** The places whose entries carry our mark: a daemon wrote them, of whatever life. */
  readonly marked: ReadonlySet<Slot>
}

/** What came of an operation that the kernel did not take: the command in the tool's words, and its answer. */
export type Rejection = { readonly operation: Operation; readonly command: string; readonly reason: string }

/** The kernel's forwarding table for one tunnel. */
export interface Kernel {
  /**
   * Makes the device, or takes the one that is there if it is of the same kind and id, and returns what it is.
   * Puts it into its bridge, brings it up, gives it the addresses it lacks, and takes the former ones away: no other, and one that the kernel
   * deletes along with a former one comes back. Never deletes or re-creates a device that exists.
   * Throws `MeshError` `CONFIG_INVALID` when a device of that name cannot serve, `KERNEL_REFUSED` when the kernel does.
   * @param given is told of each address that the device now has because we gave it, not of those it had, whatever follows
   */
  establish(spec: TunnelSpec, given?: (address: InterfaceAddress) => void): Promise<Device>
  /** The commands that `establish` would carry out now, as a person would type them. Throws as `establish` does. */
  steps(spec: TunnelSpec): Promise<readonly string[]>
  /** The interfaces of the host, but for that one. Throws `KERNEL_UNREADABLE`. */
  interfaces(without: DeviceName): Promise<readonly HostInterface[]>
  /** Whether there is a bridge of that name, which a device can be put into. Throws `KERNEL_UNREADABLE`. */
  hasBridge(name: DeviceName): Promise<boolean>
  /** The device and its entries as they are now; undefined when there is no such device. Throws `KERNEL_UNREADABLE`. */
  read(spec: TunnelSpec): Promise<Reading | undefined>
  /** What is there of the tunnel though its device be gone: its guard, and what is unreachable. Throws `KERNEL_UNREADABLE`. */
  left(spec: TunnelSpec): Promise<Pick<Reading, 'entries' | 'marked'>>
  /** Tries every operation, in order, whatever becomes of the others. Success is not convergence: only reading is. */
  attempt(device: DeviceName, operations: readonly Operation[]): Promise<readonly Rejection[]>
  /** Calls `wake` soon after anything may have changed. A hint, never the truth: events get lost. */
  watch(device: DeviceName, wake: () => void): Watch
}

export interface Watch {
  close(): Promise<void>
}
