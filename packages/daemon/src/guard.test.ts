/** The guard of a tunnel on a kernel in memory: who is admitted, when, and what becomes of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GUARD, milliseconds } from '@vxmesh/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { guardRow, guardTrouble } from './guard.ts'
import { DEVICE, ip, Workbench } from './workbench.ts'

let directory: string
let bench: Workbench

beforeEach(() => {
  vi.useFakeTimers()
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-guard-'))
  bench = new Workbench(directory)
  bench.guard = true
})

afterEach(async () => {
  await bench.reconciler.stop()
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

const rules = (): readonly string[] => {
  const guard = bench.host.guards.of(DEVICE).entries.get(GUARD)
  return guard?.kind === 'guard' ? guard.rules : []
}

const row = async () => {
  const { decision, reading } = await bench.reconciler.look()
  return guardRow(decision.desired.table, reading)
}

const trouble = async () => {
  const { reading, rejections } = await bench.reconciler.look()
  return guardTrouble({ device: DEVICE, guard: true }, reading, rejections)
}

test('members are admitted as they come and go, and nobody where there is none', async () => {
  await bench.start()
  expect(bench.admitted()).toEqual([])
  expect(rules()).toContain('udp dport 4789 ip saddr @members accept')
  bench.want('10.0.0.2', '10.0.0.3')
  await bench.wait(100)
  expect(bench.admitted()).toEqual(['10.0.0.2', '10.0.0.3'])
  bench.want('10.0.0.3')
  await bench.wait(100)
  expect([bench.admitted(), bench.entries()]).toEqual([['10.0.0.3'], ['10.0.0.3']])
  expect(await row()).toEqual({ standing: true, wanted: 1, admitted: 1 })
  expect(await trouble()).toEqual([])
})

test('what is flushed, opened or let in by somebody is put right', async () => {
  await bench.start('10.0.0.2')
  bench.host.guards.flush()
  await bench.wait(100)
  expect(bench.admitted()).toEqual(['10.0.0.2'])
  const whole = rules()
  bench.host.guards.change(DEVICE, 'add', { kind: 'admitted', underlay: ip('10.0.0.66') })
  await bench.wait(100)
  expect(bench.admitted()).toEqual(['10.0.0.2'])
  bench.host.guards.change(DEVICE, 'add', { kind: 'guard', family: 'ipv4', rules: [] })
  await bench.wait(1000)
  expect([rules(), bench.admitted()]).toEqual([whole, ['10.0.0.2']])
  expect(bench.said.some((line) => line.startsWith('warn: nft ') && line.endsWith('(repair: somebody had deleted it)'))).toBe(true)
})

test('it stays when the daemon stops, goes when it leaves, and when it starts without, though nobody is heard', async () => {
  await bench.start('10.0.0.2')
  await bench.reconciler.stop()
  expect(bench.admitted()).toEqual(['10.0.0.2'])
  bench.guard = false
  bench.hold = { reason: 'isolated: no other member is heard', brief: false, replacements: true }
  await bench.start()
  expect([bench.admitted(), bench.entries()]).toEqual([undefined, ['10.0.0.2']])
  expect(await row()).toBeNull()
  await bench.reconciler.stop()
  bench.guard = true
  bench.hold = undefined
  await bench.start('10.0.0.2')
  expect(bench.admitted()).toEqual(['10.0.0.2'])
  expect(await bench.reconciler.withdraw()).toBe(1)
  expect([bench.admitted(), bench.entries()]).toEqual([undefined, []])
})

test('what is refused is one line of status, tried again, and keeps no entry from its place', async () => {
  bench.onWrite = () => bench.host.refuseWrites(2)
  await bench.start('10.0.0.2')
  expect([bench.admitted(), bench.entries()]).toEqual([undefined, ['10.0.0.2']])
  expect(await row()).toEqual({ standing: false, wanted: 1, admitted: 0 })
  expect(await trouble()).toEqual(['the guard of provider0 is not as it should be: RTNETLINK answers: Cannot allocate memory'])
  bench.onWrite = () => undefined
  await bench.wait(milliseconds(5000))
  expect(await row()).toEqual({ standing: true, wanted: 1, admitted: 1 })
})

test('a device that somebody else made is guarded as it is, and status says what its users can forge', async () => {
  bench.plant('10.0.0.2')
  await bench.start('10.0.0.2', '10.0.0.3')
  expect(bench.admitted()).toEqual(['10.0.0.2', '10.0.0.3'])
  expect(rules().join()).toContain('udp dport 8472')
  expect(rules().join()).not.toContain('udp sport')
  expect((await trouble()).join()).toContain('any user of this host')
})

test('who leaves takes it away though somebody has deleted the device', async () => {
  bench.plant()
  await bench.start('10.0.0.2')
  bench.host.deleteDevice(DEVICE)
  await bench.wait(100)
  expect(bench.admitted()).toEqual(['10.0.0.2'])
  await bench.reconciler.withdraw()
  expect(bench.admitted()).toBeUndefined()
})
