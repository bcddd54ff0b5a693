/**
 * A host's kernel in memory, no kinder than the real one: `append` is idempotent, our own address, 0.0.0.0 and multicast are accepted,
 * deleting without a destination wipes them all, one without a port has the device's own, a device that goes down loses its IPv6
 * addresses, its neighbours and its routes, the first IPv4 address of a network takes the others along, a device made again has another
 * MAC. No timers. What to do about a device is decided by the same `decide` as for the real kernel, and one contract holds for both.
 */
import {
  family,
  halves,
  hostOf,
  isOfGuard,
  MeshError,
  unreachable,
  type Device,
  type DeviceName,
  type Entry,
  type HostInterface,
  type InterfaceAddress,
  type IpAddress,
  type MacAddress,
  type Operation,
  type Port,
  type Reading,
  type Rejection,
  type TunnelSpec,
} from '@vxmesh/core'
import { ADDRESS_TAKEN, clash, interfaces, without, type MemoryAddress } from './addresses.ts'
import { isCarrier, laidOpen, macFrom, madeLink, noSuch, plantedLink, type MemoryDevice, type PlantedLink } from './devices.ts'
import { decide, deviceOf, restore, type Present, type Step } from './link.ts'
import { together } from './marked.ts'
import { MemoryGuards } from './memory-guard.ts'
import { explain, rejections } from './outcome.ts'
import { showDevice, stepCommand, words } from './render.ts'
import { EMPTY, erased, forgotten, lasting, replaced, unlinked, wiped, within, written, type Change, type Tables } from './tables.ts'

export class MemoryHost {
  #host: readonly HostInterface[]
  readonly #devices = new Map<DeviceName, MemoryDevice>()
  /** What is unreachable is of no device. */
  #unreachable: Tables = EMPTY
  readonly bridges = new Set<string>()
  readonly #listeners = new Set<() => void>()
  readonly guards = new MemoryGuards(() => this.#wake())
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
    for (const step of restore(spec, before?.addresses ?? [], this.#devices.get(spec.device)?.addresses ?? [])) carryOut(step, false)
    return this.#device(spec, this.#devices.get(spec.device))
  }

  /** `Kernel.interfaces`, at once. */
  interfacesNow(without: DeviceName): readonly HostInterface[] {
    return this.#host.filter(({ name }) => name !== without)
  }

  /** `Kernel.read`, at once. */
  readNow(spec: TunnelSpec): Reading | undefined {
    const device = this.#devices.get(spec.device)
    if (device === undefined) return undefined
    const own = within(this.#unreachable, device.addresses.flatMap(halves))
    return { device: this.#device(spec, device), ...together([device.tables, own, this.leftNow(spec)]) }
  }

  /** `Kernel.left`, at once. */
  leftNow({ device, addresses, formerAddresses = [] }: TunnelSpec): Tables {
    return together([this.guards.of(device), within(this.#unreachable, [...addresses, ...formerAddresses].flatMap(halves))])
  }

  /** `Kernel.attempt`, at once. */
  attemptNow(device: DeviceName, operations: readonly Operation[]): readonly Rejection[] {
    const reasons = new Map<number, string>()
    for (const [index, { kind, entry }] of operations.entries()) {
      const complaint = this.#refused() ?? this.#attempt(device, kind, entry)
      if (complaint !== undefined) reasons.set(index + 1, complaint)
    }
    const { entries } = together([this.guards.of(device), this.#devices.get(device)?.tables ?? EMPTY, this.#unreachable])
    return rejections(operations, device, entries, reasons)
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

  /** Somebody's `bridge fdb append` or `replace`, `ip neighbour replace`, or `ip route add`. Returns what the tool would complain of. */
  write(name: DeviceName, entry: Entry): string | undefined {
    return this.#change(name, entry, (tables, link) => written(tables, link, entry, false))
  }

  /** Somebody's `bridge fdb delete`, `ip neighbour delete` or `ip route delete`. Returns what the tool would complain of. */
  erase(name: DeviceName, entry: Entry): string | undefined {
    return this.#change(name, entry, (tables, link) => erased(tables, link, entry, false))
  }

  /** Somebody's `bridge fdb delete` of the zero MAC; without a destination it wipes them all. Returns what the tool would complain of. */
  remove(name: DeviceName, underlay?: IpAddress, port?: Port): string | undefined {
    return underlay === undefined ? this.#change(name, undefined, wiped) : this.erase(name, { kind: 'flood', underlay, port })
  }

  /** Somebody makes a device, down and without addresses; one of that name is replaced. */
  plant(name: DeviceName, link: PlantedLink): void {
    this.#put(name, { link: plantedLink(link, () => this.#mac(name)), addresses: [], tables: EMPTY })
  }

  /** Somebody's `ip address add`. Returns what the tool would complain of. */
  give(name: DeviceName, address: InterfaceAddress): string | undefined {
    const device = this.#devices.get(name)
    if (device === undefined) return noSuch(name)
    if (device.addresses.some((held) => clash(held, address))) return `Error: ${ADDRESS_TAKEN[family(hostOf(address))]}`
    return this.#put(name, { ...device, addresses: [...device.addresses, address] })
  }

  /** Somebody's `ip address delete`. */
  takeAway(name: DeviceName, address: InterfaceAddress): void {
    const device = this.#devices.get(name)
    if (device !== undefined) this.#release(name, device, address)
  }

  /** Somebody's `ip link delete`. */
  deleteDevice(name: DeviceName): void {
    if (this.#devices.delete(name)) this.#wake()
  }

  /** Somebody's `ip link set … down`, which costs the device its IPv6 addresses, neighbours and routes, and none of its other entries. */
  takeDown(name: DeviceName): void {
    const device = this.#devices.get(name)
    if (device === undefined || !isCarrier(device.link)) return
    this.#put(name, { link: { ...device.link, up: false }, addresses: lasting(device.addresses), tables: unlinked(device.tables, 'both') })
  }

  /** Somebody's `ip link set … arp on` and off again, on a device of GRE. */
  ask(name: DeviceName): void {
    const device = this.#devices.get(name)
    if (device !== undefined) this.#put(name, { ...device, tables: forgotten(device.tables) })
  }

  /** Somebody's `ip link set … address`, which costs the device its neighbours, even the same one again. */
  readdress(name: DeviceName, mac: MacAddress): void {
    const device = this.#devices.get(name)
    if (device?.link.kind !== 'vxlan') return
    this.#put(name, { ...device, link: { ...device.link, mac }, tables: forgotten(device.tables) })
  }

  /** Somebody's `ip link set` of the MTU, into a bridge or out of it, or up. */
  alter(name: DeviceName, parts: { readonly mtu: number } | { readonly master: string | undefined } | { readonly up: true }): undefined {
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
  inspect(name: DeviceName): ReturnType<typeof laidOpen> | undefined {
    const device = this.#devices.get(name)
    return device && laidOpen(device)
  }

  #attempt(name: DeviceName, kind: Operation['kind'], entry: Entry): string | undefined {
    if (isOfGuard(entry)) return this.guards.change(name, kind, entry)
    return this.#change(name, entry, (tables, link) => {
      if (kind === 'remove') return erased(tables, link, entry, true)
      return kind === 'replace' ? replaced(tables, link, entry) : written(tables, link, entry, true)
    })
  }

  #change(name: DeviceName, entry: Entry | undefined, change: Change): string | undefined {
    const device = this.#devices.get(name)
    const link = device?.link
    const ofHost = entry?.kind === 'unreachable'
    if (!ofHost && link === undefined) return noSuch(name)
    if (!ofHost && !isCarrier(link)) return 'RTNETLINK answers: Invalid argument'
    const tables = ofHost ? this.#unreachable : (device?.tables ?? EMPTY)
    const changed = change(tables, isCarrier(link) ? link : undefined)
    if (!changed.ok) return changed.reason
    if (changed.value === tables) return undefined
    if (!ofHost && device !== undefined) return this.#put(name, { ...device, tables: changed.value })
    this.#unreachable = changed.value
    return this.#wake()
  }

  #perform(spec: TunnelSpec, step: Step): string | undefined {
    if (step.kind === 'create') return this.#create(spec, step)
    const device = this.#devices.get(spec.device)
    const link = device?.link
    if (device === undefined || !isCarrier(link)) return noSuch(spec.device)
    const change = (changed: { alias: string } | { mtu: number } | { up: true }) =>
      this.#put(spec.device, { ...device, link: { ...link, ...changed } })
    switch (step.kind) {
      case 'mark':
        return change({ alias: spec.alias })
      case 'move':
        return link.kind === 'ip6gre' ? undefined : this.#put(spec.device, { ...device, link: { ...link, local: step.local } })
      case 'resize':
        return change({ mtu: step.mtu })
      case 'attach':
        return this.alter(spec.device, { master: step.master })
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
    return this.#put(name, { ...device, addresses, tables: last ? unlinked(device.tables, 'ipv4') : device.tables })
  }

  #create(spec: TunnelSpec, step: Step & { kind: 'create' }): string | undefined {
    const others = [...this.#devices.values()].map(({ link }) => link)
    const link = madeLink(spec, step, others, () => this.#mac(spec.device))
    return link.ok ? this.#put(spec.device, { link: link.value, addresses: [], tables: EMPTY }) : link.reason
  }

  #device(spec: TunnelSpec, present: Present | undefined): Device {
    const device = present && deviceOf(spec, present)
    if (device?.ok === true) return device.value
    throw new MeshError({ code: 'KERNEL_UNREADABLE', what: words(showDevice(spec.device)), reason: device?.reason.reason ?? 'not there' })
  }

  #put(name: DeviceName, device: MemoryDevice): undefined {
    this.#devices.set(name, device)
    return this.#wake()
  }

  #wake(): undefined {
    for (const listener of [...this.#listeners]) listener()
  }

  #refused(): string | undefined {
    if (this.#refusals === 0) return undefined
    this.#refusals--
    return 'RTNETLINK answers: Cannot allocate memory'
  }

  /** Different for every host, device and making. */
  #mac(name: DeviceName): MacAddress {
    return macFrom([...this.#host.flatMap(({ addresses }) => addresses), name, String(this.#made++)].join(' '))
  }
}
