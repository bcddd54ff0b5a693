import type { DeviceName, Entry, IpAddress, MacAddress, Operation, Port } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Echoes, echoesOf } from './echo.ts'

const device = 'provider0' as DeviceName
const MAC = '02:00:00:00:00:05' as MacAddress
const flood: Entry = { kind: 'flood', underlay: '10.0.0.2' as IpAddress }
const ported: Entry = { kind: 'flood', underlay: '10.0.0.3' as IpAddress, port: 99 as Port }
const fdb: Entry = { kind: 'fdb', mac: MAC, underlay: '10.0.0.2' as IpAddress, port: 99 as Port }
const neighbour: Entry = { kind: 'neighbour', overlay: '192.168.234.2' as IpAddress, mac: MAC }

const add = (entry: Entry): Operation => ({ kind: 'add', entry })
const remove = (entry: Entry): Operation => ({ kind: 'remove', entry })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function expecting(...operations: readonly Operation[]): Echoes {
  const echoes = new Echoes()
  echoes.expect(echoesOf(operations, device))
  return echoes
}

// Recorded from `bridge monitor fdb` and `ip monitor link address neigh` of iproute2 5.9.0, 6.1.0, 6.15.0 and 7.3.0, which
// differ in how many spaces they put.
test.each<[string, Operation, readonly string[]]>([
  ['a flood entry that is written', add(flood), ['00:00:00:00:00:00 dev provider0 dst 10.0.0.2 self permanent']],
  ['one with a port', add(ported), ['00:00:00:00:00:00 dev provider0 dst 10.0.0.3 port 99 self permanent']],
  ['one that is removed', remove(ported), ['Deleted 00:00:00:00:00:00 dev provider0 dst 10.0.0.3 port 99 self permanent']],
  ['an fdb entry', add(fdb), ['02:00:00:00:00:05 dev provider0 dst 10.0.0.2 port 99 self permanent']],
  [
    'an fdb entry that takes the place of another',
    { kind: 'replace', entry: fdb, was: { ...fdb, underlay: '10.0.0.9' as IpAddress } },
    ['02:00:00:00:00:05 dev provider0 dst 10.0.0.2 port 99 self permanent'],
  ],
  ['a neighbour', add(neighbour), ['192.168.234.2 dev provider0 lladdr 02:00:00:00:00:05 PERMANENT proto 118 ']],
  [
    'a neighbour whose protocol has a name on this host',
    add(neighbour),
    ['192.168.234.2 dev provider0 lladdr 02:00:00:00:00:05 PERMANENT proto vxmesh '],
  ],
  [
    'a neighbour that is removed, by 5.9.0',
    remove(neighbour),
    ['192.168.234.2 dev provider0  FAILED proto 118 ', 'Deleted 192.168.234.2 dev provider0  FAILED proto 118 '],
  ],
  [
    'a neighbour that is removed, by 6.1.0 and later',
    remove(neighbour),
    ['192.168.234.2 dev provider0 FAILED proto 118 ', 'Deleted 192.168.234.2 dev provider0 FAILED proto 118 '],
  ],
])('%s has an echo', async (_name, operation, lines) => {
  const echoes = expecting(operation)
  const come = echoes.come()
  expect(lines.map((line) => echoes.hear(line))).toEqual(lines.map(() => true))
  expect(await come).toBe(true)
})

describe('news is', () => {
  test.each<[string, string]>([
    ['the removal of what was written', 'Deleted 00:00:00:00:00:00 dev provider0 dst 10.0.0.2 self permanent'],
    ['another destination', '00:00:00:00:00:00 dev provider0 dst 10.0.0.20 self permanent'],
    ['another port', '00:00:00:00:00:00 dev provider0 dst 10.0.0.2 port 99 self permanent'],
    ['an entry that ages', '00:00:00:00:00:00 dev provider0 dst 10.0.0.2 self'],
    ['one with an interface of its own', '00:00:00:00:00:00 dev provider0 dst 10.0.0.2 via under0 self permanent'],
    ['a device that changes', '5: provider0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default'],
    ['a complaint', 'netlink receive error No buffer space available (105)'],
  ])('%s', (_name, line) => {
    expect(expecting(add(flood)).hear(line)).toBe(false)
  })

  test('the same a second time, and after five seconds', () => {
    const line = '00:00:00:00:00:00 dev provider0 dst 10.0.0.2 self permanent'
    const echoes = expecting(add(flood))
    expect([echoes.hear(line), echoes.hear(line)]).toEqual([true, false])
    const late = expecting(add(flood))
    vi.advanceTimersByTime(5001)
    expect(late.hear(line)).toBe(false)
  })

  test('not what `ip` tells of an entry of `bridge`', () => {
    expect(new Echoes().hear('10.0.0.2 dev provider0 lladdr 02:00:00:00:00:05 NOARP PERMANENT ')).toBe(true)
  })
})

describe('a write is confirmed', () => {
  const lines = [
    '00:00:00:00:00:00 dev provider0 dst 10.0.0.2 self permanent',
    '192.168.234.2 dev provider0 lladdr 02:00:00:00:00:05 PERMANENT',
  ]

  test('once all its echoes have come, and not before', async () => {
    const echoes = expecting(add(flood), add(neighbour))
    echoes.hear(lines[0]!)
    const come = echoes.come()
    await vi.advanceTimersByTimeAsync(20)
    echoes.hear(lines[1]!)
    expect(await come).toBe(true)
    expect(await echoes.come()).toBe(true)
  })

  test('not when one does not come, which is still known when it comes after', async () => {
    const echoes = expecting(add(flood), add(neighbour))
    echoes.hear(lines[0]!)
    const come = echoes.come()
    await vi.advanceTimersByTimeAsync(50)
    expect(await come).toBe(false)
    expect(echoes.hear(lines[1]!)).toBe(true)
  })
})
