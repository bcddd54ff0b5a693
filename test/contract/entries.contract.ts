/** What every kernel must do with entries: a part of the contract, and told as that. */
import { parseInterfaceAddress, parseMac, sure, type IpAddress, type Operation } from '@vxmesh/core'
import { beforeEach, expect, test } from 'vitest'
import type { Dialect } from './dialects.ts'
import {
  adds,
  destinations,
  drops,
  fdb,
  forOne,
  HOST_00,
  HOST_01,
  HOST_02,
  ip,
  marks,
  neighbour,
  OVERLAY,
  OVERLAY_6,
  provider0,
  provider1,
  slots,
  SPEC,
  THERE,
  THERE_6,
  to,
  toPort,
  UNDERLAY,
  UNDERLAY_6,
  type Lab,
} from './setting.ts'

export function writing(lab: () => Lab, { spec, to, refusal, many }: Dialect): void {
  const add = (underlay: IpAddress): Operation => ({ kind: 'add', entry: to(underlay) })
  const drop = (underlay: IpAddress): Operation => ({ kind: 'remove', entry: to(underlay) })
  beforeEach(async () => {
    await lab().kernel.establish(spec)
  })

  test('adds and removes in one attempt', async () => {
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), add(HOST_01)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [add(HOST_02), drop(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([HOST_01, HOST_02])
  })

  test('and nothing, when there is nothing to write', async () => {
    expect(await lab().kernel.attempt(provider0, [])).toEqual([])
  })

  test('the same one twice without a complaint or a duplicate', async () => {
    expect(await lab().kernel.attempt(provider0, [add(HOST_00)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), add(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([HOST_00])
  })

  test('without complaining that one to remove is gone, others left or not', async () => {
    await lab().kernel.attempt(provider0, [add(HOST_00)])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_01)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_00)])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [drop(HOST_00)])).toEqual([])
    expect(await destinations(lab(), spec)).toEqual([])
  })

  test('all but the one that the kernel refuses, and says which and why', async () => {
    const refused = add(UNDERLAY_6)
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), refused, add(HOST_01)])).toEqual([{ operation: refused, ...refusal }])
    expect(await destinations(lab(), spec)).toEqual([HOST_00, HOST_01])
  })

  test('many at once, all but those that the kernel refuses', async () => {
    const refused = [ip('fd00:226::5'), ip('fd00:226::6')].map(add)
    const taken = Array.from({ length: many }, (_, index) => add(ip(`10.9.${String(index >> 8)}.${String(index & 255)}`)))
    const rejected = await lab().kernel.attempt(provider0, [
      ...taken.slice(0, many / 2),
      refused[0]!,
      ...taken.slice(many / 2),
      refused[1]!,
    ])
    expect(rejected.map(({ operation }) => operation)).toEqual(refused)
    expect(await destinations(lab(), spec)).toHaveLength(many)
  })

  test('what it refuses again and again, and what it takes meanwhile', async () => {
    for (const one of [HOST_00, HOST_01, HOST_02]) {
      expect(await lab().kernel.attempt(provider0, [add(UNDERLAY_6), add(one)])).toHaveLength(1)
    }
    expect(await destinations(lab(), spec)).toEqual([HOST_00, HOST_01, HOST_02])
  })

  test('none to a device that is gone, and says so for each addition', async () => {
    await lab().deleteDevice(provider0)
    const reason = 'Cannot find device "provider0"'
    expect(await lab().kernel.attempt(provider0, [add(HOST_00), drop(HOST_01)])).toMatchObject([{ operation: add(HOST_00), reason }])
  })
}

export function ports(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test('IPv6 destinations on a device that sends from IPv6', async () => {
    await lab().kernel.establish({ ...SPEC, device: provider1, local: UNDERLAY_6, addresses: [] })
    const there = ip('fd00:226::5')
    expect(await lab().kernel.attempt(provider1, [...adds(to(there))])).toEqual([])
    expect(await destinations(lab(), { ...SPEC, device: provider1 })).toEqual([there])
    expect(await lab().kernel.attempt(provider1, [...drops(to(there))])).toEqual([])
    expect(await destinations(lab(), { ...SPEC, device: provider1 })).toEqual([])
  })

  test('with another port, beside one without and one with yet another, and each is removed by itself', async () => {
    const [one, other] = [toPort(HOST_00, 8472), toPort(HOST_00, 9000)]
    expect(
      await lab().kernel.attempt(
        provider0,
        [one, one, to(HOST_00), other].map((entry) => ({ kind: 'add', entry })),
      ),
    ).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5', 'flood 192.168.226.5 port 8472', 'flood 192.168.226.5 port 9000'])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: one }])).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5', 'flood 192.168.226.5 port 9000'])
    expect(
      await lab().kernel.attempt(
        provider0,
        [one, to(HOST_00)].map((entry) => ({ kind: 'remove', entry })),
      ),
    ).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.5 port 9000'])
  })

  test('for one device, moved by writing it again: the removal of the old one then takes nothing away', async () => {
    const [before, after] = [forOne(HOST_00, 8472), forOne(HOST_01, 9000)]
    const both: readonly Operation[] = [
      { kind: 'add', entry: after },
      { kind: 'remove', entry: before },
    ]
    expect(await lab().kernel.attempt(provider0, [{ kind: 'add', entry: before }])).toEqual([])
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.5 port 8472'])
    expect(await lab().kernel.attempt(provider0, both)).toEqual([])
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.6 port 9000'])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: after }])).toEqual([])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'remove', entry: after }])).toEqual([])
    expect(await slots(lab())).toEqual([])
  })
}

export function neighbours(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test('of both families, and knows them for ours', async () => {
    expect(await lab().kernel.attempt(provider0, adds(THERE, THERE_6))).toEqual([])
    expect(await slots(lab())).toEqual([
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
      'neighbour fd00:234::2 lladdr 02:00:00:00:00:05',
    ])
    expect(await marks(lab())).toEqual(['neighbour 192.168.234.2', 'neighbour fd00:234::2'])
    expect(await lab().kernel.attempt(provider0, drops(THERE, THERE_6))).toEqual([])
    expect([await slots(lab()), await marks(lab())]).toEqual([[], []])
  })

  test('beside entries of all other kinds, in one attempt', async () => {
    expect(await lab().kernel.attempt(provider0, adds(to(HOST_00), fdb(HOST_00), THERE))).toEqual([])
    expect(await slots(lab())).toEqual([
      'fdb 02:00:00:00:00:05 dst 192.168.226.5',
      'flood 192.168.226.5',
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
    ])
    const next = neighbour('192.168.234.3', 6)
    expect(await lab().kernel.attempt(provider0, [...adds(to(HOST_01), next), ...drops(THERE, fdb(HOST_00), to(HOST_00))])).toEqual([])
    expect(await slots(lab())).toEqual(['flood 192.168.226.6', 'neighbour 192.168.234.3 lladdr 02:00:00:00:00:06'])
  })

  test('in the place of what is there, its own or not: it is ours then', async () => {
    await lab().write(provider0, THERE)
    expect([await slots(lab()), await marks(lab())]).toEqual([['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'], []])
    const moved = neighbour('192.168.234.2', 6)
    expect(await lab().kernel.attempt(provider0, [{ kind: 'replace', entry: moved, was: THERE }])).toEqual([])
    expect([await slots(lab()), await marks(lab())]).toEqual([
      ['neighbour 192.168.234.2 lladdr 02:00:00:00:00:06'],
      ['neighbour 192.168.234.2'],
    ])
    expect(await lab().kernel.attempt(provider0, [{ kind: 'replace', entry: THERE, was: moved }])).toEqual([])
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'])
  })

  test('all of them, though some to remove are gone', async () => {
    const gone = ['192.168.234.7', 'fd00:234::7', '192.168.234.8'].map((address) => neighbour(address, 7))
    const operations = [drops(gone[0]!), adds(THERE), drops(gone[1]!), adds(THERE_6), drops(gone[2]!), adds(fdb(HOST_00))].flat()
    expect(await lab().kernel.attempt(provider0, operations)).toEqual([])
    expect(await slots(lab())).toEqual([
      'fdb 02:00:00:00:00:05 dst 192.168.226.5',
      'neighbour 192.168.234.2 lladdr 02:00:00:00:00:05',
      'neighbour fd00:234::2 lladdr 02:00:00:00:00:05',
    ])
  })

  test('to a device that is down, which has them when it comes up', async () => {
    await lab().takeDown(provider0)
    expect(await lab().kernel.attempt(provider0, adds(THERE))).toEqual([])
    await lab().kernel.establish(SPEC)
    expect(await slots(lab())).toEqual(['neighbour 192.168.234.2 lladdr 02:00:00:00:00:05'])
  })

  test('none to a device that is gone, and says so', async () => {
    await lab().deleteDevice(provider0)
    const command = 'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent protocol 118'
    expect(await lab().kernel.attempt(provider0, [...adds(THERE), ...drops(THERE_6)])).toEqual([
      { operation: { kind: 'add', entry: THERE }, command, reason: 'Cannot find device "provider0"' },
    ])
  })
}

export function neighbourTraps(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish({ ...SPEC, addresses: [OVERLAY, OVERLAY_6] })
    await lab().kernel.attempt(provider0, adds(to(HOST_00), fdb(HOST_00), THERE, THERE_6))
  })
  const lasting = ['fdb 02:00:00:00:00:05 dst 192.168.226.5', 'flood 192.168.226.5']

  test('a device that goes down keeps all entries but its neighbours', async () => {
    await lab().takeDown(provider0)
    expect([await slots(lab()), await marks(lab())]).toEqual([lasting, []])
  })

  test('a device that gets another MAC address keeps all entries but its neighbours', async () => {
    await lab().readdress(provider0, sure(parseMac('02:00:00:00:00:77')))
    expect((await lab().kernel.read(SPEC))?.device.mac).toBe('02:00:00:00:00:77')
    expect([await slots(lab()), await marks(lab())]).toEqual([lasting, []])
  })

  test('the neighbours of IPv4 go with its last address, those of IPv6 stay', async () => {
    await lab().kernel.establish({ ...SPEC, addresses: [], formerAddresses: [OVERLAY, OVERLAY_6] })
    expect(await slots(lab())).toEqual([...lasting, 'neighbour fd00:234::2 lladdr 02:00:00:00:00:05'])
  })

  test('neighbours outlive an address that is not the last', async () => {
    const other = sure(parseInterfaceAddress('10.1.1.1/24'))
    await lab().kernel.establish({ ...SPEC, addresses: [other] })
    await lab().kernel.establish({ ...SPEC, addresses: [other], formerAddresses: [OVERLAY] })
    expect(await slots(lab())).toHaveLength(4)
  })

  test('a neighbour goes by its address, whatever MAC address was meant', async () => {
    await lab().write(provider0, neighbour('192.168.234.2', 9))
    expect(await lab().kernel.attempt(provider0, drops(THERE))).toEqual([])
    expect(await slots(lab())).toEqual([...lasting, 'neighbour fd00:234::2 lladdr 02:00:00:00:00:05'])
  })

  test('a neighbour of ours that somebody replaces keeps our mark', async () => {
    await lab().write(provider0, neighbour('192.168.234.2', 9))
    expect(await slots(lab())).toContain('neighbour 192.168.234.2 lladdr 02:00:00:00:00:09')
    expect(await marks(lab())).toEqual(['neighbour 192.168.234.2', 'neighbour fd00:234::2'])
  })

  test.each<[string, string]>([
    ['our own address', '192.168.234.1'],
    ['the unspecified address', '0.0.0.0'],
    ['multicast', '224.0.0.1'],
    ['the broadcast address of our network', '192.168.235.255'],
    ['loopback', '127.0.0.1'],
    ['an address outside of every network of ours', '198.51.100.1'],
  ])('%s is accepted as a neighbour, so somebody else must refuse it', async (_name, address) => {
    expect(await lab().kernel.attempt(provider0, adds(neighbour(address, 5)))).toEqual([])
    expect(await slots(lab())).toContain(`neighbour ${address} lladdr 02:00:00:00:00:05`)
  })
}

export function traps(lab: () => Lab): void {
  beforeEach(async () => {
    await lab().kernel.establish(SPEC)
  })

  test.each<[string, IpAddress]>([
    ['our own address', UNDERLAY],
    ['the unspecified address', ip('0.0.0.0')],
    ['multicast', ip('239.1.1.1')],
    ['broadcast', ip('255.255.255.255')],
    ['loopback', ip('127.0.0.1')],
  ])('%s is accepted as a destination, so somebody else must refuse it', async (_name, destination) => {
    expect(await lab().kernel.attempt(provider0, adds(to(destination)))).toEqual([])
    expect(await destinations(lab(), SPEC)).toEqual([destination])
  })

  test('a delete without a destination wipes them all', async () => {
    await lab().kernel.attempt(provider0, adds(to(HOST_00), to(HOST_01)))
    await lab().wipe(provider0)
    expect(await destinations(lab(), SPEC)).toEqual([])
  })

  test("an entry with the device's own port is one without", async () => {
    await lab().write(provider0, toPort(HOST_00, 4789))
    await lab().write(provider0, to(HOST_00))
    expect(await slots(lab())).toEqual(['flood 192.168.226.5'])
    expect(await lab().kernel.attempt(provider0, drops(to(HOST_00)))).toEqual([])
    expect(await slots(lab())).toEqual([])
  })

  test("a delete without a port takes the one with the device's own, and no other", async () => {
    await lab().write(provider0, toPort(HOST_00, 8472))
    await lab().erase(provider0, to(HOST_00))
    expect(await slots(lab())).toEqual(['flood 192.168.226.5 port 8472'])
  })

  test('a delete without a destination wipes those with other ports too, and leaves those for one device', async () => {
    await lab().write(provider0, toPort(HOST_00, 8472))
    await lab().write(provider0, fdb(HOST_00))
    await lab().wipe(provider0)
    expect(await slots(lab())).toEqual(['fdb 02:00:00:00:00:05 dst 192.168.226.5'])
  })
}
