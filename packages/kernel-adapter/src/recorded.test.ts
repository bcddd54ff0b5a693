/**
 * What versions of iproute2 print of one and the same device, recorded on Linux 6.18: 6.1.0 is Debian 12's, 5.9.0 calls itself
 * the one of Debian 11's package 5.10.0-4, 6.15.0 is Debian 13's and 7.3.0 Debian unstable's.
 */
import type { DeviceName } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { parseAddresses, parseEntries, parseIndex, parseLink, parseNeighbours } from './read.ts'

type Recorded = { readonly version: string; readonly device: string; readonly fdb: string; readonly neighbours: string }

const recorded: readonly Recorded[] = [
  {
    version: '5.9.0',
    device:
      '[{"ifindex":2,"ifname":"provider0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":16,"local":"10.0.0.1","port_range":{"low":0,"high":0},"port":4789,"learning":true,"ttl":0,"df":"unset","ageing":300,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false}},"num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"ifalias":"vxmesh:x:16","addr_info":[{"family":"inet","local":"192.168.234.1","prefixlen":23,"scope":"global","label":"provider0","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fd00:234::1","prefixlen":64,"scope":"global","nodad":true,"valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fe80::ff:fe00:1","prefixlen":64,"scope":"link","tentative":true,"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]',
    fdb: '[{"mac":"02:00:00:00:00:09","dst":"10.0.0.9","flags":["self"],"state":""},{"mac":"02:00:00:00:00:05","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.2","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.9","viaIf":"provider0","flags":["self"],"state":"permanent"}]',
    neighbours:
      '[{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:05","state":["PERMANENT"],"protocol":"118"},{"dst":"192.168.234.9","lladdr":"02:00:00:00:00:09","state":["PERMANENT"]}]',
  },
  {
    version: '6.1.0',
    device:
      '[{"ifindex":4,"ifname":"provider0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":16,"local":"10.0.0.1","port_range":{"low":0,"high":0},"port":4789,"learning":true,"ttl":0,"df":"unset","ageing":300,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false}},"num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"tso_max_size":65536,"tso_max_segs":65535,"gro_max_size":65536,"ifalias":"vxmesh:x:16","addr_info":[{"family":"inet","local":"192.168.234.1","prefixlen":23,"scope":"global","label":"provider0","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fd00:234::1","prefixlen":64,"scope":"global","nodad":true,"valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fe80::ff:fe00:1","prefixlen":64,"scope":"link","tentative":true,"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]',
    fdb: '[{"mac":"02:00:00:00:00:09","dst":"10.0.0.9","flags":["self"],"state":""},{"mac":"02:00:00:00:00:05","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.2","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.9","viaIf":"provider0","flags":["self"],"state":"permanent"}]',
    neighbours:
      '[{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:05","state":["PERMANENT"],"protocol":"118"},{"dst":"192.168.234.9","lladdr":"02:00:00:00:00:09","state":["PERMANENT"]}]',
  },
  {
    version: '6.15.0',
    device:
      '[{"ifindex":6,"ifname":"provider0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":16,"local":"10.0.0.1","port_range":{"low":0,"high":0},"port":4789,"ttl":0,"df":"unset","ageing":300,"reserved_bits":"0xf7ffffff000000ff","external":false,"learning":true,"proxy":false,"rsc":false,"l2miss":false,"l3miss":false,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false,"remcsum_tx":false,"remcsum_rx":false,"localbypass":true}},"num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"tso_max_size":65536,"tso_max_segs":65535,"gro_max_size":65536,"gso_ipv4_max_size":65536,"gro_ipv4_max_size":65536,"ifalias":"vxmesh:x:16","addr_info":[{"family":"inet","local":"192.168.234.1","prefixlen":23,"scope":"global","label":"provider0","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fd00:234::1","prefixlen":64,"scope":"global","nodad":true,"valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fe80::ff:fe00:1","prefixlen":64,"scope":"link","tentative":true,"protocol":"kernel_ll","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]',
    fdb: '[{"mac":"02:00:00:00:00:09","dst":"10.0.0.9","flags":["self"],"state":""},{"mac":"02:00:00:00:00:05","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.2","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.9","viaIf":"provider0","flags":["self"],"state":"permanent"}]',
    neighbours:
      '[{"dst":"192.168.234.9","lladdr":"02:00:00:00:00:09","state":["PERMANENT"]},{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:05","state":["PERMANENT"],"protocol":"118"}]',
  },
  {
    version: '7.3.0',
    device:
      '[{"ifindex":8,"ifname":"provider0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":16,"local":"10.0.0.1","port_range":{"low":0,"high":0},"port":4789,"ttl":0,"df":"unset","ageing":300,"reserved_bits":"0xf7ffffff000000ff","external":false,"learning":true,"proxy":false,"rsc":false,"l2miss":false,"l3miss":false,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false,"remcsum_tx":false,"remcsum_rx":false,"localbypass":true}},"num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"tso_max_size":65536,"tso_max_segs":65535,"gro_max_size":65536,"gso_ipv4_max_size":65536,"gro_ipv4_max_size":65536,"ifalias":"vxmesh:x:16","addr_info":[{"family":"inet","local":"192.168.234.1","prefixlen":23,"scope":"global","label":"provider0","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fd00:234::1","prefixlen":64,"scope":"global","nodad":true,"valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fe80::ff:fe00:1","prefixlen":64,"scope":"link","tentative":true,"protocol":"kernel_ll","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]',
    fdb: '[{"mac":"02:00:00:00:00:09","dst":"10.0.0.9","flags":["self"],"state":""},{"mac":"02:00:00:00:00:05","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.2","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.3","port":8472,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"10.0.0.9","viaIf":"provider0","flags":["self"],"state":"permanent"}]',
    neighbours:
      '[{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:05","state":["PERMANENT"],"protocol":"118"},{"dst":"192.168.234.9","lladdr":"02:00:00:00:00:09","state":["PERMANENT"]}]',
  },
]

describe.each(recorded)('the output of iproute2 $version is read', ({ device, fdb, neighbours }) => {
  const link = parseLink(device)

  test('for the device and its index', () => {
    expect(link).toMatchObject({
      ok: true,
      value: { kind: 'vxlan', id: 16, local: '10.0.0.1', port: 4789, mac: '02:00:00:00:00:01', mtu: 1450, alias: 'vxmesh:x:16', up: true },
    })
    expect(parseIndex(device, 'provider0' as DeviceName)).toBeGreaterThan(1)
    expect(parseIndex(device, 'provider1' as DeviceName)).toBeUndefined()
  })

  test('for its addresses', () => {
    const addresses = parseAddresses(device)
    expect(addresses.ok && addresses.value).toEqual(expect.arrayContaining(['192.168.234.1/23', 'fd00:234::1/64']))
  })

  test('for its entries, without those that age or go out by an interface of their own', () => {
    const entries = link.ok && link.value.kind === 'vxlan' ? parseEntries(fdb, link.value) : link
    expect(entries.ok && entries.value instanceof Map && [...entries.value.values()]).toEqual([
      { kind: 'fdb', mac: '02:00:00:00:00:05', underlay: '10.0.0.3', port: 8472 },
      { kind: 'flood', underlay: '10.0.0.2' },
      { kind: 'flood', underlay: '10.0.0.3', port: 8472 },
    ])
  })

  test('for its neighbours, and which of them carry our mark', () => {
    const read = parseNeighbours(neighbours)
    expect(read.ok && [...read.value.entries.keys()].toSorted()).toEqual(['neighbour 192.168.234.2', 'neighbour 192.168.234.9'])
    expect(read.ok && [...read.value.marked]).toEqual(['neighbour 192.168.234.2'])
  })
})

test.each<[string, string]>([
  ['no device', '[]'],
  ['empty elements', '[{}]'],
  ['two devices', '[{"ifindex":1,"ifname":"provider0"},{"ifindex":2,"ifname":"provider1"}]'],
  ['a device that has another name by now', '[{"ifindex":5,"ifname":"other0"}]'],
  ['half of what was to be printed', '[{"ifindex":5,"ifname":"prov'],
])('%s has no index that could be trusted', (_name, text) => {
  expect(parseIndex(text, 'provider0' as DeviceName)).toBeUndefined()
})
