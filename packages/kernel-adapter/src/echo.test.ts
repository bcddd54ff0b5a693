import type { DeviceName, Entry, InterfaceAddress, IpAddress, MacAddress, Operation, Port } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Echoes, echoesOf } from './echo.ts'

const device = 'provider0' as DeviceName
const MAC = '02:00:00:00:00:05' as MacAddress
const flood: Entry = { kind: 'flood', underlay: '10.0.0.2' as IpAddress }
const ported: Entry = { kind: 'flood', underlay: '10.0.0.3' as IpAddress, port: 99 as Port }
const fdb: Entry = { kind: 'fdb', mac: MAC, underlay: '10.0.0.2' as IpAddress, port: 99 as Port }
const neighbour: Entry = { kind: 'neighbour', overlay: '192.168.234.2' as IpAddress, mac: MAC }

const route = (overlay: string): Entry => ({ kind: 'route', overlay: overlay as IpAddress })
const unreachable = (network: string): Entry => ({ kind: 'unreachable', network: network as InterfaceAddress })

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
  ['a route', add(route('192.168.234.2')), ['192.168.234.2 dev provider0 proto 118 scope link ']],
  ['a route of IPv6', add(route('fd00:234::2')), ['fd00:234::2 dev provider0 proto 118 metric 1024 pref medium']],
  ['a route that is removed', remove(route('192.168.234.2')), ['Deleted 192.168.234.2 dev provider0 proto 118 scope link ']],
  ['what is unreachable', add(unreachable('192.168.234.0/24')), ['unreachable 192.168.234.0/24 proto 118 metric 4278198272 ']],
  [
    'what is unreachable no longer, with IPv6',
    remove(unreachable('fd00:234::/65')),
    ['Deleted unreachable fd00:234::/65 dev lo proto 118 metric 4278198272 pref medium'],
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
    ['a route that is not ours', '192.168.234.2 dev provider0 scope link '],
    ['a route through another host', '192.168.234.2 via 192.168.226.1 dev eth0 proto 118 '],
    ['the removal of a route that was written', 'Deleted 192.168.234.2 dev provider0 proto 118 scope link '],
  ])('%s', (_name, line) => {
    expect(expecting(add(flood), add(route('192.168.234.2'))).hear(line)).toBe(false)
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
