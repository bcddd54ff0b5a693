import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MemberMtu } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE, HERE, Workbench } from './workbench.ts'

const B = '10.0.0.2'

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
      bench.hold = { reason: 'isolated', replacements: true }
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
    bench.host.resize(DEVICE, 1200)
    await bench.wait(20)
    expect(mtuOf(bench)).toMatchObject({ mtu: 1300 })
    bench.host.deleteDevice(DEVICE)
    await bench.wait(20)
    expect(mtuOf(bench)).toMatchObject({ mtu: 1300 })
  })
})
