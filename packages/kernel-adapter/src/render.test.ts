import type { DeviceName, Entry, IpAddress, MacAddress, Operation, Port } from '@vxmesh/core'
import { expect, test } from 'vitest'
import {
  batchOf,
  deleteLink,
  describe as inWords,
  describeTarget,
  keptOf,
  lineOf,
  MONITORS,
  SHOW_HOST,
  SHOW_UNREACHABLE,
  showDevice,
  showFdb,
  showNeighbours,
  showRoutes,
  words,
} from './render.ts'

const device = 'provider0' as DeviceName
const MAC = '02:00:00:00:00:05' as MacAddress
const PORT = 8472 as Port
const NEIGHBOUR = { kind: 'neighbour', overlay: '192.168.234.2' as IpAddress, mac: MAC } as const
const operation = (kind: 'add' | 'remove', underlay: string): Operation => ({
  kind,
  entry: { kind: 'flood', underlay: underlay as IpAddress },
})

test.each<[string, string, string]>([
  ['a device is shown with its details and addresses', words(showDevice(device)), 'ip -json -details address show dev provider0'],
  ['the host is shown', words(SHOW_HOST), 'ip -json -details address show'],
  ['the forwarding table is shown', words(showFdb(device)), 'bridge -json fdb show dev provider0'],
  [
    'neighbours that stay are shown, their protocol as a number',
    words(showNeighbours(device)),
    'ip -N -json neighbour show dev provider0 nud permanent',
  ],
  [
    'routes through a device are shown, of both families',
    words(showRoutes(device)),
    'ip -N -json route show table all dev provider0 type unicast',
  ],
  ['what is unreachable is shown', words(SHOW_UNREACHABLE), 'ip -N -json route show table all type unreachable'],
  ['a link is deleted', words(deleteLink(device)), 'ip link delete dev provider0'],
  ['a batch goes on after an error', words(batchOf('bridge')), 'bridge -force -batch -'],
  ['a tool that is kept takes its options once', words(keptOf('ip')), 'ip -N -json -details -force -batch -'],
  ['and its lines without them', lineOf(showDevice(device)), 'address show dev provider0'],
  [
    'entries are watched, and links, addresses and neighbours',
    MONITORS.vxlan.map(words).join(),
    'bridge monitor fdb,ip monitor link address neigh',
  ],
  ['with GRE, routes as well', MONITORS.gre.map(words).join(), 'ip monitor link address neigh route'],
])('%s', (_name, command, typed) => {
  expect(command).toBe(typed)
})

test.each<[string, Operation, string]>([
  [
    'an addition is an append, which may be repeated',
    operation('add', '192.168.226.5'),
    'bridge fdb append 00:00:00:00:00:00 dst 192.168.226.5 dev provider0',
  ],
  [
    'a removal names its destination, lest it wipe them all',
    operation('remove', 'fd00::5'),
    'bridge fdb delete 00:00:00:00:00:00 dst fd00::5 dev provider0',
  ],
  [
    'another port is named',
    { kind: 'add', entry: { kind: 'flood', underlay: '192.168.226.5' as IpAddress, port: PORT } },
    'bridge fdb append 00:00:00:00:00:00 dst 192.168.226.5 port 8472 dev provider0',
  ],
  [
    'an addition for one device is a replacement, which takes the place of what was learned',
    { kind: 'add', entry: { kind: 'fdb', mac: MAC, underlay: '192.168.226.5' as IpAddress, port: PORT } },
    'bridge fdb replace 02:00:00:00:00:05 dst 192.168.226.5 port 8472 dev provider0',
  ],
  [
    'a removal for one device names its destination too, lest it take what has replaced it',
    { kind: 'remove', entry: { kind: 'fdb', mac: MAC, underlay: '192.168.226.5' as IpAddress, port: PORT } },
    'bridge fdb delete 02:00:00:00:00:05 dst 192.168.226.5 port 8472 dev provider0',
  ],
  [
    'a neighbour stays, carries our mark, and takes the place of what is there',
    { kind: 'add', entry: NEIGHBOUR },
    'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent protocol 118',
  ],
  [
    'a replacement is written as an addition is',
    { kind: 'replace', entry: NEIGHBOUR, was: { ...NEIGHBOUR, mac: '02:00:00:00:00:06' as MacAddress } },
    'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent protocol 118',
  ],
  [
    'a neighbour in IPv6 is one like others',
    { kind: 'add', entry: { ...NEIGHBOUR, overlay: 'fd00::2' as IpAddress } },
    'ip neighbour replace fd00::2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent protocol 118',
  ],
  ['a neighbour goes by its address', { kind: 'remove', entry: NEIGHBOUR }, 'ip neighbour delete 192.168.234.2 dev provider0'],
])('%s', (_name, given, typed) => {
  expect(inWords(given, device)).toBe(typed)
})

test.each<[string, Entry, string]>([
  ['an fdb entry', { kind: 'fdb', mac: MAC, underlay: '192.168.226.5' as IpAddress, port: PORT }, 'dst 192.168.226.5 port 8472'],
  ['a neighbour', NEIGHBOUR, 'lladdr 02:00:00:00:00:05'],
])('%s is told by where it leads', (_name, entry, typed) => {
  expect(describeTarget(entry)).toBe(typed)
})
