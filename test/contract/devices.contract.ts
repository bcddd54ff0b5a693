/** What every kernel must do with devices: a part of the contract, and told as that. */
import { MeshError, parseInterfaceAddress, slot, sure, type InterfaceAddress, type TunnelSpec } from '@vxmesh/core'
import { beforeEach, expect, test } from 'vitest'
import type { Dialect } from './dialects.ts'
import {
  adds,
  destinations,
  drops,
  FOREIGN,
  FORMER,
  HOST_00,
  HOST_01,
  HOST_02,
  OTHER,
  OVERLAY,
  OVERLAY_6,
  provider0,
  provider1,
  UNDERLAY,
  type Lab,
} from './setting.ts'

export function making(lab: () => Lab, { spec, to, port: own, mtu, made }: Dialect): void {
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

export function adopting(lab: () => Lab, { spec, to, byHand, adopted }: Dialect): void {
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

export function readdressing(lab: () => Lab, { spec, byHand }: Dialect): void {
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

export function refusing(lab: () => Lab, { spec, refused, refusedOfOurs }: Dialect): void {
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
