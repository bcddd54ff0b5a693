import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DEVICE, ip, Workbench } from './workbench.ts'

const B = '10.0.0.2'
const C = '10.0.0.3'

let directory = ''
let bench: Workbench

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-reading-'))
  bench = new Workbench(directory)
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

test('a turn after the members have changed plans on what was read, as long as nothing speaks against it', async () => {
  await bench.start(B)
  await bench.wait(2000)
  const { reads } = bench
  bench.want(B, C)
  await bench.wait(0)
  expect(bench.entries()).toEqual([B, C])
  expect(bench.reads).toBe(reads)
  bench.host.remove(DEVICE, ip(B))
  bench.want(C)
  await bench.wait(0)
  expect(bench.entries()).toEqual([C])
  expect(bench.reads).toBe(reads + 1)
})

test('a turn after a refusal reads again, and so does one a minute after the last reading, however busy the members', async () => {
  await bench.start()
  await bench.wait(2000)
  bench.host.refuseWrites(1)
  bench.want(B)
  await bench.wait(0)
  const { reads } = bench
  bench.want(B, C)
  await bench.wait(0)
  expect(bench.reads).toBe(reads + 1)
  await bench.wait(20)
  bench.deaf = true
  const settled = bench.reads
  for (let second = 0; second < 150; second++) {
    bench.want(...(second % 2 === 0 ? [B] : [B, C]))
    await bench.wait(1000)
  }
  expect(bench.reads).toBe(settled + 2)
})

test('what no event told of is found within a minute', async () => {
  await bench.start(B, C)
  await bench.wait(2000)
  bench.deaf = true
  bench.host.remove(DEVICE, ip(B))
  bench.want(B)
  await bench.wait(60_000)
  expect(bench.entries()).toEqual([B])
  expect(await bench.repairs()).toBe(1)
})
