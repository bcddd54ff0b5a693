import { parseIp, parsePort, type IpAddress } from '@vxmesh/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseHost } from './host.ts'
import { parseAddresses, parseEntries, parseLink, parseNeighbours, type VxlanLink } from './read.ts'
import { describeTarget } from './render.ts'

// Recorded from iproute2 6.1 on Linux 6.18.
const RECIPE_LINK =
  '[{"ifindex":4,"ifname":"provider0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"ether","address":"e2:ea:db:4d:46:c5","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":16,"local":"192.168.226.4","port_range":{"low":0,"high":0},"port":8472,"learning":true,"ttl":0,"df":"unset","ageing":300,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false}},"inet6_addr_gen_mode":"eui64","num_tx_queues":1,"num_rx_queues":1}]'
const OUR_LINK_6 =
  '[{"ifindex":6,"ifname":"six","flags":["BROADCAST","MULTICAST"],"mtu":1430,"qdisc":"noop","operstate":"DOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"ether","address":"66:0b:c5:df:c0:82","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"linkinfo":{"info_kind":"vxlan","info_data":{"id":17,"local6":"fd00::1","port_range":{"low":0,"high":0},"port":4789,"learning":true}},"ifalias":"vxmesh:x:17"}]'
const BOUND_LINK =
  '[{"ifindex":7,"ifname":"r0","flags":["BROADCAST","MULTICAST"],"mtu":1450,"link_type":"ether","address":"1e:09:98:52:27:c0","linkinfo":{"info_kind":"vxlan","info_data":{"id":18,"remote":"10.0.0.1","link":"v0","port_range":{"low":0,"high":0},"port":4789,"learning":true}}}]'
const EXTERNAL_LINK =
  '[{"ifindex":5,"ifname":"e0","flags":["BROADCAST","MULTICAST"],"mtu":1500,"link_type":"ether","address":"7a:4c:d8:5b:d5:0a","linkinfo":{"info_kind":"vxlan","info_data":{"external":true,"id":0,"port_range":{"low":0,"high":0},"port":4789,"learning":false}}}]'
const BRIDGE_LINK =
  '[{"ifindex":5,"ifname":"br0","flags":["BROADCAST","MULTICAST"],"mtu":1500,"link_type":"ether","address":"8a:d7:08:13:33:ab","linkinfo":{"info_kind":"bridge","info_data":{"forward_delay":1500,"tcn_timer":0.00}}}]'
const LOOPBACK_LINK =
  '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"link_type":"loopback","address":"00:00:00:00:00:00"}]'

const RECIPE = {
  kind: 'vxlan',
  id: 16,
  local: '192.168.226.4',
  port: 8472,
  bound: undefined,
  mac: 'e2:ea:db:4d:46:c5',
  mtu: 1500,
  alias: undefined,
  up: true,
  master: undefined,
}

describe('a link is read', () => {
  test.each<[string, string, unknown]>([
    ['as the recipe makes it', RECIPE_LINK, RECIPE],
    [
      'with an IPv6 local address and our alias',
      OUR_LINK_6,
      {
        kind: 'vxlan',
        id: 17,
        local: 'fd00::1',
        port: 4789,
        bound: undefined,
        mac: '66:0b:c5:df:c0:82',
        mtu: 1430,
        alias: 'vxmesh:x:17',
        up: false,
        master: undefined,
      },
    ],
    [
      'bound to an interface and without a local address',
      BOUND_LINK,
      {
        kind: 'vxlan',
        id: 18,
        local: undefined,
        port: 4789,
        bound: 'v0',
        mac: '1e:09:98:52:27:c0',
        mtu: 1450,
        alias: undefined,
        up: false,
        master: undefined,
      },
    ],
    ['in external mode', EXTERNAL_LINK, { kind: 'external' }],
    ['as a bridge', BRIDGE_LINK, { kind: 'other', what: 'bridge' }],
    ['as loopback, which is of no kind', LOOPBACK_LINK, { kind: 'other', what: 'loopback' }],
    ['past the empty elements that older versions print', `[{},${RECIPE_LINK.slice(1, -1)},{}]`, RECIPE],
    ['past fields that are yet to be invented', RECIPE_LINK.replace('"id":16', '"id":16,"hue":{"a":[null]}'), RECIPE],
    ['as a port of a bridge', enslaved('bridge'), { ...RECIPE, master: 'm0' }],
    ['as one of a VRF, which is none', enslaved('vrf'), RECIPE],
  ])('%s', (_name, text, link) => {
    expect(parseLink(text)).toEqual({ ok: true, value: link })
  })
})

describe('a link is refused', () => {
  test.each<[string, string, string]>([
    ['when nothing was printed', '', 'one device expected, 0 found'],
    ['when the array is empty', '[]', 'one device expected, 0 found'],
    ['when all elements are empty', '[{}]', 'one device expected, 0 found'],
    ['when there are two', `[${RECIPE_LINK.slice(1, -1)},${RECIPE_LINK.slice(1, -1)}]`, 'one device expected, 2 found'],
    ['when it is not JSON', '4: provider0: <BROADCAST>', 'not JSON'],
    ['when it is cut off', RECIPE_LINK.slice(0, -20), 'not JSON'],
    ['when its id is a word', RECIPE_LINK.replace('"id":16', '"id":"16"'), 'linkinfo.info_data.id: '],
    ['when its port is none', RECIPE_LINK.replace('8472', '0'), 'linkinfo.info_data.port: a port is a whole number'],
    ['when its local address is a name', RECIPE_LINK.replace('192.168.226.4', 'host-00'), 'linkinfo.info_data.local: not an IP address'],
    ['when its MAC is short', RECIPE_LINK.replace('e2:ea:', ''), 'address: not a MAC address'],
  ])('%s', (_name, text, reason) => {
    const link = parseLink(text)
    expect(link.ok ? 'read' : link.reason).toContain(reason)
  })
})

const ADDRESSES =
  '[{"ifindex":4,"ifname":"p0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"ether","address":"76:d7:fe:c1:9e:ba","broadcast":"ff:ff:ff:ff:ff:ff","addr_info":[{"family":"inet","local":"192.168.234.1","prefixlen":23,"scope":"global","label":"p0","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fd00:9::1","prefixlen":64,"scope":"global","tentative":true,"valid_life_time":4294967295},{"family":"inet6","local":"fe80::74d7:feff:fec1:9eba","prefixlen":64,"scope":"link","tentative":true}]}]'

describe('addresses are read', () => {
  test.each<[string, string, readonly string[]]>([
    ['of both families, in order', ADDRESSES, ['192.168.234.1/23', 'fd00:9::1/64', 'fe80::74d7:feff:fec1:9eba/64']],
    ['as none, from nothing', '', []],
    ['as none, from empty elements', '[{},{"addr_info":[{}]}]', []],
    ['without those of another family', '[{"ifname":"a","addr_info":[{"family":"mctp","local":"8","prefixlen":8}]}]', []],
    ['without a /0', '[{"ifname":"a","addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":0}]}]', []],
  ])('%s', (_name, text, addresses) => {
    expect(parseAddresses(text)).toEqual({ ok: true, value: addresses })
  })

  test('or refused, when one is not an address', () => {
    expect(parseAddresses(ADDRESSES.replace('192.168.234.1', 'nowhere'))).toMatchObject({ ok: false })
  })
})

const FDB =
  '[{"mac":"02:00:00:00:00:05","dst":"192.168.226.5","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"192.168.226.5","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"192.168.226.6","port":4000,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"192.168.226.7","viaIf":"v0","flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"192.168.226.8","vni":99,"flags":["self"],"state":"permanent"},{"mac":"00:00:00:00:00:00","dst":"192.168.226.9","flags":["self"],"state":"permanent"}]'
const unicast = (mac: string, fields = '') => `[{"mac":"${mac}","dst":"10.0.0.1",${fields}"flags":["self"],"state":"permanent"}]`
const entry = (fields: string) => `[{"mac":"00:00:00:00:00:00","dst":"10.0.0.1","flags":["self"],${fields}}]`

describe('entries are read', () => {
  test.each<[string, string, readonly string[]]>([
    [
      'with their ports, for all and for one, and without those that have an id or interface of their own',
      FDB,
      ['fdb 02:00:00:00:00:05 dst 192.168.226.5', 'flood 192.168.226.5', 'flood 192.168.226.6 port 4000', 'flood 192.168.226.9'],
    ],
    ['with another port for one device', unicast('02:00:00:00:00:05', '"port":4000,'), ['fdb 02:00:00:00:00:05 dst 10.0.0.1 port 4000']],
    ['without one for a group of devices', unicast('33:33:00:00:00:01'), []],
    ['without one that was learned', unicast('02:00:00:00:00:05').replace('permanent', ''), []],
    ['as none, when nothing was printed', '', []],
    ['as none, from an empty array', '[]', []],
    ['as none, from an empty element', '[{}]', []],
    ['with the port that is the device its own', entry('"port":8472,"state":"permanent"'), ['flood 10.0.0.1']],
    ['with the id that is the device its own', entry('"vni":16,"state":"permanent"'), ['flood 10.0.0.1']],
    ['without one that ages', entry('"state":""'), []],
    ['without one that is static', entry('"state":"static"'), []],
    ['without one via an interface that has no name', entry('"viaIfIndex":9,"state":"permanent"'), []],
    ['without a bridge port own MAC', '[{"mac":"8a:d7:08:13:33:ab","flags":[],"master":"br0","state":"permanent"}]', []],
    ['without a next-hop group', '[{"mac":"00:00:00:00:00:00","nhid":5,"flags":["self"],"state":"permanent"}]', []],
  ])('%s', (_name, text, destinations) => {
    expect(read(text, vxlan({}))).toEqual(destinations)
  })

  test('with the binding that a device made with `remote … dev v0` gives its entry', () => {
    expect(read(entry('"viaIf":"v0","state":"permanent"'), vxlan({ bound: 'v0' }))).toEqual(['flood 10.0.0.1'])
  })

  test('or refused, when a destination is no address', () => {
    expect(parseEntries(entry('"state":"permanent"').replace('10.0.0.1', 'host-00'), vxlan({}))).toEqual({
      ok: false,
      reason: 'not an IP address',
    })
  })
})

const NEIGHBOURS =
  '[{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:02","state":["PERMANENT"],"protocol":"118"},{"dst":"192.168.234.6","lladdr":"02:00:00:00:00:06","extern_learn":null,"state":["PERMANENT"],"protocol":"118"},{"dst":"192.168.234.3","lladdr":"02:00:00:00:00:03","state":["PERMANENT"]},{"dst":"fd00::2","lladdr":"02:00:00:00:00:02","state":["PERMANENT"],"protocol":"118"}]'
const one = (fields: string) => `[{"dst":"192.168.234.2","lladdr":"02:00:00:00:00:02",${fields}}]`

describe('neighbours are read', () => {
  test.each<[string, string, readonly string[], readonly string[]]>([
    [
      'of both families, with those that are marked as ours',
      NEIGHBOURS,
      [
        'neighbour 192.168.234.2 lladdr 02:00:00:00:00:02',
        'neighbour 192.168.234.6 lladdr 02:00:00:00:00:06',
        'neighbour 192.168.234.3 lladdr 02:00:00:00:00:03',
        'neighbour fd00::2 lladdr 02:00:00:00:00:02',
      ],
      ['neighbour 192.168.234.2', 'neighbour 192.168.234.6', 'neighbour fd00::2'],
    ],
    [
      'with a protocol that is printed as a number',
      one('"state":["PERMANENT"],"protocol":118'),
      ['neighbour 192.168.234.2 lladdr 02:00:00:00:00:02'],
      ['neighbour 192.168.234.2'],
    ],
    [
      'with the protocol of somebody else, not as ours',
      one('"state":["PERMANENT"],"protocol":"zebra"'),
      ['neighbour 192.168.234.2 lladdr 02:00:00:00:00:02'],
      [],
    ],
    ['without what ARP found', one('"state":["REACHABLE"]'), [], []],
    ['without what ARP is looking for', '[{"dst":"192.168.234.9","state":["INCOMPLETE"]}]', [], []],
    ['without one of a group', '[{"dst":"ff02::1","lladdr":"33:33:00:00:00:01","state":["PERMANENT"]}]', [], []],
    ['without one whose link address is no MAC address', '[{"dst":"10.0.0.1","lladdr":"192.168.226.5","state":["PERMANENT"]}]', [], []],
    ['as none, when nothing was printed', '', [], []],
    ['as none, from an empty element', '[{}]', [], []],
  ])('%s', (_name, text, entries, marked) => {
    const read = parseNeighbours(text)
    if (!read.ok) throw new Error(read.reason)
    expect([...read.value.entries].map(([place, entry]) => `${place} ${describeTarget(entry)}`)).toEqual(entries)
    expect([...read.value.marked]).toEqual(marked)
  })

  test('or refused, when one is of no address', () => {
    expect(parseNeighbours(NEIGHBOURS.replace('192.168.234.2', 'host-00'))).toEqual({ ok: false, reason: '0.dst: not an IP address' })
  })
})

describe('parsers never throw', () => {
  test.each<[string, (text: string) => unknown]>([
    ['parseLink', parseLink],
    ['parseAddresses', parseAddresses],
    ['parseHost', parseHost],
    ['parseEntries', (text) => parseEntries(text, vxlan({}))],
    ['parseNeighbours', parseNeighbours],
  ])('%s: not on any text, nor on any JSON', (_name, parse) => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parse(text)).toHaveProperty('ok')
      }),
    )
  })

  test.each([RECIPE_LINK, ADDRESSES, FDB, NEIGHBOURS])('nor on a mutilated recording (%#)', (recording) => {
    fc.assert(
      fc.property(fc.nat(recording.length), fc.nat(40), fc.string({ maxLength: 5 }), (from, length, instead) => {
        const text = recording.slice(0, from) + instead + recording.slice(from + length)
        for (const parse of [parseLink, parseAddresses, parseHost, parseNeighbours, (each: string) => parseEntries(each, vxlan({}))]) {
          expect(parse(text)).toHaveProperty('ok')
        }
      }),
    )
  })
})

test('whatever the destinations, the same come back, once each', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => parseIp(text).ok)
  fc.assert(
    fc.property(fc.array(address), (addresses) => {
      const printed = addresses.map((dst) => ({ mac: '00:00:00:00:00:00', dst, flags: ['self'], state: 'permanent', hue: 1 }))
      expect(read(JSON.stringify(printed), vxlan({}))).toEqual([...new Set(addresses.map((address) => `flood ${canonical(address)}`))])
    }),
  )
})

function read(text: string, link: VxlanLink): readonly string[] {
  const entries = parseEntries(text, link)
  if (!entries.ok) throw new Error(entries.reason)
  return [...entries.value].map(([place, entry]) => (entry.kind === 'flood' ? place : `${place} ${describeTarget(entry)}`))
}

/** The recipe's device in another one's hands. */
function enslaved(kind: string): string {
  return RECIPE_LINK.replace('"mtu":', '"master":"m0","mtu":').replace(
    '"info_kind":"vxlan"',
    `"info_kind":"vxlan","info_slave_kind":"${kind}"`,
  )
}

function vxlan(different: Partial<VxlanLink>): VxlanLink {
  const link = parseLink(RECIPE_LINK)
  if (!link.ok || link.value.kind !== 'vxlan' || !parsePort(8472).ok) throw new Error('the recording does not parse')
  return { ...link.value, ...different }
}

function canonical(text: string): IpAddress {
  const address = parseIp(text)
  if (!address.ok) throw new Error(address.reason)
  return address.value
}
