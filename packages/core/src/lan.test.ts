import { describe, expect, test } from 'vitest'
import { lansOf, neighbourhood, type Wire } from './lan.ts'
import type { HostInterface } from './underlay.ts'
import { hostOf, type InterfaceAddress, type IpAddress } from './values.ts'

const LOCAL = '10.0.0.4' as IpAddress

/** An interface: name, what it is made of, its networks. */
function on(name: string, kinds: string, networks: readonly string[] = [], multicast = true): HostInterface {
  const [own = 'card', ...parts] = kinds.split(' ')
  const wire: Wire = { index: 2, networks: networks as readonly InterfaceAddress[], multicast, kinds: [own, ...parts] }
  return { name, mtu: 1500, addresses: wire.networks.map(hostOf), wire }
}

const ETH0 = on('eth0', 'card', ['10.0.0.4/24', 'fe80::4/64'])

describe('members are looked for, unless told where', () => {
  test.each<[string, HostInterface]>([
    ['on a network card', ETH0],
    ['on the card of a container', on('eth0', 'veth', ['10.0.0.4/24'])],
    ['on a VLAN', on('eth0.7', 'vlan card', ['10.7.0.4/24'])],
    ['on a bond', on('bond0', 'bond card card', ['10.0.0.4/24'])],
    ['on a bridge with a card, guests or not', on('br0', 'bridge card tun', ['10.0.0.4/24'])],
    ['on a bridge that looks like that of containers and has the underlay address', on('br0', 'bridge veth', ['10.0.0.4/24'])],
    ['on a link of two', on('eth0', 'card', ['10.0.0.4/31'])],
    ['where there is IPv6 only', on('eth0', 'card', ['fd00::4/64', 'fe80::4/64'])],
    ['where an address is public', on('eth0', 'card', ['198.51.100.4/24'])],
  ])('%s', (_where, there) => {
    expect(lansOf([there], [], [LOCAL])).toMatchObject({ found: [{ name: there.name, index: 2 }], lacking: undefined })
  })

  test.each<[string, HostInterface, string]>([
    ['on a tunnel', on('vx1', 'vxlan', ['10.0.0.4/24']), 'vx1 is a tunnel, or leads into one'],
    ['on WireGuard', on('wg0', 'wireguard', ['10.0.0.4/24'], false), 'wg0 is down or takes no multicast'],
    ['on a VLAN in a tunnel', on('vx1.7', 'vlan vxlan', ['10.0.0.4/24']), 'vx1.7 is a tunnel, or leads into one'],
    ['on a bridge into a tunnel', on('br0', 'bridge card vxlan', ['10.0.0.4/24']), 'br0 is a tunnel, or leads into one'],
    ['on a dummy', on('dummy0', 'dummy', ['10.0.0.4/24']), 'dummy0 leads nowhere'],
    ['where the network is one host', on('eth0', 'card', ['10.0.0.4/32', 'fe80::4/64']), 'eth0 has no network with room for others'],
  ])('not %s', (_where, there, lacking) => {
    expect(lansOf([there], [], [LOCAL])).toEqual({ found: [], lacking })
  })

  test.each<[string, HostInterface]>([
    ['of containers', on('docker0', 'bridge veth veth', ['172.17.0.1/16'])],
    ['without any port', on('br-0a1b2c3d4e5f', 'bridge', ['172.18.0.1/16'])],
    ['of virtual machines', on('virbr0', 'bridge tun', ['192.168.122.1/24'])],
  ])('not on a bridge %s', (_what, there) => {
    expect(lansOf([there, ETH0], [], [LOCAL]).found.map(({ name }) => name)).toEqual(['eth0'])
    expect(lansOf([there], [], [LOCAL])).toEqual({ found: [], lacking: 'no interface of this host leads to a LAN' })
  })

  test('on all that lead to one, with the networks that have room for others', () => {
    const eth1 = on('eth1', 'card', ['192.168.1.4/24', '192.168.1.5/32'])
    expect(lansOf([ETH0, eth1], [], [LOCAL]).found.map(({ networks }) => networks)).toEqual([
      ['10.0.0.4/24', 'fe80::4/64'],
      ['192.168.1.4/24'],
    ])
  })

  test('nowhere in memory', () => {
    expect(lansOf([{ ...ETH0, wire: undefined }], [], [LOCAL]).found).toEqual([])
  })
})

describe('where members are to be looked for is', () => {
  const docker0 = on('docker0', 'bridge veth', ['172.17.0.1/16'])
  test.each<[string, readonly string[], readonly string[], string | undefined]>([
    ['one of several', ['eth0'], ['eth0'], undefined],
    ['another than would be by itself', ['docker0'], ['docker0'], undefined],
    ['several', ['docker0', 'eth0'], ['eth0', 'docker0'], undefined],
    ['one that is not there yet', ['eth7', 'eth0'], ['eth0'], 'there is no interface eth7 yet'],
    ['one that is down', ['eth1'], [], 'eth1 is down or takes no multicast'],
  ])('%s', (_what, chosen, found, lacking) => {
    const lans = lansOf([ETH0, docker0, on('eth1', 'card', ['10.1.0.4/24'], false)], chosen, [LOCAL])
    expect([lans.found.map(({ name }) => name), lans.lacking]).toEqual([found, lacking])
  })
})

test.each<[string, boolean]>([
  ['10.0.0.77', true],
  ['10.0.1.77', false],
  ['fe80::9', true],
  ['2001:db8::1', false],
])('%s is on the link: %s', (address, near) => {
  expect(neighbourhood(lansOf([ETH0], [], [LOCAL]).found)(address as IpAddress)).toBe(near)
})
