import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeviceName, MemberMtu } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE, HERE, Workbench } from './workbench.ts'

const B = '10.0.0.2'
const BRIDGE = 'br-ex' as DeviceName

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-fitting-'))
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

describe('the MTU', () => {
  const others = (limit: number) => [{ name: 'host-01', limit, mtu: limit } as MemberMtu]
  const mtuOf = (bench: Workbench) => bench.host.inspect(DEVICE)?.link

  test.each([
    ['made', false],
    ['adopted', true],
  ] as const)(
    'of a device that was %s follows the smallest of the mesh where that was asked for, and grows with it',
    async (_name, adopted) => {
      const bench = new Workbench(directory)
      bench.mtu = 'mesh'
      if (adopted) bench.plant()
      bench.mtus = others(1380)
      await bench.start(B)
      await bench.wait(10)
      expect(mtuOf(bench)).toMatchObject({ mtu: 1380 })
      bench.mtus = others(1400)
      bench.want(B)
      await bench.wait(10)
      expect(mtuOf(bench)).toMatchObject({ mtu: 1400 })
      bench.mtus = []
      bench.hold = { reason: 'isolated', replacements: true, brief: false }
      bench.want(B)
      await bench.wait(2000)
      expect(mtuOf(bench)).toMatchObject({ mtu: 1400 })
      bench.hold = undefined
      await bench.wait(1000)
      expect(mtuOf(bench)).toMatchObject({ mtu: 1450 })
      expect(bench.rooms.at(-1)).toBe(1450)
      bench.host.renumber([{ address: HERE, interface: 'eth0', mtu: 1400 }])
      await bench.wait(10)
      expect(mtuOf(bench)).toMatchObject({ mtu: 1350 })
      expect(bench.rooms.at(-1)).toBe(1350)
      expect(bench.entries()).toEqual([B])
    },
  )

  test('of as many bytes as were asked for is put back when somebody changes it, and nothing else is', async () => {
    const bench = new Workbench(directory)
    bench.mtu = 1300
    bench.mtus = others(1280)
    await bench.start(B)
    expect(mtuOf(bench)).toMatchObject({ mtu: 1300 })
    bench.host.alter(DEVICE, { mtu: 1200 })
    await bench.wait(20)
    expect(mtuOf(bench)).toMatchObject({ mtu: 1300 })
    bench.host.deleteDevice(DEVICE)
    await bench.wait(20)
    expect(mtuOf(bench)).toMatchObject({ mtu: 1300 })
  })
})

test.each([
  ['grows with its underlay where it was what that had room for', 1450, 8950],
  ['stays where somebody has set it by hand', 1300, 1300],
])('the MTU %s, also while no daemon ran', async (_name, before, after) => {
  const bench = new Workbench(directory)
  await bench.start(B)
  bench.host.alter(DEVICE, { mtu: before })
  await bench.wait(20)
  await bench.reconciler.stop()
  bench.host.renumber([{ address: HERE, interface: 'eth0', mtu: 9000 }])
  await bench.start(B)
  await bench.wait(20)
  expect(bench.host.inspect(DEVICE)?.link).toMatchObject({ mtu: after })
})

test('an address that a device lost with its link, or that somebody deleted, is given again as soon as it is up: a repair', async () => {
  const bench = new Workbench(directory)
  bench.addresses = ['192.168.234.1/23', 'fd00:234::1/64']
  await bench.start(B)
  const addresses = () => bench.host.inspect(DEVICE)?.addresses
  bench.host.takeDown(DEVICE)
  await bench.wait(1000)
  expect([addresses(), await bench.repairs()]).toEqual([['192.168.234.1/23'], 0])
  bench.host.alter(DEVICE, { up: true })
  await bench.wait(20)
  expect([addresses(), await bench.repairs()]).toEqual([bench.addresses, 1])
  expect(bench.said).toContain('warn: provider0: given fd00:234::1/64 again')
  bench.take('192.168.234.1/23')
  await bench.wait(20)
  expect([addresses()?.toSorted(), await bench.repairs()]).toEqual([bench.addresses, 2])
  expect(bench.said).toContain('warn: provider0: given 192.168.234.1/23 again')
})

test('an address that was asked for is given again where it is gone and the device is up, to one that its maker made anew as well', async () => {
  const bench = new Workbench(directory)
  bench.plant()
  await bench.start(B)
  const addresses = () => bench.host.inspect(DEVICE)?.addresses
  expect(addresses()).toEqual(['192.168.234.1/23'])
  bench.host.deleteDevice(DEVICE)
  await bench.wait(100)
  bench.plant()
  await bench.wait(1000)
  expect(addresses()).toEqual([])
  bench.host.alter(DEVICE, { up: true })
  await bench.wait(100)
  expect([addresses(), bench.entries()]).toEqual([['192.168.234.1/23'], [B]])
  expect(bench.said).toContain('warn: provider0: given 192.168.234.1/23 again')
})

describe('the bridge', () => {
  const masterOf = (bench: Workbench) => bench.host.inspect(DEVICE)?.link

  test.each([
    ['made', false],
    ['adopted', true],
  ] as const)('of a device that was %s has it again when somebody takes it out', async (_name, adopted) => {
    const bench = new Workbench(directory)
    bench.master = BRIDGE
    if (adopted) bench.plant()
    await expect(bench.start(B)).rejects.toThrow('--master: there is no bridge br-ex; make it first (ip link add name br-ex type bridge)')
    bench.host.bridge(BRIDGE, true)
    await bench.start(B)
    expect(masterOf(bench)).toMatchObject({ master: BRIDGE })
    for (const master of [undefined, 'br0']) {
      bench.host.alter(DEVICE, { master })
      await bench.wait(20)
      expect(masterOf(bench)).toMatchObject({ master: BRIDGE })
    }
    expect(bench.said.at(-1)).toBe('warn: provider0: put back into br-ex from br0')
    expect([bench.entries(), await bench.repairs()]).toEqual([[B], 2])
  })

  test('that is deleted is waited for, with the entries kept right meanwhile, and joined when it is made again', async () => {
    const bench = new Workbench(directory)
    bench.master = BRIDGE
    bench.host.bridge(BRIDGE, true)
    await bench.start(B)
    bench.host.bridge(BRIDGE, false)
    bench.erase(B)
    await bench.wait(60_000)
    expect([bench.entries(), masterOf(bench)]).toMatchObject([[B], { master: undefined }])
    bench.host.bridge(BRIDGE, true)
    await bench.wait(20)
    expect(masterOf(bench)).toMatchObject({ master: BRIDGE })
    expect(await bench.repairs()).toBe(1)
  })

  test('has a device that was deleted again, with its MTU, MAC address and entries', async () => {
    const bench = new Workbench(directory)
    bench.master = BRIDGE
    bench.host.bridge(BRIDGE, true)
    await bench.start(B)
    bench.host.alter(DEVICE, { mtu: 1300 })
    await bench.wait(20)
    const before = bench.host.inspect(DEVICE)
    bench.host.deleteDevice(DEVICE)
    await bench.wait(50)
    expect(bench.host.inspect(DEVICE)).toEqual(before)
  })
})
