/** What the reconciler is tested on: a host in memory, virtual time, and a test that decides what is wanted. */
import { vi } from 'vitest'
import {
  parseDeviceName,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  slot,
  sure,
  table,
  type DeviceName,
  type Entry,
  type Hold,
  type IpAddress,
  type Kernel,
  type MemberMtu,
  type Mtu,
  type TunnelSpec,
} from '@vxmesh/core'
import { describeTarget, MemoryHost, memoryKernel } from '@vxmesh/kernel-adapter'
import { z } from 'zod'
import { claimOf } from './establish.ts'
import { withGuard } from './guard.ts'
import { makeLog } from './log.ts'
import { startReconciler, type Reconciler } from './reconciler.ts'
import { openStore, type Store } from './store.ts'

export function ip(text: string): IpAddress {
  return sure(parseIp(text))
}

export const HERE = ip('10.0.0.1')
export const DEVICE = sure(parseDeviceName('provider0'))

const SPEC = {
  device: DEVICE,
  mode: 'vxlan',
  id: sure(parseVni(16)),
  local: HERE,
  port: undefined,
  addresses: [sure(parseInterfaceAddress('192.168.234.1/23'))],
  alias: 'vxmesh:M:16',
} as const satisfies TunnelSpec

/** An entry as a test writes it: a flood entry by its destination, others with theirs, `fdb 02:… dst 10.0.0.2`, `neighbour 192.168.234.2 lladdr 02:…`. */
function entry(text: string): Entry {
  const [kind = '', place = '', , target = ''] = text.split(' ')
  if (kind === 'fdb') return { kind, mac: sure(parseMac(place)), underlay: ip(target) }
  if (kind === 'neighbour') return { kind, overlay: ip(place), mac: sure(parseMac(target)) }
  return { kind: 'flood', underlay: ip(text) }
}

const line = z.object({ level: z.string(), msg: z.string() })

/** A host with its kernel in memory, and a reconciler that a test tells what to want. */
export class Workbench {
  readonly #directory: string
  readonly host = new MemoryHost({ addresses: [{ address: HERE, interface: 'eth0', mtu: 1500 }] })
  readonly said: string[] = []
  /** The addresses of the device, as each turn saw them. */
  readonly noticed: string[] = []
  wanted: readonly string[] = []
  hold: Hold | undefined
  mtus: readonly MemberMtu[] = []
  /** What was asked of the device. */
  mtu: Mtu
  master: DeviceName | undefined
  addresses: readonly string[] = SPEC.addresses
  /** Whether it has a guard, as the daemon would ask for one. */
  guard = false
  /** What its underlay had room for, as each turn saw it. */
  readonly rooms: (number | undefined)[] = []
  reads = 0
  writes = 0
  /** Whether all events of the kernel are lost. */
  deaf = false
  /** What comes between a read and its answer, and before a write. */
  meanwhile: () => Promise<unknown> = async () => {}
  onWrite: () => void = () => {}
  reconciler!: Reconciler
  store!: Store

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Somebody makes the device before the daemon does, with some entries. */
  plant(...entries: readonly string[]): void {
    this.host.plant(DEVICE, { kind: 'vxlan', id: SPEC.id, local: HERE, port: sure(parsePort(8472)) })
    for (const each of entries) this.write(each)
  }

  /** Somebody writes an entry. */
  write(text: string): void {
    this.host.write(DEVICE, entry(text))
  }

  /** Somebody deletes an entry. */
  erase(text: string): void {
    this.host.erase(DEVICE, entry(text))
  }

  /** Somebody gives the device another address. */
  give(address: string): void {
    this.host.give(DEVICE, sure(parseInterfaceAddress(address)))
  }

  /** Somebody takes an address away. */
  take(address: string): void {
    this.host.takeAway(DEVICE, sure(parseInterfaceAddress(address)))
  }

  async start(...wanted: readonly string[]): Promise<void> {
    this.wanted = wanted
    this.store = openStore(this.#directory, (what) => this.said.push(what))
    const addresses = this.addresses.map((each) => sure(parseInterfaceAddress(each)))
    const spec = { ...SPEC, addresses, mtu: this.mtu, master: this.master, guard: this.guard }
    const device = await this.#kernel().establish(spec)
    this.reconciler = startReconciler({
      kernel: this.#kernel(),
      spec,
      device,
      store: this.store,
      log: makeLog('debug', false, { write: (text) => void this.said.push(this.#sentence(text)) }),
      notice: ({ addresses }, room) => {
        this.noticed.push(addresses.join(' '))
        this.rooms.push(room)
      },
      enforced: () => undefined,
      decide: () => {
        const wanted = withGuard(spec, claimOf(spec, device, undefined, this.store), device, table(this.wanted.map(entry)))
        return {
          desired: { table: wanted, standing: new Map(), evicted: new Set(), verdicts: new Map(), conflicts: new Map() },
          hold: this.hold,
          mtus: this.mtus,
          enforces: '',
        }
      },
    })
    await vi.advanceTimersByTimeAsync(0)
  }

  want(...wanted: readonly string[]): void {
    this.wanted = wanted
    this.reconciler.wake()
  }

  async wait(milliseconds: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(milliseconds)
  }

  entries(): readonly string[] | undefined {
    return this.host.inspect(DEVICE)?.flood.toSorted()
  }

  /** All entries, as they would be written here. */
  tables(): readonly string[] {
    const entries = [...(this.host.inspect(DEVICE)?.entries.values() ?? [])]
    return entries.map((each) => (each.kind === 'flood' ? each.underlay : `${slot(each)} ${describeTarget(each)}`)).toSorted()
  }

  /** Whom the guard admits; undefined: there is none. */
  admitted(): readonly string[] | undefined {
    const entries = [...this.host.guards.of(DEVICE).entries.values()]
    const members = entries.flatMap((each) => (each.kind === 'admitted' ? [each.underlay] : []))
    return entries.length === 0 ? undefined : members.toSorted()
  }

  async repairs(): Promise<number> {
    return (await this.reconciler.look()).repairs
  }

  #sentence(text: string): string {
    const { level, msg } = line.parse(JSON.parse(text))
    return `${level}: ${msg}`
  }

  #kernel(): Kernel {
    const kernel = memoryKernel(this.host)
    return {
      ...kernel,
      watch: (device, wake) =>
        kernel.watch(device, () => {
          if (!this.deaf) wake()
        }),
      read: async (spec) => {
        this.reads++
        const reading = await kernel.read(spec)
        await this.meanwhile()
        return reading
      },
      attempt: async (device, operations) => {
        this.writes++
        this.onWrite()
        return kernel.attempt(device, operations)
      },
    }
  }
}
