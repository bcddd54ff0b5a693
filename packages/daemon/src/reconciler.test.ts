import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE, HERE, ip, Workbench } from './workbench.ts'

const B = '10.0.0.2'
const C = '10.0.0.3'
const FOREIGN = '10.9.9.9'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-reconciler-'))
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

describe('on a device that it made', () => {
  test('what is wanted is there at once, and said in the words of bridge', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    expect(bench.entries()).toEqual([B, C])
    expect(bench.said).toEqual([
      'info: bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0',
      'info: bridge fdb append 00:00:00:00:00:00 dst 10.0.0.3 dev provider0',
    ])
  })

  test('what is no longer wanted goes with the next wake', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    bench.want(C)
    await bench.wait(0)
    expect(bench.entries()).toEqual([C])
    expect(bench.said.at(-1)).toBe('info: bridge fdb delete 00:00:00:00:00:00 dst 10.0.0.2 dev provider0')
  })

  test('what somebody deletes comes back, and counts as a repair', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    bench.host.remove(DEVICE, ip(B))
    await bench.wait(10)
    expect(bench.entries()).toEqual([B, C])
    expect(bench.said.at(-1)).toBe('warn: bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0 (repair: somebody had deleted it)')
    expect(await bench.repairs()).toBe(1)
  })

  test('what somebody adds is ours, and goes: a repair as well', async () => {
    const bench = new Workbench(directory)
    await bench.start(B)
    bench.host.append(DEVICE, ip(FOREIGN))
    await bench.wait(10)
    expect(bench.entries()).toEqual([B])
    expect(await bench.repairs()).toBe(1)
  })

  test('a repair that comes together with a change of the members is still one, and the change is none', async () => {
    const bench = new Workbench(directory)
    await bench.start(B)
    bench.host.remove(DEVICE, ip(B))
    bench.want(B, C)
    await bench.wait(10)
    expect(bench.entries()).toEqual([B, C])
    expect(await bench.repairs()).toBe(1)
  })

  test('a device that was deleted is made again, with its entries: one repair and one warning', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    const said = bench.said.splice(0)
    const before = bench.host.inspect(DEVICE)?.link
    bench.host.deleteDevice(DEVICE)
    await bench.wait(10)
    expect(bench.host.inspect(DEVICE)?.link).toEqual(before)
    expect(bench.entries()).toEqual([B, C])
    expect(bench.said).toEqual(['warn: provider0 is gone: making it again', ...said])
    expect(await bench.repairs()).toBe(1)
    bench.host.remove(DEVICE, ip(B))
    await bench.wait(10)
    expect(await bench.repairs()).toBe(2)
  })

  test('a device that cannot be made again is tried for until it can', async () => {
    const bench = new Workbench(directory)
    await bench.start(B)
    bench.host.renumber([])
    bench.host.deleteDevice(DEVICE)
    await bench.wait(1000)
    expect(bench.entries()).toBeUndefined()
    expect(bench.said.at(-1)).toBe('error: --local: 10.0.0.1 is not an address of this host')
    bench.host.renumber([{ address: HERE, interface: 'eth0', mtu: 1500 }])
    await bench.wait(10)
    expect(bench.entries()).toEqual([B])
  })
})

describe('while removals are held', () => {
  test('additions are made, and removals follow when the hold ends, which are no repairs', async () => {
    const bench = new Workbench(directory)
    await bench.start(B)
    bench.hold = { reason: 'isolated', replacements: true, brief: false }
    bench.want(C)
    await bench.wait(5000)
    expect(bench.entries()).toEqual([B, C])
    bench.hold = undefined
    await bench.wait(1000)
    expect(bench.entries()).toEqual([C])
    expect(bench.said.at(-1)).toBe('info: bridge fdb delete 00:00:00:00:00:00 dst 10.0.0.2 dev provider0')
    expect(await bench.repairs()).toBe(0)
  })

  test('what was there at the start stays, and is no repair either', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    await bench.reconciler.stop()
    bench.hold = { reason: 'starting', replacements: true, brief: false }
    await bench.start(B)
    await bench.wait(5000)
    expect(bench.entries()).toEqual([B, C])
    bench.hold = undefined
    await bench.wait(1000)
    expect(bench.entries()).toEqual([B])
    expect(await bench.repairs()).toBe(0)
  })
})

test('a start replaces nothing by what it remembers before others are heard, and repairs what somebody changes since', async () => {
  const bench = new Workbench(directory)
  const [older, newer] = ['fdb 02:00:00:00:00:02 dst 10.0.0.2', 'fdb 02:00:00:00:00:02 dst 10.0.0.3']
  await bench.start(newer)
  await bench.reconciler.stop()
  bench.hold = { reason: 'starting', replacements: true, brief: false }
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

describe('a write that the kernel refuses', () => {
  test('is reported, tried again soon, and no repair when it succeeds', async () => {
    const bench = new Workbench(directory)
    await bench.start()
    bench.host.refuseWrites(1)
    bench.want(B, C)
    await bench.wait(0)
    expect(bench.entries()).toEqual([C])
    expect((await bench.reconciler.look()).rejections).toMatchObject([{ reason: 'RTNETLINK answers: Cannot allocate memory' }])
    await bench.wait(200)
    expect(bench.entries()).toEqual([B, C])
    expect(await bench.reconciler.look()).toMatchObject({ rejections: [], repairs: 0 })
    expect(bench.said).toContain(
      'error: refused: bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0: RTNETLINK answers: Cannot allocate memory',
    )
  })

  test('again and again is tried ever more slowly, and never given up', async () => {
    const bench = new Workbench(directory)
    await bench.start()
    bench.host.refuseWrites(1000)
    bench.want(B)
    await bench.wait(60_000)
    expect(bench.writes).toBeGreaterThan(10)
    expect(bench.writes).toBeLessThan(20)
    expect(bench.said.filter((line) => line.startsWith('error: refused: '))).toHaveLength(1)
    bench.host.refuseWrites(0)
    await bench.wait(5000)
    expect(bench.entries()).toEqual([B])
  })
})

describe('turns', () => {
  test('of an idle hour write nothing and say nothing, and read about once a minute', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, 'fdb 02:00:00:00:00:02 dst 10.0.0.2', 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:02')
    await bench.wait(2000)
    const { writes, reads, said } = bench
    const lines = said.length
    await bench.wait(3_600_000)
    expect([bench.writes, said.length, bench.reads - reads]).toEqual([writes, lines, 60])
    expect((await bench.reconciler.look()).writes).toBe(3)
  })

  test('each tells what the device has become, and who only looks tells nobody', async () => {
    const bench = new Workbench(directory)
    await bench.start(B)
    bench.give('192.168.234.9/23')
    await bench.reconciler.look()
    await bench.wait(10)
    expect(bench.noticed).toEqual(['192.168.234.1/23', '192.168.234.1/23 192.168.234.9/23'])
  })

  test('a wake during one is not lost', async () => {
    const bench = new Workbench(directory)
    bench.onWrite = () => {
      bench.onWrite = () => {}
      bench.want(B, C)
    }
    await bench.start(B)
    expect(bench.entries()).toEqual([B, C])
  })

  test('one that cannot read the kernel is reported and followed by another', async () => {
    const bench = new Workbench(directory)
    await bench.start()
    bench.meanwhile = async () => {
      throw new Error('bridge fdb show: Dump terminated')
    }
    bench.wanted = [B]
    bench.host.append(DEVICE, ip(FOREIGN))
    await bench.wait(150)
    expect(bench.said).toEqual(['error: bridge fdb show: Dump terminated'])
    bench.meanwhile = async () => {}
    await bench.wait(60)
    expect(bench.entries()).toEqual([B])
  })

  test('come even where the kernel never ceases to report changes', async () => {
    const bench = new Workbench(directory)
    bench.plant()
    await bench.start(B)
    bench.host.remove(DEVICE, ip(B))
    for (let count = 0; count < 10; count++) {
      if (count % 2 === 0) bench.host.append(DEVICE, ip(FOREIGN))
      else bench.host.remove(DEVICE, ip(FOREIGN))
      await bench.wait(5)
    }
    expect(bench.entries()).toEqual([B])
  })
})

describe('ending', () => {
  test('a stop leaves every entry, and no timer', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    bench.host.append(DEVICE, ip(FOREIGN))
    await bench.reconciler.stop()
    bench.want()
    await bench.wait(600_000)
    expect(bench.entries()).toEqual([B, C, FOREIGN])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a withdrawal takes what is ours from a device that we made: all', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    expect(await bench.reconciler.withdraw()).toBe(2)
    bench.reconciler.wake()
    await bench.wait(600_000)
    expect(bench.entries()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a withdrawal takes what is ours from a device that we did not make, and forgets it', async () => {
    const bench = new Workbench(directory)
    bench.plant(FOREIGN)
    await bench.start(B, C)
    expect(await bench.reconciler.withdraw()).toBe(2)
    expect(bench.entries()).toEqual([FOREIGN])
    expect([...bench.store.written(DEVICE)]).toEqual([])
  })

  test('a withdrawal counts what the kernel took, and takes nothing where there is no device', async () => {
    const bench = new Workbench(directory)
    await bench.start(B, C)
    bench.host.refuseWrites(1)
    expect(await bench.reconciler.withdraw()).toBe(1)
    bench.host.deleteDevice(DEVICE)
    expect(await bench.reconciler.withdraw()).toBe(0)
  })
})
