import { table, type DeviceName, type Entry, type IpAddress, type MacAddress, type Operation } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { complaints, explain, rejections, saysAbsent, spoken } from './outcome.ts'
import { deleteLink, type Command } from './render.ts'

const device = 'provider0' as DeviceName
const create: Command = { tool: 'ip', args: ['link', 'add', 'name', 'provider0', 'type', 'vxlan', 'id', '16'] }

/** Typed as what it is: vitest says `any`. */
const containing = (text: string): unknown => expect.stringContaining(text)

describe('a device is absent', () => {
  test.each<[string, string, boolean]>([
    ['when ip says so', 'Device "nope" does not exist.\n', true],
    ['when bridge says so', 'Cannot find device "nope"\n', true],
    ['but not when the namespace does not exist', 'Cannot open network namespace "a": No such file or directory', false],
    ['nor when asking is not permitted', 'RTNETLINK answers: Operation not permitted', false],
    ['nor when nothing is said', '', false],
  ])('%s', (_name, stderr, absent) => {
    expect(saysAbsent(stderr)).toBe(absent)
  })
})

describe('a failure', () => {
  test.each<[string, Command, string, unknown]>([
    [
      'for want of privilege names the capability',
      deleteLink(device),
      'RTNETLINK answers: Operation not permitted',
      { code: 'NOT_PERMITTED', reason: containing('CAP_NET_ADMIN') },
    ],
    [
      'for want of the module names it',
      create,
      'Error: Unknown device type.',
      { code: 'NOT_PERMITTED', reason: containing('modprobe vxlan') },
    ],
    [
      'for want of the module, as older kernels say it, names it',
      create,
      'RTNETLINK answers: Operation not supported',
      { code: 'NOT_PERMITTED', reason: containing('modprobe vxlan') },
    ],
    [
      'of anything else that is not supported does not',
      deleteLink(device),
      'RTNETLINK answers: Operation not supported',
      { code: 'KERNEL_REFUSED', command: 'ip link delete dev provider0', reason: 'RTNETLINK answers: Operation not supported' },
    ],
    [
      'carries the command and what was said, on one line',
      create,
      'Error: one.\n\n  two\n',
      { code: 'KERNEL_REFUSED', command: 'ip link add name provider0 type vxlan id 16', reason: 'Error: one.; two' },
    ],
  ])('%s', (_name, command, stderr, failure) => {
    expect(explain(command, stderr)).toEqual(failure)
  })

  test('without a word is said to be that', () => {
    expect(spoken('\n')).toBe('it failed and did not say why')
  })
})

// Recorded from `bridge -force -batch -`, iproute2 6.1: of eleven lines the second and the eighth failed.
const BATCH_SAID =
  'RTNETLINK answers: Address family not supported by protocol\nCommand failed -:2\nCannot find device "nope"\nCommand failed -:8\n'

test('complaints of a batch are known by their lines', () => {
  expect([...complaints(BATCH_SAID)]).toEqual([
    [2, 'RTNETLINK answers: Address family not supported by protocol'],
    [8, 'Cannot find device "nope"'],
  ])
  expect([...complaints('')]).toEqual([])
})

describe('rejected is', () => {
  const A = '10.0.0.1' as IpAddress
  const B = '10.0.0.2' as IpAddress
  const add = (underlay: IpAddress): Operation => ({ kind: 'add', entry: { kind: 'flood', underlay } })
  const drop = (underlay: IpAddress): Operation => ({ kind: 'remove', entry: { kind: 'flood', underlay } })

  test.each<[string, readonly Operation[], readonly IpAddress[], ReadonlyMap<number, string>, readonly string[]]>([
    ['nothing, when all came true', [add(A), drop(B)], [A], new Map(), []],
    ['an addition that is not there', [add(A), add(B)], [B], new Map([[1, 'no']]), ['append … 10.0.0.1: no']],
    ['a removal that is still there', [add(A), drop(B)], [A, B], new Map([[2, 'no']]), ['delete … 10.0.0.2: no']],
    ['nothing that came true, whatever was complained of', [drop(B)], [], new Map([[1, 'No such file']]), []],
    [
      'what failed in silence',
      [add(A), drop(B)],
      [B],
      new Map(),
      [
        'append … 10.0.0.1: no error was reported, yet the entry is not there',
        'delete … 10.0.0.2: no error was reported, yet the entry is still there',
      ],
    ],
    ['nothing that a later operation undid', [add(A), drop(A), drop(B), add(B)], [B], new Map(), []],
  ])('%s', (_name, operations, after, reasons, expected) => {
    const read = table(after.map((underlay) => ({ kind: 'flood', underlay })))
    const rejected = rejections(operations, device, read, reasons)
    expect(
      rejected.map(({ command, reason }) =>
        `${command}: ${reason}`.replace('bridge fdb ', '').replace('00:00:00:00:00:00 dst', '…').replace(' dev provider0', ''),
      ),
    ).toEqual(expected)
  })

  test('what leads elsewhere than it was written to, and not a removal of what leads elsewhere by now', () => {
    const [mac, other] = ['02:00:00:00:00:05', '02:00:00:00:00:06'].map((text) => text as MacAddress)
    const neighbour = (to: MacAddress): Entry => ({ kind: 'neighbour', overlay: '192.168.234.2' as IpAddress, mac: to })
    const there = table([neighbour(other!)])
    const replacement: Operation = { kind: 'replace', entry: neighbour(mac!), was: neighbour(other!) }
    const reason = 'no error was reported, yet the entry is not there'
    expect(rejections([replacement], device, there, new Map())).toMatchObject([{ operation: replacement, reason }])
    expect(rejections([{ kind: 'remove', entry: neighbour(mac!) }], device, there, new Map())).toEqual([])
  })
})
