import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseMac } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE, Workbench } from './workbench.ts'

const FLOOD = '10.0.0.2'
const FDB = 'fdb 02:00:00:00:00:02 dst 10.0.0.2'
const NEIGHBOUR = 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:02'
const MEMBER = [FLOOD, FDB, NEIGHBOUR] as const
const FOREIGN = ['10.9.9.9', 'fdb 02:00:00:00:00:99 dst 10.9.9.9', 'neighbour 192.168.234.99 lladdr 02:00:00:00:00:99'] as const

let directory = ''
let bench: Workbench

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-repair-'))
  bench = new Workbench(directory)
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

/** What somebody did, what it was put right with, and what is said of it. */
const drift: readonly (readonly [string, (bench: Workbench) => void, string])[] = [
  [
    'deletes a flood entry',
    () => bench.erase(FLOOD),
    'bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0 (repair: somebody had deleted it)',
  ],
  [
    'deletes an fdb entry',
    () => bench.erase(FDB),
    'bridge fdb replace 02:00:00:00:00:02 dst 10.0.0.2 dev provider0 (repair: somebody had deleted it)',
  ],
  [
    'deletes a neighbour',
    () => bench.erase(NEIGHBOUR),
    'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:02 dev provider0 nud permanent protocol 118 (repair: somebody had deleted it)',
  ],
  [
    'sends an fdb entry elsewhere',
    () => bench.write('fdb 02:00:00:00:00:02 dst 10.0.0.3'),
    'bridge fdb replace 02:00:00:00:00:02 dst 10.0.0.2 dev provider0 (repair: somebody had changed it to dst 10.0.0.3)',
  ],
  [
    'gives a neighbour another MAC address',
    () => bench.write('neighbour 192.168.234.2 lladdr 02:00:00:00:00:03'),
    'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:02 dev provider0 nud permanent protocol 118 (repair: somebody had changed it to lladdr 02:00:00:00:00:03)',
  ],
]

const additions: readonly (readonly [string, (bench: Workbench) => void, string])[] = [
  [
    'adds a flood entry',
    () => bench.write(FOREIGN[0]),
    'bridge fdb delete 00:00:00:00:00:00 dst 10.9.9.9 dev provider0 (repair: somebody had added it)',
  ],
  [
    'adds an fdb entry',
    () => bench.write(FOREIGN[1]),
    'bridge fdb delete 02:00:00:00:00:99 dst 10.9.9.9 dev provider0 (repair: somebody had added it)',
  ],
  ['adds a neighbour', () => bench.write(FOREIGN[2]), 'ip neighbour delete 192.168.234.99 dev provider0 (repair: somebody had added it)'],
]

describe.each([
  ['a device that it made', false, [...drift, ...additions]],
  ['a device that somebody else made', true, drift],
] as const)('on %s, when somebody', (_name, adopted, cases) => {
  test.each(cases)('%s, it is put right: one repair, said with what was found', async (_case, strike, said) => {
    if (adopted) bench.plant(...FOREIGN)
    await bench.start(...MEMBER)
    const before = bench.tables()
    strike(bench)
    await bench.wait(10)
    expect(bench.tables()).toEqual(before)
    expect(bench.said.at(-1)).toBe(`warn: ${said}`)
    expect(await bench.repairs()).toBe(1)
  })

  test('takes it down or gives it another MAC address, its neighbours are back, each a repair', async () => {
    if (adopted) bench.plant()
    await bench.start(...MEMBER)
    bench.host.takeDown(DEVICE)
    await bench.wait(10)
    expect(bench.tables()).toEqual([...MEMBER].toSorted())
    const mac = parseMac('02:00:00:00:00:77')
    if (mac.ok) bench.host.readdress(DEVICE, mac.value)
    await bench.wait(10)
    expect(bench.tables()).toEqual([...MEMBER].toSorted())
    expect(await bench.repairs()).toBe(2)
  })
})

test('a member that gets another MAC address is followed at once, which is no repair: nothing is removed before its like is there', async () => {
  await bench.start(...MEMBER)
  bench.said.splice(0)
  bench.want(FLOOD, 'fdb 02:00:00:00:00:03 dst 10.0.0.2', 'neighbour 192.168.234.2 lladdr 02:00:00:00:00:03')
  await bench.wait(0)
  expect(bench.said).toEqual([
    'info: bridge fdb replace 02:00:00:00:00:03 dst 10.0.0.2 dev provider0',
    'info: ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:03 dev provider0 nud permanent protocol 118',
    'info: bridge fdb delete 02:00:00:00:00:02 dst 10.0.0.2 dev provider0',
  ])
  expect(await bench.repairs()).toBe(0)
})
