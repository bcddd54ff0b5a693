/** What every kernel must do with multipoint GRE: a part of the contract, and told as that. */
import {
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  sure,
  type Entry,
  type InterfaceAddress,
  type IpAddress,
  type Operation,
  type TunnelSpec,
} from '@vxmesh/core'
import { describeTarget } from '@vxmesh/kernel-adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Lab } from './setting.ts'

const ip = (text: string): IpAddress => sure(parseIp(text))
const network = (text: string): InterfaceAddress => sure(parseInterfaceAddress(text))
const [HERE, HOST_00, HOST_01] = [ip('192.168.226.4'), ip('192.168.226.5'), ip('192.168.226.6')]
const [HERE_6, OTHER_6, HOST_00_6, HOST_01_6] = [ip('fd00:226::4'), ip('fd00:226::14'), ip('fd00:226::5'), ip('fd00:226::6')]
const device = sure(parseDeviceName('provider0'))
const KEY = sure(parseGreKey(1234))
const OVERLAYS = ['192.168.234.1/23', 'fd00:234::1/64'].map(network)
const SPEC: TunnelSpec = {
  device,
  mode: 'gre',
  id: KEY,
  local: HERE,
  port: undefined,
  addresses: OVERLAYS,
  alias: 'vxmesh:12D3KooWcontract:gre:1234',
}

const leads = (overlay: string, underlay: IpAddress): Entry => ({ kind: 'neighbour', overlay: ip(overlay), underlay })
const way = (overlay: string): Entry => ({ kind: 'route', overlay: ip(overlay) })
const barrier = (text: string): Entry => ({ kind: 'unreachable', network: network(text) })
const MEMBER = [leads('192.168.234.2', HOST_00), leads('fd00:234::2', HOST_00), way('192.168.234.2'), way('fd00:234::2')]
const BARRIERS = ['192.168.234.0/24', '192.168.235.0/24', 'fd00:234::/65', 'fd00:234:0:0:8000::/65'].map(barrier)
const UNREACHABLE = [
  'unreachable 192.168.234.0/24',
  'unreachable 192.168.235.0/24',
  'unreachable fd00:234:0:0:8000::/65',
  'unreachable fd00:234::/65',
]

const adds = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'add', entry }))
const drops = (...entries: readonly Entry[]): readonly Operation[] => entries.map((entry) => ({ kind: 'remove', entry }))

/** What the device has, each entry as its place and where it leads; with a star what is ours. */
async function slots({ kernel }: Lab, spec = SPEC): Promise<readonly string[]> {
  const reading = await kernel.read(spec)
  return [...(reading?.entries ?? [])]
    .map(([place, entry]) => `${place} ${describeTarget(entry)}`.trim() + (reading?.marked.has(place) === true ? ' *' : ''))
    .toSorted()
}

const marked = (...shown: readonly string[]): readonly string[] => shown.map((each) => `${each} *`)
const WAYS_4 = ['neighbour 192.168.234.2 lladdr 192.168.226.5', 'route 192.168.234.2']
const WAYS_6 = ['neighbour fd00:234::2 lladdr 192.168.226.5', 'route fd00:234::2']
const WHOLE = marked(...WAYS_4, ...WAYS_6, ...UNREACHABLE).toSorted()

export function greContract(lab: () => Lab): void {
  describe('writes the ways to members', () => {
    ways(lab)
  })
  describe('shows the traps of GRE', () => {
    traps(lab)
  })
  describe('goes over IPv6', () => {
    overIpv6(lab)
  })
}

function ways(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test('neighbours, routes and what is unreachable else, of both families, and knows them for ours', async () => {
    expect(await lab().kernel.attempt(device, adds(...MEMBER, ...BARRIERS))).toEqual([])
    expect(await slots(lab())).toEqual(WHOLE)
    const moved = [leads('192.168.234.2', HOST_01), leads('fd00:234::2', HOST_01)]
    const replaced = moved.map((entry, index): Operation => ({ kind: 'replace', entry, was: MEMBER[index]! }))
    expect(await lab().kernel.attempt(device, [...replaced, ...drops(...BARRIERS)])).toEqual([])
    expect(await slots(lab())).toEqual(
      marked(
        'neighbour 192.168.234.2 lladdr 192.168.226.6',
        'neighbour fd00:234::2 lladdr 192.168.226.6',
        'route 192.168.234.2',
        'route fd00:234::2',
      ),
    )
    expect(await lab().kernel.attempt(device, drops(...MEMBER, ...BARRIERS))).toEqual([])
    expect(await slots(lab())).toEqual([])
  })

  test('beside those of others, which satisfy what is wanted, and which it cannot remove', async () => {
    await lab().write(device, leads('192.168.234.2', HOST_00))
    await lab().write(device, way('192.168.234.2'))
    await lab().write(device, way('192.168.234.7'))
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 192.168.226.5', 'route 192.168.234.2', 'route 192.168.234.7'])
    expect(await lab().kernel.attempt(device, adds(way('192.168.234.2')))).toEqual([])
    const [foreign] = drops(way('192.168.234.7'))
    expect(await lab().kernel.attempt(device, [foreign!])).toEqual([
      {
        operation: foreign,
        command: 'ip route delete 192.168.234.7 dev provider0 protocol 118',
        reason: 'RTNETLINK answers: No such process',
      },
    ])
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 192.168.226.5', 'route 192.168.234.2', 'route 192.168.234.7'])
    await lab().erase(device, way('192.168.234.7'))
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 192.168.226.5', 'route 192.168.234.2'])
  })

  test('all of them, though some to remove are gone', async () => {
    const gone = [leads('192.168.234.7', HOST_00), way('192.168.234.7'), barrier('192.168.234.0/24')]
    const operations = gone.flatMap((entry, index) => [...drops(entry), ...adds(MEMBER[index]!)])
    expect(await lab().kernel.attempt(device, operations)).toEqual([])
    expect(await slots(lab())).toEqual(marked(...WAYS_4, WAYS_6[0]!).toSorted())
  })

  test('to a device that is down all but its routes, and says so', async () => {
    await lab().takeDown(device)
    const [four, six] = [way('192.168.234.2'), way('fd00:234::2')]
    const rejected = await lab().kernel.attempt(device, adds(...MEMBER, ...BARRIERS))
    expect(rejected.map(({ operation, reason }) => [operation.entry, reason])).toEqual([
      [four, 'Error: Device for nexthop is not up.'],
      [six, 'Error: Nexthop device is not up.'],
    ])
    await lab().kernel.establish(SPEC)
    expect(await lab().kernel.attempt(device, adds(four, six))).toEqual([])
    expect(await slots(lab())).toEqual(WHOLE)
  })
}

function traps(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
    await lab().kernel.attempt(device, adds(...MEMBER, ...BARRIERS))
  })

  test('a device that goes down loses its neighbours and its routes, not what is unreachable', async () => {
    await lab().takeDown(device)
    expect(await slots(lab())).toEqual(marked(...UNREACHABLE))
  })

  test('a device that asks for addresses loses its neighbours', async () => {
    await lab().ask(device)
    expect(await slots(lab())).toEqual(marked(WAYS_4[1]!, WAYS_6[1]!, ...UNREACHABLE).toSorted())
  })

  test('what is of IPv4 goes with the last IPv4 address, and not before', async () => {
    const other = network('10.1.1.1/24')
    await lab().kernel.establish({ ...SPEC, addresses: [other, OVERLAYS[1]!], formerAddresses: [OVERLAYS[0]!] })
    expect(await slots(lab())).toEqual(WHOLE)
    await lab().kernel.establish({ ...SPEC, addresses: [OVERLAYS[1]!], formerAddresses: [OVERLAYS[0]!, other] })
    expect(await slots(lab())).toEqual(marked(...WAYS_6, ...UNREACHABLE).toSorted())
  })

  test('what is unreachable outlives the device, and is known for ours on the next', async () => {
    await lab().deleteDevice(device)
    const { entries, marked: ours } = await lab().kernel.left(SPEC)
    expect([[...entries.keys()].toSorted(), [...ours].toSorted()]).toEqual([UNREACHABLE, UNREACHABLE])
    await lab().kernel.establish(SPEC)
    expect(await slots(lab())).toEqual(marked(...UNREACHABLE))
    await lab().deleteDevice(device)
    expect(await lab().kernel.attempt(device, drops(...BARRIERS))).toEqual([])
    expect((await lab().kernel.left(SPEC)).entries).toEqual(new Map())
  })

  test('a neighbour of ours that somebody replaces keeps our mark', async () => {
    await lab().write(device, leads('192.168.234.2', HOST_01))
    expect(await slots(lab())).toContain('neighbour 192.168.234.2 lladdr 192.168.226.6 *')
  })

  test('our own address, 0.0.0.0 and multicast are taken for a member and for where it is, so somebody else must refuse them', async () => {
    const odd = ['192.168.234.1', '0.0.0.0', '224.0.0.1', '127.0.0.1', '198.51.100.1']
    const underlays = [HERE, ...['0.0.0.0', '224.0.0.1', '255.255.255.255', '127.0.0.1'].map(ip)]
    const neighbours = underlays.map((underlay, index) => leads(odd[index]!, underlay))
    expect(await lab().kernel.attempt(device, adds(...neighbours, ...odd.map(way)))).toEqual([])
    expect(await slots(lab())).toEqual(
      expect.arrayContaining([
        ...marked('neighbour 0.0.0.0 lladdr 0.0.0.0', 'neighbour 198.51.100.1 lladdr 127.0.0.1', 'route 192.168.234.1'),
      ]),
    )
  })
}

/** There a neighbour cannot say where a member is, and the route does. */
function overIpv6(lab: () => Lab): void {
  const spec = { ...SPEC, local: HERE_6 }
  const wrapped = (overlay: string, underlay: IpAddress, local = HERE_6) =>
    ({ kind: 'route', overlay: ip(overlay), local, underlay, key: KEY }) as const
  beforeEach(async () => {
    await lab().kernel.establish(spec)
  })

  test('by routes, which are replaced when a member moves or this host does, with a key and without', async () => {
    const members = [wrapped('192.168.234.2', HOST_00_6), wrapped('fd00:234::2', HOST_00_6)]
    expect(await lab().kernel.attempt(device, adds(...members, ...BARRIERS))).toEqual([])
    const encap = 'encap ip6 id 1234 key dst fd00:226::5 src fd00:226::4'
    expect(await slots(lab(), spec)).toEqual(
      marked(`route 192.168.234.2 ${encap}`, `route fd00:234::2 ${encap}`, ...UNREACHABLE).toSorted(),
    )
    const moved = [wrapped('192.168.234.2', HOST_01_6), { ...wrapped('fd00:234::2', HOST_00_6, OTHER_6), key: undefined }]
    const operations = moved.map((entry, index): Operation => ({ kind: 'replace', entry, was: members[index]! }))
    expect(await lab().kernel.attempt(device, [...operations, ...drops(...BARRIERS)])).toEqual([])
    expect(await slots(lab(), spec)).toEqual(
      marked(
        'route 192.168.234.2 encap ip6 id 1234 key dst fd00:226::6 src fd00:226::4',
        'route fd00:234::2 encap ip6 dst fd00:226::5 src fd00:226::14',
      ),
    )
    expect(await lab().kernel.attempt(device, drops(...members))).toEqual([])
    expect(await slots(lab(), spec)).toEqual([])
  })

  test('on one device of a host and no other, since it takes whatever comes', async () => {
    const second = lab().kernel.establish({ ...spec, device: sure(parseDeviceName('provider1')), id: undefined })
    await expect(second).rejects.toThrow(/^the kernel refused .*: RTNETLINK answers: File exists: another device takes all GRE over IPv6/)
  })

  test('and follows the host without a change to the device', async () => {
    const before = await lab().inspect(device)
    expect(await lab().kernel.establish({ ...spec, local: OTHER_6 })).toMatchObject({ local: OTHER_6, origin: 'made' })
    expect(await lab().inspect(device)).toEqual(before)
  })
}
