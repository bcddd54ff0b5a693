import type { Device, IpAddress, TunnelSpec } from '@vxmesh/core'
import { MemoryHost, memoryKernel, type MemoryAddress } from '@vxmesh/kernel-adapter'
import { expect, test } from 'vitest'
import { homing, wordsOf } from './home.ts'

const SPEC = { device: 'provider0' } as TunnelSpec
const MADE = { local: '10.0.0.4', mtu: 1450, origin: 'made' } as Device

/** Remembers what it is told, or was told before. */
function noting(room?: number) {
  return { room: () => room, noteRoom: (_device: string, noted: number) => void (room = noted) }
}

function on(name: string, address: string, mtu = 1500): MemoryAddress {
  return { interface: name, address: address as IpAddress, mtu }
}

test.each<[string, readonly MemoryAddress[], Partial<Device>, string]>([
  ['has not changed', [on('eth0', '10.0.0.4')], {}, 'stays'],
  ['has another address', [on('eth0', '10.0.0.77')], {}, 'local 10.0.0.77'],
  ['has another MTU', [on('eth0', '10.0.0.4', 1400)], {}, 'mtu 1350'],
  ['has another address and MTU', [on('eth0', '10.0.0.77', 9000)], {}, 'local 10.0.0.77, mtu 8950'],
  ['has its address on another interface', [on('eth1', '10.0.0.4', 9000)], {}, 'mtu 8950'],
  ['has another MTU, when somebody has set that of the device,', [on('eth0', '10.0.0.4', 9000)], { mtu: 1300 }, 'stays'],
  ['has another address, when it is not ours,', [on('eth0', '10.0.0.77')], { origin: 'adopted' }, 'is lost'],
  ['has another MTU, when it is not ours,', [on('eth0', '10.0.0.4', 9000)], { origin: 'adopted' }, 'stays'],
  ['has no address', [], {}, 'is lost'],
])('a device whose underlay %s %s', async (...[, addresses, parts, outcome]) => {
  const host = new MemoryHost({ addresses: [on('eth0', '10.0.0.4')] })
  const home = homing(memoryKernel(host), noting())
  const device = { ...MADE, ...parts } as Device
  expect(await home.look(SPEC, device)).toBeUndefined()
  host.renumber(addresses)
  const change = await home.look(SPEC, device)
  expect(change === undefined ? (home.lost ? 'is lost' : 'stays') : wordsOf(change)).toBe(outcome)
})

test.each<[string, Partial<Device>, Partial<TunnelSpec>, string, number?]>([
  ['larger than its underlay has room for is not what somebody wanted', { mtu: 1460 }, {}, 'mtu 1450'],
  ['smaller may be', { mtu: 1300 }, {}, 'stays'],
  ['smaller, but what its underlay had room for when somebody looked last, grows with it', { mtu: 1350 }, {}, 'mtu 1450', 1350],
  ['smaller, and not what its underlay had room for, may be', { mtu: 1300 }, {}, 'stays', 1350],
  ['of somebody else stays, however its underlay has grown', { mtu: 1350, origin: 'adopted' }, {}, 'stays', 1350],
  ['of somebody else stays, however large', { mtu: 1460, origin: 'adopted' }, {}, 'stays'],
  ['that somebody asked for stays as well', { mtu: 1460 }, { mtu: 1460 }, 'stays'],
])('at the first look a device %s', async (_name, parts, asked, outcome, room?: number) => {
  const home = homing(memoryKernel(new MemoryHost({ addresses: [on('eth0', '10.0.0.4')] })), noting(room))
  expect(home.room).toBeUndefined()
  const change = await home.look({ ...SPEC, ...asked }, { ...MADE, ...parts })
  expect(change === undefined ? 'stays' : wordsOf(change)).toBe(outcome)
  expect(home.room).toBe(1450)
})

test.each([
  ['VXLAN over IPv4', { mode: 'vxlan', id: 16 }, '10.0.0.4', 1450, 8950],
  ['VXLAN over IPv6', { mode: 'vxlan', id: 16 }, 'fd00::4', 1430, 8930],
  ['GRE with a key', { mode: 'gre', id: 1234 }, '10.0.0.4', 1472, 8972],
  ['GRE without a key', { mode: 'gre', id: undefined }, '10.0.0.4', 1476, 8976],
])('a tunnel of %s follows its underlay', async (_name, tunnel, local, mtu, jumbo) => {
  const host = new MemoryHost({ addresses: [on('eth0', local)] })
  const home = homing(memoryKernel(host), noting())
  const [spec, device] = [{ ...SPEC, ...tunnel } as TunnelSpec, { ...MADE, local, mtu } as Device]
  expect([await home.look(spec, device), home.room]).toEqual([undefined, mtu])
  host.renumber([on('eth0', local, 9000)])
  expect([await home.look(spec, device), home.room]).toEqual([{ mtu: jumbo }, jumbo])
})

test('a device whose address is back after it was gone is at home again', async () => {
  const host = new MemoryHost({ addresses: [on('eth0', '10.0.0.4')] })
  const home = homing(memoryKernel(host), noting())
  await home.look(SPEC, MADE)
  host.renumber([])
  await home.look(SPEC, MADE)
  expect(home.lost).toBe(true)
  host.renumber([on('eth0', '10.0.0.4')])
  expect([await home.look(SPEC, MADE), home.lost]).toEqual([undefined, false])
})

test('a device that somebody gave another address of the host is at home there', async () => {
  const home = homing(memoryKernel(new MemoryHost({ addresses: [on('eth0', '10.0.0.4'), on('eth1', '10.1.0.4')] })), noting())
  await home.look(SPEC, MADE)
  expect(await home.look(SPEC, { ...MADE, local: '10.1.0.4' as IpAddress })).toBeUndefined()
})
