import type { DeviceName } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { mayConcern } from './monitor.ts'

// Recorded from `bridge monitor fdb` and `ip monitor link address neigh route`, iproute2 6.1.
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
  ['a route of the device', '192.168.234.2 dev provider0 proto 118 scope link ', true],
  ['a route of another device', 'Deleted 10.0.0.0/8 via 192.168.226.1 dev eth0 proto bgp metric 20 ', false],
  ['what is unreachable', 'unreachable 192.168.234.0/24 proto 118 metric 4278198272 ', true],
  ['what is unreachable, with IPv6', 'Deleted unreachable fd00:234::/65 dev lo proto 118 metric 4278198272 pref medium', true],
  ['a complaint', 'netlink receive error No buffer space available (105)', true],
  ['an empty line', '', true],
])('%s', (_name, line, concerns) => {
  expect(mayConcern(line, 'provider0' as DeviceName)).toBe(concerns)
})
