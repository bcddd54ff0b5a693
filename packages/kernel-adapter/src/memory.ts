/**
 * A host's kernel in memory, no kinder than the real one: `append` is idempotent, our own address, 0.0.0.0 and multicast
 * are accepted, deleting without a destination wipes them all, one without a port has the device's own, a device that goes
 * down loses its IPv6 addresses and its neighbours, the first IPv4 address of a network takes the others along, a device made
 * again has another MAC. It has VXLAN only. Deterministic and without timers. What to do about a device is decided by the same `decide` as for
 * the real kernel; only the carrying out differs, and one contract test holds for both.
 */
import {
  family,
  hostOf,
  MeshError,
  unreachable,
  type Device,
  type DeviceName,
  type Entry,
  type HostInterface,
  type InterfaceAddress,
  type IpAddress,
  type Kernel,
  type MacAddress,
  type Operation,
  type Port,
  type Reading,
  type Rejection,
  type Result,
  type TunnelSpec,
} from '@vxmesh/core'
import { ADDRESS_TAKEN, clash, interfaces, madeUpMac, without, type MemoryAddress } from './addresses.ts'
import { decide, deviceOf, restore, type Present, type Step } from './link.ts'
import { explain, rejections } from './outcome.ts'
import type { GreLink } from './gre.ts'
import type { Link, VxlanLink } from './read.ts'
import { showDevice, stepCommand, words } from './render.ts'
import { EMPTY, erased, familyOf, forgotten, wiped, written, type Tables } from './tables.ts'

/** A device that somebody else makes. */
export type PlantedLink = Exclude<Link, VxlanLink | GreLink> | Pick<VxlanLink, 'kind' | 'id' | 'local' | 'port'>

type MemoryDevice = Present & { readonly tables: Tables }

/** The kernel of a host, as a promise-making port. */
export function memoryKernel(host: MemoryHost): Kernel {
  return {
    establish: async (spec, given) => host.establishNow(spec, given),
    steps: async (spec) => host.stepsNow(spec).map((step) => words(stepCommand(spec, step))),
    interfaces: async (without) => host.interfacesNow(without),
    hasBridge: async (name) => host.bridges.has(name),
    read: async (spec) => host.readNow(spec),
    attempt: async (device, operations) => host.attemptNow(device, operations),
    watch: (_device, wake) => {
      const unsubscribe = host.onChange(wake)
      return { close: async () => unsubscribe() }
    },
  }
}

export class MemoryHost {
  #host: readonly HostInterface[]
  readonly #devices = new Map<DeviceName, MemoryDevice>()
  readonly bridges = new Set<string>()
  readonly #listeners = new Set<() => void>()
  #refusals = 0
  #made = 0

  constructor({ addresses }: { readonly addresses: readonly MemoryAddress[] }) {
    this.#host = interfaces(addresses)
  }

  /** What `establishNow` would do. */
  stepsNow(spec: TunnelSpec): readonly Step[] {
    const { device, master } = spec
    const bridge = master !== undefined && this.bridges.has(master) ? ({ kind: 'bridge' } as const) : undefined
    const steps = decide(spec, this.#devices.get(device), this.#host, bridge)
    if (!steps.ok) throw new MeshError({ code: 'CONFIG_INVALID', ...steps.reason })
    return steps.value
  }

  /** `Kernel.establish`, at once. */
  establishNow(spec: TunnelSpec, given: (address: InterfaceAddress) => void = () => {}): Device {
    const before = this.#devices.get(spec.device)
    const steps = this.stepsNow(spec)
    const carryOut = (step: Step, made: boolean) => {
      const complaint = this.#refused() ?? this.#perform(spec, step)
      if (complaint === undefined) return
      if (made) this.deleteDevice(spec.device)
      throw new MeshError(explain(stepCommand(spec, step), complaint))
    }
    for (const [index, step] of steps.entries()) {
      carryOut(step, index > 0 && steps[0]?.kind === 'create')
      if (step.kind === 'address') given(step.address)
    }
    const after = this.#devices.get(spec.device)?.addresses ?? []
    for (const step of restore(spec, before?.addresses ?? [], after)) carryOut(step, false)
    return this.#device(spec, this.#devices.get(spec.device))
  }

  /** `Kernel.interfaces`, at once. */
  interfacesNow(without: DeviceName): readonly HostInterface[] {
    return this.#host.filter(({ name }) => name !== without)
  }

  /** `Kernel.read`, at once. */
  readNow(spec: TunnelSpec): Reading | undefined {
    const device = this.#devices.get(spec.device)
    return device && { device: this.#device(spec, device), ...device.tables }
  }

  /** `Kernel.attempt`, at once. */
  attemptNow(device: DeviceName, operations: readonly Operation[]): readonly Rejection[] {
    const reasons = new Map<number, string>()
    for (const [index, { kind, entry }] of operations.entries()) {
      const complaint = this.#refused() ?? (kind === 'remove' ? this.erase(device, entry) : this.#write(device, entry, true))
      if (complaint !== undefined) reasons.set(index + 1, complaint)
    }
    return rejections(operations, device, (this.#devices.get(device)?.tables ?? EMPTY).entries, reasons)
  }

  /** Calls `listener` at once whenever anything changed, by whomever, ourselves included. Returns the way to stop it. */
  onChange(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Somebody's `bridge fdb append`. Returns what the tool would complain of. */
  append(name: DeviceName, underlay: IpAddress, port?: Port): string | undefined {
    return this.write(name, { kind: 'flood', underlay, port })
  }

  /** Somebody's `bridge fdb append` or `replace`, or `ip neighbour replace`. Returns what the tool would complain of. */
  write(name: DeviceName, entry: Entry): string | undefined {
    return this.#write(name, entry, false)
  }

  /** Somebody's `bridge fdb delete` or `ip neighbour delete`. Returns what the tool would complain of. */
  erase(name: DeviceName, entry: Entry): string | undefined {
    return this.#change(name, (tables, link) => erased(tables, link, entry))
  }

  /** Somebody's `bridge fdb delete` of the zero MAC; without a destination it wipes them all. Returns what the tool would complain of. */
  remove(name: DeviceName, underlay?: IpAddress, port?: Port): string | undefined {
    return underlay === undefined ? this.#change(name, wiped) : this.erase(name, { kind: 'flood', underlay, port })
  }

  /** Somebody makes a device, down and without addresses; one of that name is replaced. */
  plant(name: DeviceName, link: PlantedLink): void {
    const full: Link = link.kind === 'vxlan' ? { ...FRESH, mtu: 1500, mac: this.#mac(name), ...link } : link
    this.#put(name, { link: full, addresses: [], tables: EMPTY })
  }

  /** Somebody's `ip address add`. Returns what the tool would complain of. */
  give(name: DeviceName, address: InterfaceAddress): string | undefined {
    const device = this.#devices.get(name)
    if (device === undefined) return `Cannot find device "${name}"`
    if (device.addresses.some((held) => clash(held, address))) return `Error: ${ADDRESS_TAKEN[family(hostOf(address))]}`
    return this.#put(name, { ...device, addresses: [...device.addresses, address] })
  }

  /** Somebody's `ip link delete`. */
  deleteDevice(name: DeviceName): void {
    if (this.#devices.delete(name)) this.#wake()
  }

  /** Somebody's `ip link set … down`, which costs the device its IPv6 addresses and its neighbours, and none of its other entries. */
  takeDown(name: DeviceName): void {
    const device = this.#devices.get(name)
    if (device?.link.kind !== 'vxlan') return
    const addresses = device.addresses.filter((address) => family(hostOf(address)) === 'ipv4')
    this.#put(name, { link: { ...device.link, up: false }, addresses, tables: forgotten(device.tables, 'both') })
  }

  /** Somebody's `ip link set … address`, which costs the device its neighbours; the same one again costs nothing. */
  readdress(name: DeviceName, mac: MacAddress): void {
    const device = this.#devices.get(name)
    if (device?.link.kind !== 'vxlan' || device.link.mac === mac) return
    this.#put(name, { ...device, link: { ...device.link, mac }, tables: forgotten(device.tables, 'both') })
  }

  /** Somebody's `ip link set` of the MTU, or into a bridge or out of it. */
  alter(name: DeviceName, parts: Partial<Pick<VxlanLink, 'mtu' | 'master'>>): void {
    const device = this.#devices.get(name)
    if (device?.link.kind === 'vxlan') this.#put(name, { ...device, link: { ...device.link, ...parts } })
  }

  /** Somebody makes a bridge, or deletes it, which frees its ports. */
  bridge(name: string, there: boolean): void {
    this.bridges[there ? 'add' : 'delete'](name)
    for (const [port, { link }] of this.#devices)
      if (!there && link.kind === 'vxlan' && link.master === name) this.alter(port, { master: undefined })
    this.#wake()
  }

  /** The host gets other addresses. Devices keep their `local`, as they do. */
  renumber(addresses: readonly MemoryAddress[]): void {
    this.#host = interfaces(addresses)
    this.#wake()
  }

  /** The next `count` changes asked for through `establishNow` and `attemptNow` are refused, as for want of memory. */
  refuseWrites(count: number): void {
    this.#refusals = count
  }

  /** All there is to know of a device, for a test to compare; undefined when there is none. */
  inspect(name: DeviceName): (Present & Tables & { readonly flood: readonly IpAddress[] }) | undefined {
    const device = this.#devices.get(name)
    if (device === undefined) return undefined
    const { link, addresses, tables } = device
    return {
      link,
      addresses,
      ...tables,
      flood: [...tables.entries.values()].flatMap((each) => (each.kind === 'flood' ? [each.underlay] : [])),
    }
  }

  #write(name: DeviceName, entry: Entry, mark: boolean): string | undefined {
    return this.#change(name, (tables, link) => written(tables, link, entry, mark))
  }

  #change(name: DeviceName, change: (tables: Tables, link: VxlanLink) => Result<Tables>): string | undefined {
    const device = this.#devices.get(name)
    if (device === undefined) return `Cannot find device "${name}"`
    if (device.link.kind !== 'vxlan') return 'RTNETLINK answers: Invalid argument'
    const changed = change(device.tables, device.link)
    if (!changed.ok) return changed.reason
    return changed.value === device.tables ? undefined : this.#put(name, { ...device, tables: changed.value })
  }

  #perform(spec: TunnelSpec, step: Step): string | undefined {
    if (step.kind === 'create') return this.#create(spec, step)
    const device = this.#devices.get(spec.device)
    const link = device?.link
    if (device === undefined || link?.kind !== 'vxlan') return `Cannot find device "${spec.device}"`
    const change = (changed: Partial<VxlanLink>) => this.#put(spec.device, { ...device, link: { ...link, ...changed } })
    switch (step.kind) {
      case 'mark':
        return change({ alias: spec.alias })
      case 'move':
        return change({ local: step.local })
      case 'resize':
        return change({ mtu: step.mtu })
      case 'attach':
        return change({ master: step.master })
      case 'raise':
        return change({ up: true })
      case 'address':
        return this.give(spec.device, step.address)
      case 'release':
        return this.#release(spec.device, device, step.address)
      default:
        return unreachable(step)
    }
  }

  #release(name: DeviceName, device: MemoryDevice, address: InterfaceAddress): undefined {
    const addresses = without(address, device.addresses)
    const last = family(hostOf(address)) === 'ipv4' && !addresses.some((each) => family(hostOf(each)) === 'ipv4')
    return this.#put(name, { ...device, addresses, tables: last ? forgotten(device.tables, 'ipv4') : device.tables })
  }

  #create({ device, id }: TunnelSpec, { local, port, mtu, mac }: Step & { kind: 'create' }): string | undefined {
    if (id === undefined || port === undefined) return 'Error: Unknown device type.'
    const taken = [...this.#devices.values()].some(
      ({ link }) => link.kind === 'vxlan' && link.id === id && link.port === port && familyOf(link.local) === family(local),
    )
    if (taken) return 'Error: A VXLAN device with the specified VNI already exists.'
    const link: VxlanLink = { kind: 'vxlan', id, local, port, mtu, mac: mac ?? this.#mac(device), ...FRESH }
    return this.#put(device, { link, addresses: [], tables: EMPTY })
  }

  #device(spec: TunnelSpec, present: Present | undefined): Device {
    const device = present && deviceOf(spec, present)
    if (device?.ok === true) return device.value
    throw new MeshError({ code: 'KERNEL_UNREADABLE', what: words(showDevice(spec.device)), reason: device?.reason.reason ?? 'not there' })
  }

  #put(name: DeviceName, device: MemoryDevice): undefined {
    this.#devices.set(name, device)
    this.#wake()
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #refused(): string | undefined {
    if (this.#refusals === 0) return undefined
    this.#refusals--
    return 'RTNETLINK answers: Cannot allocate memory'
  }

  #mac(name: DeviceName): MacAddress {
    return madeUpMac([...this.#host.flatMap(({ addresses }) => addresses), name, String(this.#made++)])
  }
}

/** What every new device is. */
const FRESH = { bound: undefined, alias: undefined, up: false, master: undefined } as const
