import {
  plan,
  table,
  type DeviceName,
  type InterfaceAddress,
  type IpAddress,
  type Operation,
  type TunnelSpec,
  type Vni,
} from '@vxmesh/core'
import { expect, test } from 'vitest'
import { memoryKernel } from './memory-kernel.ts'
import { MemoryHost } from './memory.ts'

const device = 'provider0' as DeviceName
const HERE = '127.0.0.1' as IpAddress
const THERE = '127.0.0.2' as IpAddress
const SPEC: TunnelSpec = {
  device,
  mode: 'vxlan',
  id: 16 as Vni,
  local: HERE,
  port: undefined,
  addresses: ['192.168.234.1/23' as InterfaceAddress],
  alias: 'vxmesh:M:16',
}
const add = (underlay: IpAddress): Operation => ({ kind: 'add', entry: { kind: 'flood', underlay } })

function makeHost(address = HERE): MemoryHost {
  return new MemoryHost({ addresses: [{ address, interface: 'lo', mtu: 65536 }] })
}

test('a write that is refused leaves the table as it was and is reported', () => {
  const host = makeHost()
  host.establishNow(SPEC)
  host.refuseWrites(1)
  const [rejected, ...others] = host.attemptNow(device, [add(THERE), add('127.0.0.3' as IpAddress)])
  expect(rejected).toMatchObject({ operation: add(THERE), reason: 'RTNETLINK answers: Cannot allocate memory' })
  expect(others).toEqual([])
  expect(host.inspect(device)?.flood).toEqual(['127.0.0.3'])
  expect(host.attemptNow(device, [add(THERE)])).toEqual([])
})

test('a refused write to a new device leaves no device, whichever write it is', () => {
  const host = makeHost()
  host.refuseWrites(1)
  expect(() => host.establishNow(SPEC)).toThrow('the kernel refused "ip link add name provider0 mtu')
  expect(host.readNow(SPEC)).toBeUndefined()
  expect(host.establishNow(SPEC)).toMatchObject({ mtu: 65486 })
})

test('a refused write to a device that was there leaves the device', () => {
  const host = makeHost()
  host.establishNow(SPEC)
  host.takeDown(device)
  host.refuseWrites(1)
  expect(() => host.establishNow(SPEC)).toThrow('the kernel refused "ip link set dev provider0 up"')
  expect(host.readNow(SPEC)).toBeDefined()
})

test('who establishes hears of each address that was given, and of none that was there or that the kernel refused', () => {
  const [first, second, third] = ['192.168.234.1/23', '192.168.234.2/23', 'fd00::3/64'].map((text) => text as InterfaceAddress)
  const given: InterfaceAddress[] = []
  const host = makeHost()
  host.establishNow({ ...SPEC, addresses: [first!] }, (address) => given.push(address))
  expect(given).toEqual([first])
  expect(host.give(device, 'fd00::3/48' as InterfaceAddress)).toBeUndefined()
  expect(() => host.establishNow({ ...SPEC, addresses: [first!, second!, third!] }, (address) => given.push(address))).toThrow('fd00::3/64')
  expect(given).toEqual([first, second])
})

test('what went along with a former address and is refused when it is brought back is reported', () => {
  const former = '192.168.234.9/23' as InterfaceAddress
  const host = makeHost()
  host.establishNow({ ...SPEC, addresses: [former, ...SPEC.addresses] })
  host.onChange(() => host.refuseWrites(1))
  expect(() => host.establishNow({ ...SPEC, formerAddresses: [former] })).toThrow('"ip address add 192.168.234.1/23 dev provider0"')
})

test('listeners hear of changes, of nothing else, and not of any once they stopped', () => {
  const host = makeHost()
  host.establishNow(SPEC)
  let heard = 0
  const stop = host.onChange(() => void heard++)
  host.establishNow(SPEC)
  expect(heard).toBe(0)
  host.append(device, THERE)
  expect(heard).toBe(1)
  host.append(device, THERE)
  host.remove(device, '127.0.0.9' as IpAddress)
  expect(heard).toBe(1)
  host.remove(device)
  host.renumber([{ address: THERE, interface: 'lo', mtu: 65536 }])
  expect(heard).toBe(3)
  stop()
  host.deleteDevice(device)
  expect(heard).toBe(3)
})

test('one listener registered twice is heard twice and stopped once', () => {
  const host = makeHost()
  let heard = 0
  const listener = () => void heard++
  const stop = host.onChange(listener)
  host.onChange(listener)
  stop()
  host.establishNow(SPEC)
  expect(heard).toBeGreaterThan(0)
})

test('a host that was renumbered is followed', () => {
  const host = makeHost()
  host.establishNow(SPEC)
  host.renumber([{ address: THERE, interface: 'lo', mtu: 65536 }])
  expect(host.readNow(SPEC)?.device.local).toBe(HERE)
  expect(host.establishNow({ ...SPEC, local: THERE }).local).toBe(THERE)
})

test('MAC addresses differ between hosts and between makings, and not between runs', () => {
  const [a, again, b] = [makeHost(), makeHost(), makeHost(THERE)]
  const first = a.establishNow(SPEC).mac
  expect(again.establishNow(SPEC).mac).toBe(first)
  expect(b.establishNow({ ...SPEC, local: THERE }).mac).not.toBe(first)
  a.deleteDevice(device)
  expect(a.establishNow(SPEC).mac).not.toBe(first)
  expect(first).toMatch(/^02:/)
})

test('a plan applied to the table it was made for leaves nothing to plan', async () => {
  const kernel = memoryKernel(makeHost())
  await kernel.establish(SPEC)
  const wanted = table([{ kind: 'flood', underlay: THERE }])
  const before = await kernel.read(SPEC)
  await kernel.attempt(device, plan(wanted, { entries: before?.entries ?? new Map(), ours: new Set() }))
  const after = await kernel.read(SPEC)
  expect(plan(wanted, { entries: after?.entries ?? new Map(), ours: new Set() })).toEqual([])
})

test('refusals of the port arrive as rejected promises', async () => {
  await expect(memoryKernel(makeHost()).establish({ ...SPEC, local: THERE })).rejects.toMatchObject({
    failure: { code: 'CONFIG_INVALID', where: '--local', reason: '127.0.0.2 is not an address of this host' },
  })
})
