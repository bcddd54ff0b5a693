import { hostname } from 'node:os'
import { MeshError } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { DEFAULTS } from './defaults.ts'
import { askedOf, parseUpOptions, type RawUpOptions } from './options.ts'
import { BY_FLAGS } from './source.ts'

/** The flags that must be given, and the defaults of the others. */
const LEAST: RawUpOptions = { ...DEFAULTS, device: 'provider0', id: '16', address: [], seed: [], discover: [], underlay: [] }

function refusal(parts: Partial<RawUpOptions>, least = LEAST): string {
  try {
    parseUpOptions({ ...least, ...parts })
  } catch (error) {
    if (error instanceof MeshError && error.failure.code === 'USAGE') return error.message
    throw error
  }
  return 'accepted'
}

test('with no more than must be given, everything suits root on a real host', () => {
  const { name, ...rest } = parseUpOptions(LEAST)
  expect(rest).toEqual({
    invite: undefined,
    tunnels: [
      {
        device: 'provider0',
        mode: 'vxlan',
        id: 16,
        local: undefined,
        localInterface: undefined,
        addresses: [],
        port: undefined,
        mtu: undefined,
        master: undefined,
      },
    ],
    seeds: [],
    discover: [],
    stateDir: '/var/lib/vxmesh',
    control: '/run/vxmesh/control.sock',
    port: 4788,
    logLevel: 'info',
    guard: false,
    underlay: [],
    kernel: 'iproute2',
    source: BY_FLAGS,
  })
  expect(
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '-'),
  ).toContain(name.split('-')[0])
})

test('every flag is taken', () => {
  const raw: RawUpOptions = {
    invite: 'mesh.invite',
    device: 'vx.16',
    mode: 'vxlan',
    id: '16777215',
    local: '192.168.226.4',
    address: ['192.168.234.1/23', '2001:DB8::1/64'],
    seed: ['host-00', '192.168.226.5:5000'],
    discover: ['eth0'],
    stateDir: '/tmp/state',
    control: 'control.sock',
    name: 'bastion',
    port: '5000',
    vxlanPort: '8472',
    mtu: '1400',
    master: 'br-ex',
    guard: 'on',
    underlay: ['10.0.0.0/8', 'FD00::/8'],
    logLevel: 'debug',
    kernel: 'memory',
  }
  expect(parseUpOptions(raw)).toEqual({
    invite: 'mesh.invite',
    tunnels: [
      {
        device: 'vx.16',
        mode: 'vxlan',
        id: 16_777_215,
        local: '192.168.226.4',
        localInterface: undefined,
        addresses: ['192.168.234.1/23', '2001:db8::1/64'],
        port: 8472,
        mtu: 1400,
        master: 'br-ex',
      },
    ],
    seeds: ['host-00', '192.168.226.5:5000'],
    discover: 'off',
    stateDir: '/tmp/state',
    control: 'control.sock',
    name: 'bastion',
    port: 5000,
    logLevel: 'debug',
    guard: true,
    underlay: ['10.0.0.0/8', 'fd00::/8'],
    kernel: 'memory',
    source: BY_FLAGS,
  })
})

test('the underlay address may be given by the interface that has it', () => {
  expect(parseUpOptions({ ...LEAST, local: 'eth0' }).tunnels).toMatchObject([{ local: undefined, localInterface: 'eth0' }])
})

test('with the kernel in memory the underlay address may be on loopback', () => {
  expect(parseUpOptions({ ...LEAST, kernel: 'memory', local: '127.0.0.1' }).tunnels).toMatchObject([{ local: '127.0.0.1' }])
})

test('without a device or an id it is refused by the flag that is missing', () => {
  const { device: _device, ...anywhere } = LEAST
  const { id: _id, ...anything } = LEAST
  expect(refusal({}, anywhere)).toBe('--device: needed, the device of the tunnel')
  expect(refusal({}, anything)).toBe('--id: needed, the VXLAN id')
})

describe('a tunnel of GRE', () => {
  const { id: _id, ...least } = { ...LEAST, mode: 'gre' }

  test('has a key, or none', () => {
    expect(parseUpOptions({ ...least, key: '1234' }).tunnels).toMatchObject([{ mode: 'gre', id: 1234 }])
    expect(parseUpOptions(least).tunnels).toMatchObject([{ mode: 'gre', id: undefined }])
  })

  test('is asked for again as it was', () => {
    expect(askedOf(parseUpOptions({ ...least, key: '0' })).tunnels).toMatchObject([{ mode: 'gre', key: '0' }])
    const asked = askedOf(parseUpOptions({ ...LEAST, mtu: 'mesh', master: 'br0' })).tunnels
    expect(asked).toMatchObject([{ mode: 'vxlan', id: '16', mtu: 'mesh', master: 'br0' }])
  })

  test.each<[string, Partial<RawUpOptions>, string]>([
    ['a key of 33 bits', { key: '4294967296' }, '--key 4294967296: a GRE key is a whole number from 0 to 4294967295'],
    ['a port', { vxlanPort: '4789' }, '--vxlan-port 4789: GRE has no ports'],
    ['a bridge', { master: 'br-ex' }, '--master br-ex: a device of GRE carries no Ethernet, and can be no port of a bridge'],
  ])('is refused with %s', (_name, parts, message) => {
    expect(refusal(parts, least)).toBe(message)
  })
})

test('members are looked for where it is said, nowhere if that is said, and not on a kernel in memory', () => {
  const looked = (parts: Partial<RawUpOptions>) => parseUpOptions({ ...LEAST, ...parts }).discover
  expect(looked({ discover: ['eth0', 'eth1.7'] })).toEqual(['eth0', 'eth1.7'])
  expect(looked({ discover: ['off'] })).toBe('off')
  expect(looked({ kernel: 'memory', local: '127.0.0.1' })).toBe('off')
})

describe('refused', () => {
  test.each<[string, Partial<RawUpOptions>, string]>([
    ['an invite without a name', { invite: '' }, '--invite: needs a path'],
    [
      'a device name that is too long',
      { device: 'a-name-of-sixteen' },
      '--device a-name-of-sixteen: a device name is 1 to 15 letters, digits, dots, hyphens and underscores',
    ],
    [
      'a device name that is a flag',
      { device: '-force' },
      '--device -force: a device name is 1 to 15 letters, digits, dots, hyphens and underscores',
    ],
    [
      'an interface to look on that is none',
      { discover: ['eth0/1'] },
      '--discover eth0/1: a device name is 1 to 15 letters, digits, dots, hyphens and underscores',
    ],
    ['to look nowhere and somewhere', { discover: ['off', 'eth0'] }, '--discover: is either off, or names interfaces'],
    ['to look inside the tunnel', { discover: ['provider0'] }, '--discover provider0: is a tunnel: members are looked for outside of it'],
    ['the id 0', { id: '0' }, '--id 0: a VXLAN id is a whole number from 1 to 16777215'],
    ['an id of 25 bits', { id: '16777216' }, '--id 16777216: a VXLAN id is a whole number from 1 to 16777215'],
    ['an id that is a word', { id: 'sixteen' }, '--id sixteen: a VXLAN id is a whole number from 1 to 16777215'],
    ['a mode to come', { mode: 'geneve' }, '--mode geneve: the mode is vxlan or gre'],
    ['a key of VXLAN', { key: '1234' }, '--key 1234: only tunnels of mode gre have a key; VXLAN has an id'],
    ['an id of GRE', { mode: 'gre' }, '--id 16: only tunnels of mode vxlan have an id; GRE has a key, or none'],
    ['a mistyped underlay address', { local: '192.168.226.256' }, '--local 192.168.226.256: not an IP address'],
    ['an underlay address with a prefix', { local: '192.168.226.4/24' }, '--local 192.168.226.4/24: not an IP address'],
    ['a multicast underlay address', { local: '239.1.1.1' }, '--local 239.1.1.1: a multicast address cannot carry a tunnel'],
    ['the zero address', { local: '0.0.0.0' }, '--local 0.0.0.0: an unspecified address cannot carry a tunnel'],
    ['a loopback underlay address', { local: '127.0.0.1' }, '--local 127.0.0.1: a loopback address cannot carry a tunnel'],
    ['a loopback underlay address of IPv6', { local: '::1' }, '--local ::1: a loopback address cannot carry a tunnel'],
    [
      'the address of a network',
      { address: ['192.168.234.0/23'] },
      '--address 192.168.234.0/23: it is the network address of that network, which no host may have',
    ],
    [
      'the broadcast address of a network',
      { address: ['192.168.235.255/23'] },
      '--address 192.168.235.255/23: it is the broadcast address of that network, which no host may have',
    ],
    ['a link-local underlay address', { local: 'fe80::1' }, '--local fe80::1: a link-local address cannot carry a tunnel'],
    [
      'an overlay address without a prefix',
      { address: ['192.168.234.1'] },
      '--address 192.168.234.1: not an address with its prefix length, as 192.0.2.1/24',
    ],
    [
      'the second of two overlay addresses',
      { address: ['192.168.234.1/23', '1.2.3/8'] },
      '--address 1.2.3/8: not an address with its prefix length, as 192.0.2.1/24',
    ],
    [
      'a prefix that is too long',
      { address: ['192.168.234.1/33'] },
      '--address 192.168.234.1/33: the prefix length of 192.168.234.1 is 1 to 32',
    ],
    ['a multicast overlay address', { address: ['224.0.0.1/4'] }, '--address 224.0.0.1/4: a multicast address cannot be given to a device'],
    ['a loopback overlay address', { address: ['127.0.0.1/8'] }, '--address 127.0.0.1/8: a loopback address cannot be given to a device'],
    [
      'more addresses than a record can tell',
      { address: Array.from('123456789', (last) => `192.168.234.${last}/23`) },
      '--address: a tunnel may have 8 addresses, not 9',
    ],
    ['a mistyped seed', { seed: ['192.168.226.4', 'host:0'] }, '--seed host:0: a port is a whole number from 1 to 65535'],
    ['a seed that is no host', { seed: ['a b'] }, '--seed a b: not HOST, HOST:PORT or a multiaddr'],
    ['a name with capitals', { name: 'Bastion' }, '--name Bastion: a name is 1 to 63 lower-case letters, digits and inner hyphens'],
    ['no name', { name: '' }, '--name: a name is 1 to 63 lower-case letters, digits and inner hyphens'],
    ['the port 0', { port: '0' }, '--port 0: a port is a whole number from 1 to 65535'],
    ['a port that is too high', { vxlanPort: '65536' }, '--vxlan-port 65536: a port is a whole number from 1 to 65535'],
    ['an MTU that is none', { mtu: 'big' }, '--mtu big: the MTU is mesh, or from 68 to 65535 bytes'],
    ['an MTU too small for IPv6', { mtu: '1279', address: ['fd00::1/64'] }, '--mtu 1279: IPv6 needs 1280 bytes'],
    ['itself for a bridge', { master: 'provider0' }, '--master provider0: that is the device itself'],
    ['no state directory', { stateDir: '' }, '--state-dir: needs a path'],
    ['a control path with a null', { control: '/run/\0' }, '--control: needs a path'],
    ['a level that pino has and we have not', { logLevel: 'trace' }, '--log-level trace: the level is one of error, warn, info, debug'],
    ['another kernel', { kernel: 'netlink' }, '--kernel netlink: the kernel is iproute2 or memory'],
    ['the kernel in memory without an address', { kernel: 'memory' }, '--local: needed with --kernel memory'],
  ])('%s', (_name, parts, message) => {
    expect(refusal(parts)).toBe(message)
  })
})
