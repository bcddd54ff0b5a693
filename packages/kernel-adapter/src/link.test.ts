import type { DeviceName, HostInterface, InterfaceAddress, IpAddress, MacAddress, Port, TunnelSpec, Vni } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { decide, deviceOf, restore, type Present } from './link.ts'
import type { VxlanLink } from './read.ts'
import { stepCommand, words } from './render.ts'

const HERE = '192.168.226.4' as IpAddress
const THERE = '192.168.226.14' as IpAddress
const OVERLAY = '192.168.234.1/23' as InterfaceAddress
const OVERLAY_6 = 'fd00:234::1/64' as InterfaceAddress
const FORMER = '192.168.234.9/23' as InterfaceAddress
const FORMER_6 = 'fd00:234::1/48' as InterfaceAddress
const FOREIGN = '192.168.235.7/23' as InterfaceAddress

const SPEC: TunnelSpec = {
  device: 'provider0' as DeviceName,
  mode: 'vxlan',
  id: 16 as Vni,
  local: HERE,
  port: undefined,
  addresses: [OVERLAY],
  alias: 'vxmesh:M:16',
}

const HOST: readonly HostInterface[] = [
  { name: 'lo', mtu: 65536, addresses: ['127.0.0.1' as IpAddress], wire: undefined },
  { name: 'eth0', mtu: 1500, addresses: [HERE, THERE, 'fe80::1' as IpAddress], wire: undefined },
  { name: 'eth1', mtu: 9000, addresses: ['fd00::4' as IpAddress], wire: undefined },
]

const LINK: VxlanLink = {
  kind: 'vxlan',
  id: 16,
  local: HERE,
  port: 8472 as Port,
  bound: undefined,
  mac: '02:00:00:00:00:01' as MacAddress,
  mtu: 1500,
  alias: undefined,
  up: true,
  master: undefined,
}

const there = (link: Partial<VxlanLink> = {}, addresses: readonly InterfaceAddress[] = [OVERLAY]): Present => ({
  link: { ...LINK, ...link },
  addresses,
})
const ours = (link: Partial<VxlanLink> = {}): Present => there({ alias: SPEC.alias, port: 4789 as Port, ...link })

describe('the commands are', () => {
  test.each<[string, Partial<TunnelSpec>, Present | undefined, readonly string[]]>([
    [
      'all of them, when there is no device',
      {},
      undefined,
      [
        'ip link add name provider0 mtu 1450 type vxlan id 16 local 192.168.226.4 dstport 4789 learning',
        'ip link set dev provider0 alias vxmesh:M:16',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip link set dev provider0 up',
      ],
    ],
    [
      '70 bytes short of a jumbo underlay of IPv6, on the port asked for, without addresses',
      { local: 'fd00::4' as IpAddress, port: 8472 as Port, addresses: [] },
      undefined,
      [
        'ip link add name provider0 mtu 8930 type vxlan id 16 local fd00::4 dstport 8472 learning',
        'ip link set dev provider0 alias vxmesh:M:16',
        'ip link set dev provider0 up',
      ],
    ],
    ['none, when somebody made all of it', {}, there(), []],
    ['none, when we made all of it', {}, ours(), []],
    ['none for the local address, when none is asked for', { local: undefined }, there({ local: THERE }), []],
    ['none for the port, when the one it has is asked for', { port: 8472 as Port }, there(), []],
    [
      'those for what is missing, and neither MTU nor alias, when somebody made the device',
      { addresses: [OVERLAY, OVERLAY_6, OVERLAY_6] },
      there({ up: false, mtu: 1500 }),
      ['ip address add fd00:234::1/64 dev provider0', 'ip link set dev provider0 up'],
    ],
    [
      'one, when the host has moved and the device is ours',
      { local: THERE },
      ours(),
      ['ip link set dev provider0 type vxlan id 16 local 192.168.226.14'],
    ],
    [
      'one, when somebody took the local address from a device of ours',
      {},
      ours({ local: undefined }),
      ['ip link set dev provider0 type vxlan id 16 local 192.168.226.4'],
    ],
    [
      'for an address that changed: the new one first, then the former one goes, and no other',
      { formerAddresses: [FORMER] },
      there({}, [FORMER, FOREIGN]),
      ['ip address add 192.168.234.1/23 dev provider0', 'ip address delete 192.168.234.9/23 dev provider0'],
    ],
    [
      'for former addresses the last one first, since the kernel deletes it together with the first',
      { formerAddresses: [FORMER, FOREIGN] },
      there({}, [FORMER, OVERLAY, FOREIGN]),
      ['ip address delete 192.168.235.7/23 dev provider0', 'ip address delete 192.168.234.9/23 dev provider0'],
    ],
    [
      'for another prefix length the former address first, beside which the new one is refused',
      { addresses: [OVERLAY, OVERLAY_6], formerAddresses: [FORMER, FORMER_6] },
      there({}, [FORMER, FORMER_6]),
      [
        'ip address delete fd00:234::1/48 dev provider0',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip address add fd00:234::1/64 dev provider0',
        'ip address delete 192.168.234.9/23 dev provider0',
      ],
    ],
    ['none for a former address that is gone, or is asked for again', { formerAddresses: [FORMER, OVERLAY] }, ours(), []],
  ])('%s', (_name, asked, present, commands) => {
    const spec = { ...SPEC, ...asked }
    const steps = decide(spec, present, HOST)
    expect(steps.ok ? steps.value.map((step) => words(stepCommand(spec, step))) : steps.reason).toEqual(commands)
  })

  test('with the smallest MTU of those interfaces that have the address', () => {
    const host = [...HOST, { name: 'eth2', mtu: 1400, addresses: [HERE], wire: undefined }]
    expect(decide(SPEC, undefined, host)).toMatchObject({ value: [{ kind: 'create', mtu: 1350 }, {}, {}, {}] })
  })
})

describe('after a former address went, what is brought back is', () => {
  const elsewhere = '10.0.0.7/23' as InterfaceAddress
  test.each<[string, Partial<TunnelSpec>, readonly InterfaceAddress[], readonly InterfaceAddress[], readonly InterfaceAddress[]]>([
    ['all of its network that went along', {}, [FORMER, elsewhere, FOREIGN], [elsewhere], [OVERLAY, FOREIGN]],
    ['nothing that stayed', {}, [FORMER, FOREIGN], [OVERLAY, FOREIGN], []],
    ['nothing of another network or length', {}, [FORMER, elsewhere, '192.168.234.5/24' as InterfaceAddress], [OVERLAY], []],
    ['no other former one', { formerAddresses: [FORMER, FOREIGN] }, [FORMER, FOREIGN], [OVERLAY], []],
    ['nothing, when there was no former one', { formerAddresses: [] }, [FORMER], [], []],
    [
      'nothing in IPv6, where they do not depend on each other',
      { addresses: [OVERLAY_6], formerAddresses: ['fd00:234::9/64' as InterfaceAddress] },
      ['fd00:234::9/64' as InterfaceAddress, 'fd00:234::7/64' as InterfaceAddress],
      [OVERLAY_6],
      [],
    ],
  ])('%s', (_name, asked, before, after, back) => {
    const steps = restore({ ...SPEC, formerAddresses: [FORMER], ...asked }, before, after)
    expect(steps).toEqual(back.map((address) => ({ kind: 'address', address })))
  })
})

describe('refused is', () => {
  test.each<[string, Partial<TunnelSpec>, Present | undefined, string]>([
    [
      'to make a device without an address to send from',
      { local: undefined },
      undefined,
      '--local: there is no device provider0; to make it, give the address of this host to send from: ' +
        'it has 192.168.226.4 (eth0), 192.168.226.14 (eth0), fd00::4 (eth1)',
    ],
    [
      'to make a device for an address that is elsewhere',
      { local: '192.168.226.5' as IpAddress },
      undefined,
      '--local: 192.168.226.5 is not an address of this host: it has 192.168.226.4 (eth0), 192.168.226.14 (eth0), fd00::4 (eth1)',
    ],
    [
      'a device of another kind',
      {},
      { link: { kind: 'other', what: 'bridge' }, addresses: [] },
      '--device: provider0 is a device of kind bridge, not vxlan; ' +
        'choose another device name, or delete it first (ip link delete dev provider0)',
    ],
    [
      'a device in external mode',
      {},
      { link: { kind: 'external' }, addresses: [] },
      '--device: provider0 is a vxlan device in external mode, without an id of its own; ' +
        'choose another device name, or delete it first (ip link delete dev provider0)',
    ],
    [
      'a device with another id, ours or not',
      {},
      ours({ id: 17 }),
      '--device: provider0 carries VXLAN id 17, not 16; choose another device name, or delete it first (ip link delete dev provider0)',
    ],
    [
      'another port than the device has, ours or not',
      { port: 8472 as Port },
      ours(),
      '--vxlan-port: provider0 uses port 4789, not 8472, and a port cannot change on a device that exists; ' +
        'leave --vxlan-port out, or delete the device first (ip link delete dev provider0)',
    ],
    [
      'to change the local address of a device that somebody made',
      { local: THERE },
      there(),
      '--local: provider0 sends from 192.168.226.4, not 192.168.226.14; leave --local out, ' +
        'or change the device first (ip link set dev provider0 type vxlan id 16 local 192.168.226.14)',
    ],
    [
      'a device that somebody made without a local address',
      {},
      there({ local: undefined }),
      '--local: provider0 has no local address, so the others cannot know where it sends from; ' +
        'give it one first (ip link set dev provider0 type vxlan id 16 local 192.168.226.4)',
    ],
    [
      'a device without a local address, and none asked for',
      { local: undefined },
      ours({ local: undefined }),
      '--device: provider0 has no local address, so the others cannot know where it sends from; ' +
        'give it one first (ip link set dev provider0 type vxlan id 16 local ADDRESS)',
    ],
    [
      'to move a device of ours to another address family',
      { local: 'fd00::4' as IpAddress },
      ours(),
      '--local: provider0 sends from 192.168.226.4, and the address family cannot change on a device that exists; ' +
        'delete it first (ip link delete dev provider0)',
    ],
    [
      'to move a device of ours to an address that is elsewhere',
      { local: '192.168.226.5' as IpAddress },
      ours(),
      '--local: 192.168.226.5 is not an address of this host: it has 192.168.226.4 (eth0), 192.168.226.14 (eth0), fd00::4 (eth1)',
    ],
  ])('%s', (_name, asked, present, refusal) => {
    const steps = decide({ ...SPEC, ...asked }, present, HOST)
    expect(steps.ok ? steps.value : `${steps.reason.where}: ${steps.reason.reason}`).toBe(refusal)
  })

  test('to send from an address inside the tunnel', () => {
    const overlay = { name: 'provider0', mtu: 1450, addresses: ['192.168.234.1' as IpAddress], wire: undefined }
    const steps = decide({ ...SPEC, local: '192.168.234.1' as IpAddress }, ours(), [...HOST, overlay])
    expect(steps).toMatchObject({ ok: false, reason: { where: '--local' } })
  })

  test('nothing of a long list of addresses but the first six', () => {
    const many = [1, 2, 3, 4, 5, 6, 7].map((last) => `10.0.0.${String(last)}` as IpAddress)
    const steps = decide({ ...SPEC, local: undefined }, undefined, [{ name: 'eth0', mtu: 1500, addresses: many, wire: undefined }])
    expect(steps.ok ? '' : steps.reason.reason).toMatch(/10\.0\.0\.6 \(eth0\) and more$/)
  })
})

describe('the device', () => {
  test.each<[string, Present, unknown]>([
    ['is adopted without our alias', there(), { origin: 'adopted', port: 8472, local: HERE, addresses: [OVERLAY] }],
    ['is adopted with the alias of another mesh', there({ alias: 'vxmesh:N:16' }), { origin: 'adopted' }],
    ['is made with it', ours(), { origin: 'made', port: 4789, up: true }],
    ['may be down', ours({ up: false }), { up: false }],
    ['has no automatic address', there({}, [OVERLAY, 'fe80::1/64' as InterfaceAddress]), { addresses: [OVERLAY] }],
    ['has all others', there({}, [OVERLAY, 'fd00:7::1/64' as InterfaceAddress]), { addresses: [OVERLAY, 'fd00:7::1/64'] }],
  ])('%s', (_name, present, device) => {
    expect(deviceOf(SPEC, present)).toMatchObject({ ok: true, value: device })
  })

  test('has a link-local address that was asked for', () => {
    const local = 'fe80::5/64' as InterfaceAddress
    expect(deviceOf({ ...SPEC, addresses: [local] }, there({}, [local]))).toMatchObject({ value: { addresses: [local] } })
  })
})
