import type { DeviceName } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { mayConcern } from './monitor.ts'

// Recorded from `bridge monitor fdb` and `ip monitor link address neigh`, iproute2 6.1.
test.each<[string, string, boolean]>([
  ['an entry of the device', '00:00:00:00:00:00 dev provider0 dst 10.0.0.1 self permanent', true],
  ['a deleted entry of the device', 'Deleted 00:00:00:00:00:00 dev provider0 dst 10.0.0.1 self permanent', true],
  ['an entry of a bridge', '8a:d7:08:13:33:ab dev br0 master br0 permanent', false],
  ['an entry of a device whose name begins alike', '00:00:00:00:00:00 dev provider01 dst 10.0.0.1 self permanent', false],
  ['a neighbour of the device', '192.168.234.2 dev provider0 lladdr 02:00:00:00:00:05 PERMANENT proto 118', true],
  ['a deleted neighbour of the device', 'Deleted 192.168.234.2 dev provider0 lladdr 02:00:00:00:00:05 PERMANENT proto 118', true],
  ['a neighbour of another device', '10.0.0.1 dev eth0 lladdr 02:42:0a:00:00:01 REACHABLE', false],
  ['a device', '4: provider0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default', true],
  ['an address, of whatever device', '4: eth0    inet 10.0.0.1/24 scope global eth0', true],
  ['a complaint', 'netlink receive error No buffer space available (105)', true],
  ['an empty line', '', true],
])('%s', (_name, line, concerns) => {
  expect(mayConcern(line, 'provider0' as DeviceName)).toBe(concerns)
})
