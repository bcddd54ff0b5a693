import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeviceName, InterfaceAddress, IpAddress, Port, TunnelSpec, Vni } from '@vxmesh/core'
import { MemoryHost, memoryKernel } from '@vxmesh/kernel-adapter'
import { establish } from './establish.ts'
import { openStore } from './store.ts'

const DEVICE = 'provider0' as DeviceName
const HERE = '10.0.0.1' as IpAddress
const [A, B, FOREIGN] = ['192.168.234.1/23', '192.168.234.2/23', '192.168.234.9/23']
const SPEC = { device: DEVICE, mode: 'vxlan', id: 16 as Vni, local: HERE, port: undefined, alias: 'vxmesh:M:16' } as const

let directory = ''
let host = makeHost()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-establish-'))
  host = makeHost()
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function makeHost(): MemoryHost {
  return new MemoryHost({ addresses: [{ address: HERE, interface: 'eth0', mtu: 1500 }] })
}

/** One start of a daemon, with what is on the disk, asking for these addresses. Returns those of the device. */
async function start(...asked: readonly string[]): Promise<readonly string[]> {
  const spec: TunnelSpec = { ...SPEC, addresses: asked.map((address) => address as InterfaceAddress) }
  const store = openStore(directory, (what) => {
    throw new Error(what)
  })
  const { addresses } = await establish(memoryKernel(host), spec, store)
  return addresses.toSorted()
}

function adopt(...addresses: readonly string[]): void {
  host.plant(DEVICE, { kind: 'vxlan', id: SPEC.id, local: HERE, port: 8472 as Port })
  for (const address of addresses) host.give(DEVICE, address as InterfaceAddress)
}

test.each([
  ['that we made', () => {}],
  ['that somebody else made', adopt],
])('an address that changed over a restart is the only one on a device %s', async (_name, prepare) => {
  prepare()
  expect(await start(A)).toEqual([A])
  expect(await start(A)).toEqual([A])
  expect(await start(B)).toEqual([B])
  expect(await start(A, B)).toEqual([A, B])
  expect(await start()).toEqual([])
})

test('an address that was there before it was asked for stays when it is not asked for any more', async () => {
  adopt(A, FOREIGN)
  expect(await start(A)).toEqual([A, FOREIGN])
  expect(await start(B)).toEqual([A, B, FOREIGN])
  expect(await start(A)).toEqual([A, FOREIGN])
})

test('an address that somebody else puts on a device that we made stays', async () => {
  await start(A)
  host.give(DEVICE, FOREIGN as InterfaceAddress)
  expect(await start(B)).toEqual([B, FOREIGN])
})

test('a former address that could not be taken away goes with the next start', async () => {
  await start(A, B)
  host.refuseWrites(1)
  await expect(start(B)).rejects.toThrow('ip address delete 192.168.234.1/23 dev provider0')
  expect(await start(B)).toEqual([B])
})

test('a former address is forgotten: whoever puts it there afterwards keeps it', async () => {
  await start(A)
  await start(B)
  host.give(DEVICE, A as InterfaceAddress)
  expect(await start(B)).toEqual([A, B])
})
