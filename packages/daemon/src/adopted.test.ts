import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE, Workbench } from './workbench.ts'

const B = '10.0.0.2'
const C = '10.0.0.3'
const STRANGER = '10.9.9.9'
const FLOOD = B
const FDB = 'fdb 02:00:00:00:00:02 dst 10.0.0.2'
const NEIGHBOUR = 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:02'
const MEMBER = [FLOOD, FDB, NEIGHBOUR] as const
const FOREIGN = [STRANGER, 'fdb 02:00:00:00:00:99 dst 10.9.9.9', 'neighbour 192.168.234.99 lladdr 02:00:00:00:00:99'] as const

let directory = ''
let bench: Workbench

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-adopted-'))
  bench = new Workbench(directory)
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

describe('on a device that somebody else made', () => {
  test('foreign entries are left alone, and one that is wanted is not taken for ours', async () => {
    bench.plant(STRANGER, B)
    await bench.start(B, C)
    expect(bench.entries()).toEqual([B, C, STRANGER])
    expect([...bench.store.written(DEVICE)]).toEqual(['flood 10.0.0.3'])
    bench.want()
    await bench.wait(0)
    expect(bench.entries()).toEqual([B, STRANGER])
    expect((await bench.reconciler.look()).foreign).toBe(2)
  })

  test('ours are known after a restart, and only ours go', async () => {
    bench.plant(STRANGER)
    await bench.start(B, C)
    await bench.reconciler.stop()
    await bench.start(C)
    expect(bench.entries()).toEqual([C, STRANGER])
    expect([...bench.store.written(DEVICE)]).toEqual(['flood 10.0.0.3'])
  })

  test('it is waited for when it is gone, said once, and filled when it is back', async () => {
    bench.plant()
    await bench.start(B)
    bench.host.deleteDevice(DEVICE)
    await bench.wait(300_000)
    expect(bench.entries()).toBeUndefined()
    expect((await bench.reconciler.look()).reading).toBeUndefined()
    const gone = 'warn: provider0 is gone: adopted, so it is not made again; waiting for it'
    expect(bench.said.filter((each) => each === gone)).toHaveLength(1)
    bench.plant(STRANGER)
    await bench.wait(10)
    expect(bench.entries()).toEqual([B, STRANGER])
  })

  const IN_THE_WAY = ['fdb 02:00:00:00:00:02 dst 10.9.9.9', 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:99'] as const

  test('what is in the way is left alone and reported, until it is gone', async () => {
    bench.plant(...IN_THE_WAY)
    await bench.start(...MEMBER)
    await bench.wait(60_000)
    expect(bench.tables()).toEqual([FLOOD, ...IN_THE_WAY])
    const { obstacles, foreign } = await bench.reconciler.look()
    expect(obstacles.map(({ found }) => found.kind)).toEqual(['fdb', 'neighbour'])
    expect(foreign).toBe(2)
    for (const each of IN_THE_WAY) bench.erase(each)
    await bench.wait(10)
    expect(bench.tables()).toEqual(MEMBER)
    expect(await bench.reconciler.look()).toMatchObject({ obstacles: [], foreign: 0, repairs: 0 })
  })

  test('what is in the way on one that it made gives way', async () => {
    await bench.start(FLOOD)
    await bench.reconciler.stop()
    for (const each of IN_THE_WAY) bench.write(each)
    await bench.start(...MEMBER)
    expect(bench.tables()).toEqual(MEMBER)
  })

  test('ours of every kind is known after a restart, and only ours goes', async () => {
    bench.plant(...FOREIGN)
    await bench.start(...MEMBER)
    await bench.reconciler.stop()
    await bench.start()
    expect(bench.tables()).toEqual([...FOREIGN].toSorted())
  })

  test('ours of every kind is known again without the state, as far as it is wanted; what is foreign is not taken for ours', async () => {
    bench.plant(...FOREIGN)
    await bench.start(...MEMBER)
    await bench.reconciler.stop()
    rmSync(join(directory, 'state.json'))
    await bench.start(...MEMBER)
    bench.want()
    await bench.wait(0)
    expect(bench.tables()).toEqual([...FOREIGN].toSorted())
  })

  test('without the state, ours that is not wanted any more is known by its mark alone', async () => {
    bench.plant()
    await bench.start(...MEMBER)
    await bench.reconciler.stop()
    rmSync(join(directory, 'state.json'))
    await bench.start()
    expect(bench.tables()).toEqual([FLOOD, FDB])
    expect(await bench.reconciler.look()).toMatchObject({ foreign: 2, repairs: 0 })
  })

  test('without the state, who leaves while the kernel is read for the first time is known by what was wanted before', async () => {
    bench.plant(STRANGER)
    await bench.start(...MEMBER)
    await bench.reconciler.stop()
    rmSync(join(directory, 'state.json'))
    bench.meanwhile = async () => void (bench.wanted = [])
    await bench.start(...MEMBER)
    expect(bench.tables()).toEqual([STRANGER])
  })

  test('a neighbour that somebody else made for a member is as good as ours, and stays', async () => {
    bench.plant(NEIGHBOUR)
    await bench.start(...MEMBER)
    expect(bench.tables()).toEqual(MEMBER)
    bench.want()
    await bench.wait(0)
    expect(bench.tables()).toEqual([NEIGHBOUR])
  })

  test('a withdrawal takes ours of every kind', async () => {
    bench.plant(...FOREIGN)
    await bench.start(...MEMBER)
    expect(await bench.reconciler.withdraw()).toBe(3)
    expect(bench.tables()).toEqual([...FOREIGN].toSorted())
  })
})
