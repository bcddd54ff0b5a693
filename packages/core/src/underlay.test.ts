import { expect, test } from 'vitest'
import { followHome, homeOf, type HostInterface } from './underlay.ts'
import type { IpAddress } from './values.ts'

function on(name: string, mtu: number, ...addresses: readonly string[]): HostInterface {
  return { name, mtu, addresses: addresses as readonly IpAddress[], wire: undefined }
}

const LOCAL = '10.0.0.4' as IpAddress
const BEFORE = { local: LOCAL, interface: 'eth0', mtu: 1500 }

test.each<[string, readonly HostInterface[], string]>([
  ['stays where it is', [on('eth0', 1500, '10.0.0.4')], '10.0.0.4 on eth0, 1500'],
  ['goes with its address to another interface', [on('eth0', 1500, '10.0.0.9'), on('eth1', 9000, '10.0.0.4')], '10.0.0.4 on eth1, 9000'],
  ['follows the MTU', [on('eth0', 1400, '10.0.0.4')], '10.0.0.4 on eth0, 1400'],
  ['takes the address that came in the place of its own', [on('eth0', 1500, '10.0.0.77')], '10.0.0.77 on eth0, 1500'],
  ['takes one of its own family', [on('eth0', 1500, '2001:db8::4', '10.0.0.77')], '10.0.0.77 on eth0, 1500'],
  ['takes none that packets cannot come back to', [on('eth0', 1500, '169.254.3.4', '10.0.0.77')], '10.0.0.77 on eth0, 1500'],
  ['takes none of another interface', [on('eth0', 1500), on('eth1', 1500, '10.0.0.77')], 'nowhere'],
  ['is nowhere while its interface is gone', [on('lo', 65_536, '127.0.0.1')], 'nowhere'],
])('a tunnel %s', (_name, host, home) => {
  const now = followHome(BEFORE, host)
  expect(now === undefined ? 'nowhere' : `${now.local} on ${now.interface}, ${String(now.mtu)}`).toBe(home)
})

test('of two interfaces with one address that with the shorter packets counts', () => {
  expect(homeOf(LOCAL, [on('eth0', 9000, '10.0.0.4'), on('eth1', 1500, '10.0.0.4')])).toMatchObject({ interface: 'eth1' })
})
