import type { DeviceName } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { mayConcern } from './monitor.ts'

// Recorded from `bridge monitor fdb`, iproute2 6.1.
test.each<[string, string, boolean]>([
  ['an entry of the device', '00:00:00:00:00:00 dev provider0 dst 10.0.0.1 self permanent', true],
  ['a deleted entry of the device', 'Deleted 00:00:00:00:00:00 dev provider0 dst 10.0.0.1 self permanent', true],
  ['an entry of a bridge', '8a:d7:08:13:33:ab dev br0 master br0 permanent', false],
  ['an entry of a device whose name begins alike', '00:00:00:00:00:00 dev provider01 dst 10.0.0.1 self permanent', false],
  ['a complaint', 'netlink receive error No buffer space available (105)', true],
  ['an empty line', '', true],
])('%s', (_name, line, concerns) => {
  expect(mayConcern(line, 'provider0' as DeviceName)).toBe(concerns)
})
