import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Workbench } from './workbench.ts'

const B = '10.0.0.2'
const C = '10.0.0.3'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-quiet-'))
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

test('a start replaces nothing by what it remembers before others are heard, and repairs what somebody changes since', async () => {
  const bench = new Workbench(directory)
  const [older, newer] = ['fdb 02:00:00:00:00:02 dst 10.0.0.2', 'fdb 02:00:00:00:00:02 dst 10.0.0.3']
  await bench.start(newer)
  await bench.reconciler.stop()
  bench.hold = { reason: 'starting', replacements: true }
  await bench.start(older, C)
  await bench.wait(5000)
  expect(bench.tables()).toEqual([C, newer])
  bench.want(newer, C)
  await bench.wait(10)
  bench.write(older)
  await bench.wait(10)
  expect(bench.tables()).toEqual([C, newer])
  expect(bench.said.at(-1)).toContain('(repair: somebody had changed it to dst 10.0.0.2)')
  bench.hold = undefined
  bench.want(older, C)
  await bench.wait(10)
  expect(bench.tables()).toEqual([C, older])
  expect(await bench.repairs()).toBe(1)
})

test('an hour in which nothing differs has not one write, and a reading every minute', async () => {
  const bench = new Workbench(directory)
  await bench.start(B, 'fdb 02:00:00:00:00:02 dst 10.0.0.2', 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:02')
  await bench.wait(5000)
  const before = { writes: bench.writes, reads: bench.reads, said: bench.said.length }
  await bench.wait(3_600_000)
  expect({ writes: bench.writes, said: bench.said.length }).toEqual({ writes: before.writes, said: before.said })
  expect(bench.reads - before.reads).toBe(60)
})
