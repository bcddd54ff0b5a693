/**
 * What every kernel must do, the real one and the fake alike: a fake that is kinder than the kernel is a lie.
 * A test reads as: a host with an underlay, something a person did to it by hand, what vxmesh then does.
 */
import {
  MeshError,
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  slot,
  sure,
  type DeviceName,
  type Device,
  type Entry,
  type GreKey,
  type InterfaceAddress,
  type IpAddress,
  type Kernel,
  type MacAddress,
  type Mode,
  type Operation,
  type Port,
  type TunnelSpec,
  type Vni,
} from '@vxmesh/core'
import { describeTarget } from '@vxmesh/kernel-adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import { greContract } from './gre.contract.ts'

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
const vni = (number: number): Vni => sure(parseVni(number))

export const UNDERLAY = ip('192.168.226.4')
export const OTHER = ip('192.168.226.14')
export const NARROW = ip('10.14.0.4')
export const UNDERLAY_6 = ip('fd00:226::4')
const [HOST_00, HOST_01, HOST_02] = [ip('192.168.226.5'), ip('192.168.226.6'), ip('192.168.226.7')]
const provider0 = sure(parseDeviceName('provider0'))
const provider1 = sure(parseDeviceName('provider1'))
const br0 = sure(parseDeviceName('br0'))
const br1 = sure(parseDeviceName('br1'))
const OVERLAY = sure(parseInterfaceAddress('192.168.234.1/23'))
const OVERLAY_6 = sure(parseInterfaceAddress('fd00:234::1/64'))
const FORMER = sure(parseInterfaceAddress('192.168.234.9/23'))
const FOREIGN = sure(parseInterfaceAddress('192.168.235.7/23'))

const COMMON = { device: provider0, local: UNDERLAY, port: undefined, addresses: [OVERLAY] } as const

const SPEC: TunnelSpec = { ...COMMON, mode: 'vxlan', id: vni(16), alias: 'vxmesh:12D3KooWcontract:16' }

const to = (underlay: IpAddress): Entry => ({ kind: 'flood', underlay })
const MAC = sure(parseMac('02:00:00:00:00:05'))
const toPort = (underlay: IpAddress, number: number): Entry => ({ kind: 'flood', underlay, port: port(number) })
const forOne = (underlay: IpAddress, number: number): Entry => ({ kind: 'fdb', mac: MAC, underlay, port: port(number) })

const fdb = (underlay: IpAddress): Entry => ({ kind: 'fdb', mac: MAC, underlay })
const neighbour = (overlay: string, number: number): Entry => ({
  kind: 'neighbour',
  overlay: ip(overlay),
  mac: sure(parseMac(`02:00:00:00:00:0${String(number)}`)),
})
const [THERE, THERE_6] = [neighbour('192.168.234.2', 5), neighbour('fd00:234::2', 5)]
const adds = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'add', entry }))
const drops = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'remove', entry }))

/** What the two kinds of tunnels say differently. */
type Dialect = {
  readonly spec: TunnelSpec
  /** What makes the packets for a member go to this address. */
  readonly to: (underlay: IpAddress) => Entry
  readonly port: number | undefined
  readonly mtu: number
  readonly made: readonly (readonly [string, Partial<TunnelSpec>, Partial<Device>])[]
  /** The device of the recipe, and what it is as that. */
  readonly byHand: ByHand & { readonly kind: Mode }
  readonly adopted: Partial<Device>
  readonly refused: readonly (readonly [string, ByHand, Partial<TunnelSpec>, string])[]
  readonly refusedOfOurs: readonly (readonly [string, Partial<TunnelSpec>, string])[]
  /** The tool's words when it is to write an entry that leads to `UNDERLAY_6`. */
  readonly refusal: { readonly command: string; readonly reason: string }
  /** How many entries are written at once beside some that are refused: where one is, `ip` has to be asked for each. */
  readonly many: number
}

const key = (number: number): GreKey => sure(parseGreKey(number))
const VXLAN_BY_HAND = { kind: 'vxlan', id: vni(16), local: UNDERLAY } as const
const GRE_BY_HAND = { kind: 'gre', id: key(1234), local: UNDERLAY } as const
const SEVERAL: Dialect['made'][number] = [
  'with several addresses, once each',
  { addresses: [OVERLAY, OVERLAY_6, OVERLAY] },
  { addresses: [OVERLAY, OVERLAY_6] },
]

export const DIALECTS: Readonly<Record<Mode, Dialect>> = {
  vxlan: {
    spec: SPEC,
    to,
    port: 4789,
    mtu: 1450,
    made: [
      ['50 bytes below an underlay of 1400', { local: NARROW }, { local: NARROW, mtu: 1350 }],
      ['70 bytes below an IPv6 underlay of 1500', { local: UNDERLAY_6 }, { local: UNDERLAY_6, mtu: 1430 }],
      ['on the port that was asked for', { port: port(8472) }, { port: port(8472) }],
      SEVERAL,
    ],
    byHand: VXLAN_BY_HAND,
    adopted: { port: port(8472), mtu: 1500 },
    refused: [
      ['of another kind', { kind: 'bridge' }, {}, '--device'],
      ['in external mode', { kind: 'external' }, {}, '--device'],
      ['with another id', { ...VXLAN_BY_HAND, id: vni(17) }, {}, '--device'],
      ['made by somebody else for another local address', { ...VXLAN_BY_HAND, local: OTHER }, {}, '--local'],
      ['without a local address, where one is asked for', { ...VXLAN_BY_HAND, local: undefined }, {}, '--local'],
      ['without a local address, where none is asked for', { ...VXLAN_BY_HAND, local: undefined }, { local: undefined }, '--device'],
      ['with another port', VXLAN_BY_HAND, { port: port(4789) }, '--vxlan-port'],
    ],
    refusedOfOurs: [
      ['that we made, and that uses another port', { port: port(8472) }, '--vxlan-port'],
      ['that we made, for an address of another family', { local: UNDERLAY_6 }, '--local'],
      ['that we made, for an address that the host does not have', { local: HOST_00 }, '--local'],
    ],
    refusal: {
      command: 'bridge fdb append 00:00:00:00:00:00 dst fd00:226::4 dev provider0',
      reason: 'RTNETLINK answers: Address family not supported by protocol',
    },
    many: 1000,
  },
  gre: {
    spec: { ...COMMON, mode: 'gre', id: key(1234), alias: 'vxmesh:12D3KooWcontract:gre:1234' },
    to: (underlay) => ({ kind: 'neighbour', overlay: opposite(underlay), underlay }),
    port: undefined,
    mtu: 1472,
    made: [
      ['28 bytes below an underlay of 1400', { local: NARROW }, { local: NARROW, mtu: 1372 }],
      ['24 bytes below without a key', { id: undefined }, { id: undefined, mtu: 1476 }],
      ['48 bytes below an IPv6 underlay', { local: UNDERLAY_6 }, { local: UNDERLAY_6, id: key(1234), mtu: 1452 }],
      SEVERAL,
    ],
    byHand: GRE_BY_HAND,
    adopted: { port: undefined, mtu: 1472 },
    refused: [
      ['of another kind', { kind: 'bridge' }, {}, '--device'],
      ['in external mode', { ...GRE_BY_HAND, id: undefined, local: undefined, external: true }, {}, '--device'],
      ['with another key', { ...GRE_BY_HAND, id: key(5) }, {}, '--device'],
      ['without a key', { ...GRE_BY_HAND, id: undefined }, {}, '--device'],
      ['to one host', { ...GRE_BY_HAND, remote: HOST_00 }, {}, '--device'],
      ['made by somebody else for another local address', { ...GRE_BY_HAND, local: OTHER }, {}, '--local'],
      ['without a local address', { ...GRE_BY_HAND, local: undefined }, {}, '--local'],
      ['over IPv6 for an IPv4 address', { kind: 'ip6gre', external: true }, {}, '--device'],
      ['over IPv6, where no address is asked for', { kind: 'ip6gre', external: true }, { local: undefined }, '--local'],
      ['over IPv6 and not external', { kind: 'ip6gre', external: false }, { local: UNDERLAY_6 }, '--device'],
    ],
    refusedOfOurs: [
      ['that we made, for an address of another family', { local: UNDERLAY_6 }, '--device'],
      ['that we made, for an address that the host does not have', { local: HOST_00 }, '--local'],
    ],
    refusal: {
      command: 'ip neighbour replace 10.234.0.4 lladdr fd00:226::4 dev provider0 nud permanent protocol 118',
      reason: '"fd00" is invalid lladdr.',
    },
    many: 12,
  },
}

/** An address inside the tunnel for a host. */
function opposite(underlay: IpAddress): IpAddress {
  const last = underlay.split(/[.:]/).slice(-2)
  return ip(`10.234.${last.map((part) => part || '0').join('.')}`)
}

/** Runs the contract against kernels of one make. `make` is asked for a fresh host before every test. */
export function kernelContract(name: string, make: () => Promise<Lab>, mode: Mode = 'vxlan'): void {
  const dialect = DIALECTS[mode]
  describe(`${name} keeps the contract of ${mode}: it`, () => {
    let lab: Lab
    // Cleared away only by the host that was made: where `make` refuses, nothing may be touched.
    beforeEach(async () => {
      lab = await make()
      return lab.close
    })
    const here = () => lab
    describe('makes a device', () => {
      making(here, dialect)
    })
    describe('takes the device that is there', () => {
      adopting(here, dialect)
    })
    describe('changes the addresses of a device', () => {
      readdressing(here, dialect)
    })
    describe('leaves a device that cannot serve untouched', () => {
      refusing(here, dialect)
    })
    describe('writes entries', () => {
      writing(here, dialect)
    })
    describe('sees what others do', () => {
      watching(here, dialect)
    })
    const own = { vxlan: vxlanAlone, gre: greContract }
    own[mode](here)
  })
}

function vxlanAlone(lab: () => Lab): void {
  describe('writes entries to ports', () => {
    ports(lab)
  })
  describe('writes neighbours', () => {
    neighbours(lab)
  })
  describe('shows the traps of the kernel', () => {
    traps(lab)
  })
  describe('shows the traps of neighbours', () => {
    neighbourTraps(lab)
  })
  describe('sees what others do', () => {
    watchingBridges(lab)
  })
}

function making(lab: () => Lab, { spec, to, port: own, mtu, made }: Dialect): void {
  test('with what the spec says, and up', async () => {
    const device = await lab().kernel.establish(spec)
    expect(device).toEqual({
      name: provider0,
      id: spec.id,
      local: UNDERLAY,
      port: own,
      mac: device.mac,
      mtu,
      up: true,
      master: undefined,
      addresses: [OVERLAY],
      origin: 'made',
    })
    expect(await lab().isUp(provider0)).toBe(true)
    expect(await lab().kernel.read(spec)).toEqual({ device, entries: new Map(), marked: new Set() })
  })

  test.each(made)('%s', async (_name, asked, expected) => {
    expect(await lab().kernel.establish({ ...spec, ...asked })).toMatchObject(expected)
  })

  test('once: establishing again changes nothing', async () => {
    const first = await lab().kernel.establish(spec)
    const before = await lab().inspect(provider0)
    expect(await lab().kernel.establish(spec)).toEqual(first)
    expect(await lab().inspect(provider0)).toEqual(before)
  })

  test.each<[string, Partial<TunnelSpec>]>([
    ['without an underlay address', { local: undefined }],
    ['for an address that the host does not have', { local: HOST_00 }],
  ])('not %s', async (_name, asked) => {
    await expect(lab().kernel.establish({ ...spec, ...asked })).rejects.toMatchObject({
      failure: { code: 'CONFIG_INVALID', where: '--local' },
    })
    expect(await lab().inspect(provider0)).toBeUndefined()
  })

  test('not beside another with the same id and port, and leaves nothing behind', async () => {
    await lab().kernel.establish(spec)
    const second = lab().kernel.establish({ ...spec, device: provider1 })
    await expect(second).rejects.toMatchObject({ failure: { code: 'KERNEL_REFUSED' } })
    expect(await lab().inspect(provider1)).toBeUndefined()
  })

  test('or nothing: one that cannot be finished is deleted again', async () => {
    const twice = [OVERLAY_6, sure(parseInterfaceAddress('fd00:234::1/72'))]
    const refused = lab().kernel.establish({ ...spec, addresses: twice })
    await expect(refused).rejects.toMatchObject({
      failure: { code: 'KERNEL_REFUSED', command: 'ip address add fd00:234::1/72 dev provider0' },
    })
    expect(await lab().inspect(provider0)).toBeUndefined()
  })

  test('again, empty, when it was deleted underneath', async () => {
    await lab().kernel.establish(spec)
    await lab().kernel.attempt(provider0, adds(to(HOST_00)))
    await lab().deleteDevice(provider0)
    expect(await lab().kernel.read(spec)).toBeUndefined()
    expect(await lab().kernel.establish(spec)).toMatchObject({ origin: 'made', mtu })
    expect(await destinations(lab(), spec)).toEqual([])
  })

  test('that follows the host to another address and keeps its entries', async () => {
    const { mac } = await lab().kernel.establish(spec)
    await lab().kernel.attempt(provider0, adds(to(HOST_00)))
    expect(await lab().kernel.establish({ ...spec, local: OTHER })).toMatchObject({ local: OTHER, mac, port: own, origin: 'made' })
    expect(await destinations(lab(), spec)).toEqual([HOST_00])
  })

  test('that is brought up again and given its addresses back', async () => {
    const both = { ...spec, addresses: [OVERLAY, OVERLAY_6] }
    await lab().kernel.establish(both)
    await lab().takeDown(provider0)
    expect((await lab().kernel.read(both))?.device).toMatchObject({ up: false, addresses: [OVERLAY] })
    expect(await lab().kernel.establish(both)).toMatchObject({ up: true, addresses: [OVERLAY, OVERLAY_6] })
    expect(await lab().isUp(provider0)).toBe(true)
  })
}

function adopting(lab: () => Lab, { spec, to, byHand, adopted }: Dialect): void {
  test("the recipe's: its port, MTU and entries as they are; gives it its address, brings it up", async () => {
    await lab().plant(provider0, byHand)
    await lab().write(provider0, to(HOST_00))
    const device = await lab().kernel.establish(spec)
    expect(device).toMatchObject({ ...adopted, addresses: [OVERLAY], origin: 'adopted' })
    expect(await lab().isUp(provider0)).toBe(true)
    expect(await lab().kernel.read(spec)).toEqual({ device, entries: new Map([[slot(to(HOST_00)), to(HOST_00)]]), marked: new Set() })
  })

  test('with the local address it has, when none was asked for', async () => {
    await lab().plant(provider0, { ...byHand, local: OTHER })
    expect(await lab().kernel.establish({ ...spec, local: undefined })).toMatchObject({ local: OTHER, origin: 'adopted' })
  })

  test('and leaves foreign entries alone while it writes its own', async () => {
    await lab().plant(provider0, byHand)
    await lab().kernel.establish(spec)
    await lab().write(provider0, to(HOST_00))
    await lab().kernel.attempt(provider0, adds(to(HOST_01)))
    await lab().kernel.attempt(provider0, [...adds(to(HOST_02)), ...drops(to(HOST_01))])
    expect(await destinations(lab(), spec)).toEqual([HOST_00, HOST_02])
  })
}

function readdressing(lab: () => Lab, { spec, byHand }: Dialect): void {
  const former: TunnelSpec = { ...spec, addresses: [FORMER] }
  const changed: TunnelSpec = { ...spec, formerAddresses: [FORMER] }
  const other = sure(parseInterfaceAddress('10.1.1.1/24'))
  const given: InterfaceAddress[] = []
  const note = (address: InterfaceAddress) => void given.push(address)
  beforeEach(() => void given.splice(0))

  test.each<[string, readonly InterfaceAddress[], readonly InterfaceAddress[]]>([
    ['that it made: the new one stays, the former one goes', [], [OVERLAY]],
    ['and keeps what somebody else put there, of the same network too', [FOREIGN, other], [other, OVERLAY, FOREIGN]],
  ])('%s', async (_name, foreign, expected) => {
    await lab().kernel.establish(former, note)
    for (const address of foreign) await lab().give(provider0, address)
    const { addresses } = await lab().kernel.establish(changed, note)
    expect(addresses.toSorted()).toEqual(expected)
    expect(given).toEqual([FORMER, OVERLAY])
    expect((await lab().kernel.establish(changed)).addresses).toEqual(addresses)
  })

  test('that somebody else made and gave addresses to before', async () => {
    await lab().plant(provider0, byHand)
    await lab().give(provider0, FOREIGN)
    await lab().kernel.establish({ ...former, addresses: [FOREIGN, FORMER] }, note)
    expect(given).toEqual([FORMER])
    const { addresses, origin } = await lab().kernel.establish(changed)
    expect(origin).toBe('adopted')
    expect(addresses.toSorted()).toEqual([OVERLAY, FOREIGN])
  })

  test.each<[string, readonly string[], readonly string[]]>([
    ['to another prefix length in IPv6', ['fd00:234::1/64'], ['fd00:234::1/72']],
    ['to another prefix length in IPv4', ['192.168.234.1/23', '192.168.234.3/23'], ['192.168.234.1/24']],
    ['from several of one network to none', ['192.168.234.1/23', '192.168.234.2/23', '192.168.234.3/23'], []],
    ['from several to the middle one', ['192.168.234.1/23', '192.168.234.2/23', '192.168.234.3/23'], ['192.168.234.2/23']],
    ['from IPv4 to IPv6', ['192.168.234.1/23'], ['fd00:234::1/64']],
  ])('%s', async (_name, before, after) => {
    const [formerAddresses, addresses] = [before, after].map((texts) => texts.map((text) => sure(parseInterfaceAddress(text))))
    await lab().kernel.establish({ ...spec, addresses: formerAddresses! })
    expect(await lab().kernel.establish({ ...spec, addresses: addresses!, formerAddresses: formerAddresses! })).toMatchObject({ addresses })
  })
}

function refusing(lab: () => Lab, { spec, refused, refusedOfOurs }: Dialect): void {
  test.each(refused)('%s', async (_name, planted, asked, where) => {
    await lab().plant(provider0, planted)
    const before = await lab().inspect(provider0)
    const refusal = lab().kernel.establish({ ...spec, ...asked })
    await expect(refusal).rejects.toMatchObject({ failure: { code: 'CONFIG_INVALID', where } })
    await expect(refusal).rejects.toBeInstanceOf(MeshError)
    expect(await lab().inspect(provider0)).toEqual(before)
  })

  test.each(refusedOfOurs)('%s', async (_name, asked, where) => {
    await lab().kernel.establish(spec)
    const before = await lab().inspect(provider0)
    await expect(lab().kernel.establish({ ...spec, ...asked })).rejects.toMatchObject({ failure: { code: 'CONFIG_INVALID', where } })
    expect(await lab().inspect(provider0)).toEqual(before)
  })

  test('that took the place of ours: it is not read as ours', async () => {
    await lab().kernel.establish(spec)
    await lab().deleteDevice(provider0)
    await lab().plant(provider0, { kind: 'bridge' })
    await expect(lab().kernel.read(spec)).rejects.toMatchObject({ failure: { code: 'KERNEL_UNREADABLE' } })
  })
}

function writing(lab: () => Lab, { spec, to, refusal, many }: Dialect): void {
  const add = (underlay: IpAddress): Operation => ({ kind: 'add', entry: to(underlay) })
  const drop = (underlay: IpAddress): Operation => ({ kind: 'remove', entry: to(underlay) })
  beforeEach(async () => {
    await lab().kernel.establish(spec)
  })

  test('adds and removes in one attempt', async () => {
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), add(HOST_01)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [add(HOST_02), drop(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([HOST_01, HOST_02])
  })

  test('and nothing, when there is nothing to write', async () => {
    expect(await lab().kernel.attempt(provider0, [])).toEqual([])
  })

  test('the same one twice without a complaint or a duplicate', async () => {
    expect(await lab().kernel.attempt(provider0, [add(HOST_00)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), add(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([HOST_00])
  })

  test('without complaining that one to remove is gone, others left or not', async () => {
    await lab().kernel.attempt(provider0, [add(HOST_00)])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_01)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_00)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([])
  })

  test('all but the one that the kernel refuses, and says which and why', async () => {
    const refused = add(UNDERLAY_6)
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), refused, add(HOST_01)])).toEqual([{ operation: refused, ...refusal }])
    expect(await destinations(lab(), spec)).toEqual([HOST_00, HOST_01])
  })

  test('many at once, all but those that the kernel refuses', async () => {
    const refused = [ip('fd00:226::5'), ip('fd00:226::6')].map(add)
    const taken = Array.from({ length: many }, (_, index) => add(ip(`10.9.${String(index >> 8)}.${String(index & 255)}`)))
    const rejected = await lab().kernel.attempt(provider0, [
      ...taken.slice(0, many / 2),
      refused[0]!,
      ...taken.slice(many / 2),
      refused[1]!,
    ])
    expect(rejected.map(({ operation }) => operation)).toEqual(refused)
    expect(await destinations(lab(), spec)).toHaveLength(many)
  })

  test('what it refuses again and again, and what it takes meanwhile', async () => {
    for (const one of [HOST_00, HOST_01, HOST_02]) {
      expect(await lab().kernel.attempt(provider0, [add(UNDERLAY_6), add(one)])).toHaveLength(1)
    }
    expect(await destinations(lab(), spec)).toEqual([HOST_00, HOST_01, HOST_02])
  })

  test('none to a device that is gone, and says so for each addition', async () => {
    await lab().deleteDevice(provider0)
    const reason = 'Cannot find device "provider0"'
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), drop(HOST_01)])).toMatchObject([{ operation: add(HOST_00), reason }])
  })
}

function ports(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test('IPv6 destinations on a device that sends from IPv6', async () => {
    await lab().kernel.establish({ ...SPEC, device: provider1, local: UNDERLAY_6, addresses: [] })
    const there = ip('fd00:226::5')
    expect(await lab().kernel.attempt(provider1, [...adds(to(there))])).toEqual([])
    expect(await destinations(lab(), { ...SPEC, device: provider1 })).toEqual([there])
    expect(await lab().kernel.attempt(provider1, [...drops(to(there))])).toEqual([])
    expect(await destinations(lab(), { ...SPEC, device: provider1 })).toEqual([])
  })

  test('with another port, beside one without and one with yet another, and each is removed by itself', async () => {
    const [one, other] = [toPort(HOST_00, 8472), toPort(HOST_00, 9000)]
    expect(
      await lab().kernel.attempt(
        provider0,
        [one, one, to(HOST_00), other].map((entry) => ({ kind: 'add', entry })),
      ),
    ).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5', 'flood 192.168.226.5 port 8472', 'flood 192.168.226.5 port 9000'])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: one }])).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5', 'flood 192.168.226.5 port 9000'])
    expect(
      await lab().kernel.attempt(
        provider0,
        [one, to(HOST_00)].map((entry) => ({ kind: 'remove', entry })),
      ),
    ).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5 port 9000'])
  })

  test('for one device, moved by writing it again: the removal of the old one then takes nothing away', async () => {
    const [before, after] = [forOne(HOST_00, 8472), forOne(HOST_01, 9000)]
    const both: readonly Operation[] = [
      { kind: 'add', entry: after },
      { kind: 'remove', entry: before },
    ]
    expect(await lab().kernel.attempt(provider0, [{ kind: 'add', entry: before }])).toEqual([])
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.5 port 8472'])
    expect(await lab().kernel.attempt(provider0, both)).toEqual([])
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.6 port 9000'])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: after }])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: after }])).toEqual([])
    expect(await slots(lab())).toEqual([])
  })
}

function neighbours(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test('of both families, and knows them for ours', async () => {
    expect(await lab().kernel.attempt(provider0, adds(THERE, THERE_6))).toEqual([])
    expect(await slots(lab())).toEqual([
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
      'neighbour fd00:234::2 lladdr 02:00:00:00:00:05',
    ])
    expect(await marks(lab())).toEqual(['neighbour 192.168.234.2', 'neighbour fd00:234::2'])
    expect(await lab().kernel.attempt(provider0, drops(THERE, THERE_6))).toEqual([])
    expect([await slots(lab()), await marks(lab())]).toEqual([[], []])
  })

  test('beside entries of all other kinds, in one attempt', async () => {
    expect(await lab().kernel.attempt(provider0, adds(to(HOST_00), fdb(HOST_00), THERE))).toEqual([])
    expect(await slots(lab())).toEqual([
      'fdb 02:00:00:00:00:05 dst 192.168.226.5',
      'flood 192.168.226.5',
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
    ])
    const next = neighbour('192.168.234.3', 6)
    expect(await lab().kernel.attempt(provider0, [...adds(to(HOST_01), next), ...drops(THERE, fdb(HOST_00), to(HOST_00))])).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.6', 'neighbour 192.168.234.3 lladdr 02:00:00:00:00:06'])
  })

  test('in the place of what is there, its own or not: it is ours then', async () => {
    await lab().write(provider0, THERE)
    expect([await slots(lab()), await marks(lab())]).toEqual([['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'], []])
    const moved = neighbour('192.168.234.2', 6)
    expect(await lab().kernel.attempt(provider0, [{ kind: 'replace', entry: moved, was: THERE }])).toEqual([])
    expect([await slots(lab()), await marks(lab())]).toEqual([
      ['neighbour 192.168.234.2 lladdr 02:00:00:00:00:06'],
      ['neighbour 192.168.234.2'],
    ])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'replace', entry: THERE, was: moved }])).toEqual([])
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'])
  })

  test('all of them, though some to remove are gone', async () => {
    const gone = ['192.168.234.7', 'fd00:234::7', '192.168.234.8'].map((address) => neighbour(address, 7))
    const operations = [drops(gone[0]!), adds(THERE), drops(gone[1]!), adds(THERE_6), drops(gone[2]!), adds(fdb(HOST_00))].flat()
    expect(await lab().kernel.attempt(provider0, operations)).toEqual([])
    expect(await slots(lab())).toEqual([
      'fdb 02:00:00:00:00:05 dst 192.168.226.5',
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
      'neighbour fd00:234::2 lladdr 02:00:00:00:00:05',
    ])
  })

  test('to a device that is down, which has them when it comes up', async () => {
    await lab().takeDown(provider0)
    expect(await lab().kernel.attempt(provider0, adds(THERE))).toEqual([])
    await lab().kernel.establish(SPEC)
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'])
  })

  test('none to a device that is gone, and says so', async () => {
    await lab().deleteDevice(provider0)
    const command = 'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent protocol 118'
    expect(await lab().kernel.attempt(provider0, [...adds(THERE), ...drops(THERE_6)])).toEqual([
      { operation: { kind: 'add', entry: THERE }, command, reason: 'Cannot find device "provider0"' },
    ])
  })
}

function neighbourTraps(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish({ ...SPEC, addresses: [OVERLAY, OVERLAY_6] })
    await lab().kernel.attempt(provider0, adds(to(HOST_00), fdb(HOST_00), THERE, THERE_6))
  })
  const lasting = ['fdb 02:00:00:00:00:05 dst 192.168.226.5', 'flood 192.168.226.5']

  test('a device that goes down keeps all entries but its neighbours', async () => {
    await lab().takeDown(provider0)
    expect([await slots(lab()), await marks(lab())]).toEqual([lasting, []])
  })

  test('a device that gets another MAC address keeps all entries but its neighbours', async () => {
    await lab().readdress(provider0, sure(parseMac('02:00:00:00:00:77')))
    expect((await lab().kernel.read(SPEC))?.device.mac).toBe('02:00:00:00:00:77')
    expect([await slots(lab()), await marks(lab())]).toEqual([lasting, []])
  })

  test('the neighbours of IPv4 go with its last address, those of IPv6 stay', async () => {
    await lab().kernel.establish({ ...SPEC, addresses: [], formerAddresses: [OVERLAY, OVERLAY_6] })
    expect(await slots(lab())).toEqual([...lasting, 'neighbour fd00:234::2 lladdr 02:00:00:00:00:05'])
  })

  test('neighbours outlive an address that is not the last', async () => {
    const other = sure(parseInterfaceAddress('10.1.1.1/24'))
    await lab().kernel.establish({ ...SPEC, addresses: [other] })
    await lab().kernel.establish({ ...SPEC, addresses: [other], formerAddresses: [OVERLAY] })
    expect(await slots(lab())).toHaveLength(4)
  })

  test('a neighbour goes by its address, whatever MAC address was meant', async () => {
    await lab().write(provider0, neighbour('192.168.234.2', 9))
    expect(await lab().kernel.attempt(provider0, drops(THERE))).toEqual([])
    expect(await slots(lab())).toEqual([...lasting, 'neighbour fd00:234::2 lladdr 02:00:00:00:00:05'])
  })

  test('a neighbour of ours that somebody replaces keeps our mark', async () => {
    await lab().write(provider0, neighbour('192.168.234.2', 9))
    expect(await slots(lab())).toContain('neighbour 192.168.234.2 lladdr 02:00:00:00:00:09')
    expect(await marks(lab())).toEqual(['neighbour 192.168.234.2', 'neighbour fd00:234::2'])
  })

  test.each<[string, string]>([
    ['our own address', '192.168.234.1'],
    ['the unspecified address', '0.0.0.0'],
    ['multicast', '224.0.0.1'],
    ['the broadcast address of our network', '192.168.235.255'],
    ['loopback', '127.0.0.1'],
    ['an address outside of every network of ours', '198.51.100.1'],
  ])('%s is accepted as a neighbour, so somebody else must refuse it', async (_name, address) => {
    expect(await lab().kernel.attempt(provider0, adds(neighbour(address, 5)))).toEqual([])
    expect(await slots(lab())).toContain(`neighbour ${address} lladdr 02:00:00:00:00:05`)
  })
}

function traps(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test.each<[string, IpAddress]>([
    ['our own address', UNDERLAY],
    ['the unspecified address', ip('0.0.0.0')],
    ['multicast', ip('239.1.1.1')],
    ['broadcast', ip('255.255.255.255')],
    ['loopback', ip('127.0.0.1')],
  ])('%s is accepted as a destination, so somebody else must refuse it', async (_name, destination) => {
    expect(await lab().kernel.attempt(provider0, adds(to(destination)))).toEqual([])
    expect(await destinations(lab(), SPEC)).toEqual([destination])
  })

  test('a delete without a destination wipes them all', async () => {
    await lab().kernel.attempt(provider0, adds(to(HOST_00), to(HOST_01)))
    await lab().wipe(provider0)
    expect(await destinations(lab(), SPEC)).toEqual([])
  })

  test("an entry with the device's own port is one without", async () => {
    await lab().write(provider0, toPort(HOST_00, 4789))
    await lab().write(provider0, to(HOST_00))
    expect(await slots(lab())).toEqual(['flood 192.168.226.5'])
    expect(await lab().kernel.attempt(provider0, drops(to(HOST_00)))).toEqual([])
    expect(await slots(lab())).toEqual([])
  })

  test("a delete without a port takes the one with the device's own, and no other", async () => {
    await lab().write(provider0, toPort(HOST_00, 8472))
    await lab().erase(provider0, to(HOST_00))
    expect(await slots(lab())).toEqual(['flood 192.168.226.5 port 8472'])
  })

  test('a delete without a destination wipes those with other ports too, and leaves those for one device', async () => {
    await lab().write(provider0, toPort(HOST_00, 8472))
    await lab().write(provider0, fdb(HOST_00))
    await lab().wipe(provider0)
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.5'])
  })
}

function watching(lab: () => Lab, { spec, to }: Dialect): void {
  test('wakes at a foreign entry, and no more once closed', async () => {
    await lab().kernel.establish(spec)
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    // A monitor says nothing of when it began to listen, so the change is made until it is heard.
    await expect
      .poll(
        async () => {
          await lab().write(provider0, to(HOST_00))
          await lab().erase(provider0, to(HOST_00))
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
    const heard = wakes
    await lab().write(provider0, to(HOST_01))
    expect(wakes).toBe(heard)
  })

  test('wakes when the device comes and goes, though it has no entries', async () => {
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    await expect
      .poll(
        async () => {
          await lab().kernel.establish(spec)
          await lab().deleteDevice(provider0)
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
  })
}

function watchingBridges(lab: () => Lab): void {
  test('wakes at a foreign neighbour', async () => {
    await lab().kernel.establish(SPEC)
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    let number = 0
    await expect
      .poll(
        async () => {
          await lab().write(provider0, neighbour('192.168.234.2', ++number % 10))
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
  })

  test('sees that the device became a port of a bridge, and that it is none any more', async () => {
    await lab().kernel.establish(SPEC)
    const seen = async () => (await lab().kernel.read(SPEC))?.device.master
    await lab().bridge(br0, true)
    await lab().enslave(provider0, br0)
    expect(await seen()).toBe('br0')
    await lab().bridge(br0, false)
    expect(await seen()).toBeUndefined()
  })

  test.each(['made', 'adopted'] as const)('puts a device that is %s into its bridge, whatever bridge it was in', async (origin) => {
    const asked = { ...SPEC, master: br0 }
    const planted = origin === 'made' ? [] : [{ kind: 'vxlan', id: vni(16), local: UNDERLAY } as const]
    for (const link of planted) await lab().plant(provider0, link)
    await expect(lab().kernel.establish(asked)).rejects.toThrow('there is no bridge br0; make it first (ip link add name br0 type bridge)')
    expect([await lab().kernel.hasBridge(br0), (await lab().kernel.read(SPEC)) === undefined]).toEqual([false, origin === 'made'])
    await lab().bridge(br0, true)
    expect(await lab().kernel.hasBridge(br0)).toBe(true)
    expect(await lab().kernel.establish(asked)).toMatchObject({ master: 'br0', origin })
    expect(await lab().kernel.steps(asked)).toEqual([])
    await lab().bridge(br1, true)
    await lab().enslave(provider0, br1)
    expect(await lab().kernel.steps(asked)).toEqual(['ip link set dev provider0 master br0'])
    expect(await lab().kernel.establish(asked)).toMatchObject({ master: 'br0' })
    expect(await lab().kernel.establish(SPEC)).toMatchObject({ master: 'br0' })
  })
}

/** What the device has, each entry as its place and, where that does not say it, where it leads. */
async function slots(lab: Lab, spec = SPEC): Promise<readonly string[]> {
  return [...((await lab.kernel.read(spec))?.entries ?? [])]
    .map(([place, entry]) => (entry.kind === 'flood' ? place : `${place} ${describeTarget(entry)}`.trim()))
    .toSorted()
}

async function marks(lab: Lab, spec = SPEC): Promise<readonly string[]> {
  return [...((await lab.kernel.read(spec))?.marked ?? [])].toSorted()
}

async function destinations(lab: Lab, spec: TunnelSpec): Promise<readonly IpAddress[]> {
  const reading = await lab.kernel.read(spec)
  return [...(reading?.entries.values() ?? [])].flatMap((entry) => ('underlay' in entry ? [entry.underlay] : [])).sort()
}
