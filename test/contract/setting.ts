/** A host to try a kernel on, what is on it, and what is looked at afterwards: for all that the contract says. */
import {
  parseDeviceName,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  sure,
  type DeviceName,
  type Entry,
  type GreKey,
  type InterfaceAddress,
  type IpAddress,
  type Kernel,
  type MacAddress,
  type Operation,
  type Port,
  type TunnelSpec,
  type Vni,
} from '@vxmesh/core'
import { describeTarget } from '@vxmesh/kernel-adapter'

/** A device somebody makes by hand; without `local` when that is undefined, of VXLAN on port 8472 as `dstport 0` makes it. */
export type ByHand =
  | { readonly kind: 'bridge' }
  | { readonly kind: 'external' }
  | { readonly kind: 'vxlan'; readonly id: Vni; readonly local: IpAddress | undefined }
  | {
      readonly kind: 'gre'
      readonly id: GreKey | undefined
      readonly local: IpAddress | undefined
      readonly remote?: IpAddress
      readonly external?: true
    }
  | { readonly kind: 'ip6gre'; readonly external: boolean }

/**
 * A host to try a kernel on. It has `UNDERLAY` and `UNDERLAY_6` on an interface of 1500 bytes, `OTHER` on the same,
 * `NARROW` on one of 1400, and no device of any tunnel. The rest is what a person does to it behind the kernel's back.
 */
export type Lab = {
  readonly kernel: Kernel
  plant(device: DeviceName, link: ByHand): Promise<void>
  /** An entry of any kind, in the place of what is there; a route where there is none. */
  write(device: DeviceName, entry: Entry): Promise<void>
  /** Deletes an entry of any kind, which need not be there. */
  erase(device: DeviceName, entry: Entry): Promise<void>
  wipe(device: DeviceName): Promise<void>
  give(device: DeviceName, address: InterfaceAddress): Promise<void>
  readdress(device: DeviceName, mac: MacAddress): Promise<void>
  /** Has it ask for addresses, and no longer. */
  ask(device: DeviceName): Promise<void>
  /** Makes a bridge, or deletes it. */
  bridge(name: DeviceName, there: boolean): Promise<void>
  /** Makes a device a port of a bridge, or of none. */
  enslave(device: DeviceName, master: DeviceName | undefined): Promise<void>
  deleteDevice(device: DeviceName): Promise<void>
  takeDown(device: DeviceName): Promise<void>
  isUp(device: DeviceName): Promise<boolean>
  /** Everything that can be seen of the device, to compare before and after; undefined when there is none. */
  inspect(device: DeviceName): Promise<unknown>
  /** The next changes that we ask for are refused, this many; only where that can be had. */
  readonly refuse?: (count: number) => Promise<void>
  readonly close: () => Promise<void>
}

export const ip = (text: string): IpAddress => sure(parseIp(text))
export const port = (number: number): Port => sure(parsePort(number))
export const vni = (number: number): Vni => sure(parseVni(number))

export const UNDERLAY = ip('192.168.226.4')
export const OTHER = ip('192.168.226.14')
export const NARROW = ip('10.14.0.4')
export const UNDERLAY_6 = ip('fd00:226::4')
export const [HOST_00, HOST_01, HOST_02] = [ip('192.168.226.5'), ip('192.168.226.6'), ip('192.168.226.7')]
export const provider0 = sure(parseDeviceName('provider0'))
export const provider1 = sure(parseDeviceName('provider1'))
export const br0 = sure(parseDeviceName('br0'))
export const br1 = sure(parseDeviceName('br1'))
export const OVERLAY = sure(parseInterfaceAddress('192.168.234.1/23'))
export const OVERLAY_6 = sure(parseInterfaceAddress('fd00:234::1/64'))
export const FORMER = sure(parseInterfaceAddress('192.168.234.9/23'))
export const FOREIGN = sure(parseInterfaceAddress('192.168.235.7/23'))

export const COMMON = { device: provider0, local: UNDERLAY, port: undefined, addresses: [OVERLAY] } as const

export const SPEC: TunnelSpec = { ...COMMON, mode: 'vxlan', id: vni(16), alias: 'vxmesh:12D3KooWcontract:16' }

export const to = (underlay: IpAddress): Entry => ({ kind: 'flood', underlay })
const MAC = sure(parseMac('02:00:00:00:00:05'))
export const toPort = (underlay: IpAddress, number: number): Entry => ({ kind: 'flood', underlay, port: port(number) })
export const forOne = (underlay: IpAddress, number: number): Entry => ({ kind: 'fdb', mac: MAC, underlay, port: port(number) })

export const fdb = (underlay: IpAddress): Entry => ({ kind: 'fdb', mac: MAC, underlay })
export const neighbour = (overlay: string, number: number): Entry => ({
  kind: 'neighbour',
  overlay: ip(overlay),
  mac: sure(parseMac(`02:00:00:00:00:0${String(number)}`)),
})
export const [THERE, THERE_6] = [neighbour('192.168.234.2', 5), neighbour('fd00:234::2', 5)]
export const adds = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'add', entry }))
export const drops = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'remove', entry }))

/** What the device has, each entry as its place and, where that does not say it, where it leads. */
export async function slots(lab: Lab, spec = SPEC): Promise<readonly string[]> {
  return [...((await lab.kernel.read(spec))?.entries ?? [])]
    .map(([place, entry]) => (entry.kind === 'flood' ? place : `${place} ${describeTarget(entry)}`.trim()))
    .toSorted()
}

export async function marks(lab: Lab, spec = SPEC): Promise<readonly string[]> {
  return [...((await lab.kernel.read(spec))?.marked ?? [])].toSorted()
}

export async function destinations(lab: Lab, spec: TunnelSpec): Promise<readonly IpAddress[]> {
  const reading = await lab.kernel.read(spec)
  return [...(reading?.entries.values() ?? [])].flatMap((entry) => ('underlay' in entry ? [entry.underlay] : [])).sort()
}
