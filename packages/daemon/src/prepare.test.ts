import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDeviceName, parseIp, parsePort, parseVni, sure } from '@vxmesh/core'
import { MemoryHost, memoryKernel } from '@vxmesh/kernel-adapter'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadIdentity, readInvite } from './identity.ts'
import { makeLog } from './log.ts'
import { initMesh } from './meshkey.ts'
import { parseUpOptions } from './options.ts'
import { prepare } from './prepare.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-prepare-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

const local = sure(parseIp('127.0.0.1'))
const state = (): string => join(directory, 'state')

/** Starts where somebody has a device of the same name with another id, as long as it is `there`. */
async function start(there: 'there' | 'gone') {
  const host = new MemoryHost({ addresses: [{ address: local, interface: 'memory0', mtu: 1500 }] })
  if (there === 'there')
    host.plant(sure(parseDeviceName('provider0')), { kind: 'vxlan', id: sure(parseVni(99)), local, port: sure(parsePort(4789)) })
  const kernel = memoryKernel(host)
  const options = parseUpOptions({
    ...{ device: 'provider0', mode: 'vxlan', id: '16', local, address: ['192.168.234.1/23'], seed: [], discover: [], underlay: [] },
    ...{ stateDir: state(), control: 'none', port: '4788', logLevel: 'error', guard: 'off', kernel: 'memory' },
  })
  const log = makeLog('error', false, { write: () => {} })
  return prepare(options, log, () => kernel, readInvite(join(directory, 'mesh', 'mesh.invite')))
}

test('a first start that cannot have its device leaves nothing of who this host would have been', async () => {
  await initMesh(join(directory, 'mesh'))
  await expect(start('there')).rejects.toThrow(/provider0/)
  expect(readdirSync(state())).toEqual([])
  const { membership } = await start('gone')
  expect(readdirSync(state())).toEqual(expect.arrayContaining(['identity.key', 'member.json']))
  await expect(start('there')).rejects.toThrow(/provider0/)
  expect((await start('gone')).membership.identity.peer).toBe(membership.identity.peer)
})

test('a key that was there before stays', async () => {
  await initMesh(join(directory, 'mesh'))
  const { peer } = await loadIdentity(state())
  await expect(start('there')).rejects.toThrow(/provider0/)
  expect(readdirSync(state())).toEqual(['identity.key'])
  expect((await start('gone')).membership.identity.peer).toBe(peer)
})
