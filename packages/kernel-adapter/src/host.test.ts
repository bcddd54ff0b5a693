import { describe, expect, test } from 'vitest'
import { parseHost } from './host.ts'

/** An interface as `ip -json -details address show` has it, all but what does not matter. */
function shown(index: number, name: string, fields: object, ...networks: readonly string[]): object {
  const addresses = networks.map((network) => {
    const [local = '', length] = network.split('/')
    return { family: local.includes(':') ? 'inet6' : 'inet', local, prefixlen: Number(length), scope: 'global' }
  })
  return { ifindex: index, ifname: name, flags: ['BROADCAST', 'MULTICAST', 'UP'], mtu: 1500, addr_info: addresses, ...fields }
}

function of(kind: string, fields: object = {}): object {
  return { linkinfo: { info_kind: kind }, ...fields }
}

/** How each interface was read: its kinds, and where it takes no multicast, that. */
function kindsOf(...elements: readonly object[]): Record<string, string> {
  const host = parseHost(JSON.stringify(elements))
  if (!host.ok) throw new Error(host.reason)
  return Object.fromEntries(
    host.value.map(({ name, wire }) => [name, `${wire?.kinds.join(' ') ?? '?'}${wire?.multicast === true ? '' : ', no multicast'}`]),
  )
}

describe('the host is read', () => {
  test('as its interfaces, with MTU, addresses and networks', () => {
    const lo = shown(1, 'lo', { flags: ['LOOPBACK', 'UP'], mtu: 65_536 }, '127.0.0.1/8', '::1/128')
    const veth = shown(2, 'eth0@odd+name', { link_index: 9, mtu: 1400, ...of('veth') })
    expect(parseHost(JSON.stringify([lo, {}, veth]))).toEqual({
      ok: true,
      value: [
        {
          name: 'lo',
          mtu: 65_536,
          addresses: ['127.0.0.1', '::1'],
          wire: { index: 1, networks: ['127.0.0.1/8', '::1/128'], multicast: false, kinds: ['card'] },
        },
        { name: 'eth0@odd+name', mtu: 1400, addresses: [], wire: { index: 2, networks: [], multicast: true, kinds: ['veth'] } },
      ],
    })
  })

  test('with what bridges and VLANs are made of, through and through', () => {
    const eth0 = shown(2, 'eth0', { master: 'br0' })
    const tap = shown(3, 'tap0', of('tun', { master: 'br0' }))
    const bridge = shown(4, 'br0', of('bridge'), '10.0.0.4/24')
    const vlan = shown(5, 'br0.7', of('vlan', { link: 'br0' }), '10.7.0.4/24')
    expect(kindsOf(eth0, tap, bridge, vlan)).toEqual({ eth0: 'card', tap0: 'tun', br0: 'bridge card tun', 'br0.7': 'vlan bridge card tun' })
  })

  test('with a veth as just that: its other end is no part of it', () => {
    expect(kindsOf(shown(2, 'eth0', of('veth', { link: 'vx0' })), shown(3, 'vx0', of('vxlan')))).toMatchObject({ eth0: 'veth' })
  })

  test('to its end, where interfaces stand on each other in a circle', () => {
    const one = shown(2, 'a', of('macvlan', { link: 'b' }))
    const other = shown(3, 'b', of('macvlan', { link: 'a' }))
    expect(kindsOf(one, other)).toMatchObject({ a: expect.stringMatching(/^macvlan macvlan/) })
  })

  test.each([
    ['is down', { flags: ['BROADCAST', 'MULTICAST'] }],
    ['leads to one other only', { flags: ['POINTOPOINT', 'MULTICAST', 'NOARP', 'UP'] }],
    ['takes none', { flags: ['BROADCAST', 'UP'] }],
  ])('as without multicast where an interface %s', (_what, fields) => {
    expect(kindsOf(shown(2, 'eth0', fields))).toEqual({ eth0: 'card, no multicast' })
  })
})
