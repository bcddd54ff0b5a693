import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { askedOf, type RawUpOptions, type UpOptions } from './options.ts'
import { inWordsOf } from './source.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-config-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function read(text: string, flags: Partial<RawUpOptions> = {}): UpOptions {
  const file = join(directory, 'vxmesh.yaml')
  writeFileSync(file, text)
  return readConfig(file, flags)
}

/** Why it is refused, and as what, with the temporary directory left out. */
function refusal(text: string, flags: Partial<RawUpOptions> = {}): string {
  try {
    read(text, flags)
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    return `${error.failure.code} ${error.message.replaceAll(`${directory}/`, '')}`
  }
  return 'accepted'
}

const WHOLE = `
# Two tunnels of one member.
invite: mesh.invite
seeds: [192.168.226.4, "host-01:5000"]
discover: [eth0, eth2]
name: bastion
state-dir: /var/lib/other
control: run/control.sock
port: 5000
log-level: debug
tunnels:
  provider0:
    mode: vxlan
    id: 16
    local: 192.168.226.4
    addresses: [192.168.234.1/23]
    port: 8472
  provider1:
    mode: gre
    key: 16
    local: eth1
    addresses:
      - 192.168.240.1/24
      - fd00:2::1/64
guard: on
underlay: [10.0.0.0/8]
`

const LEAST = 'tunnels: { provider0: { id: 16 } }'

describe('a file', () => {
  test('says all that flags say, of any number of tunnels', () => {
    const { source, ...rest } = read(WHOLE)
    expect(rest).toEqual({
      invite: join(directory, 'mesh.invite'),
      seeds: ['192.168.226.4', 'host-01:5000'],
      discover: ['eth0', 'eth2'],
      name: 'bastion',
      stateDir: '/var/lib/other',
      control: join(directory, 'run/control.sock'),
      port: 5000,
      logLevel: 'debug',
      guard: true,
      underlay: ['10.0.0.0/8'],
      kernel: 'iproute2',
      tunnels: [
        {
          device: 'provider0',
          mode: 'vxlan',
          id: 16,
          local: '192.168.226.4',
          localInterface: undefined,
          addresses: ['192.168.234.1/23'],
          port: 8472,
        },
        {
          device: 'provider1',
          mode: 'gre',
          id: 16,
          local: undefined,
          localInterface: 'eth1',
          addresses: ['192.168.240.1/24', 'fd00:2::1/64'],
          port: undefined,
        },
      ],
    })
    expect(source.lines.get('tunnels.provider1.addresses')).toBe(22)
  })

  test('may leave out what flags may leave out', () => {
    const { tunnels, ...rest } = read(LEAST)
    expect(rest).toMatchObject({ invite: undefined, seeds: [], stateDir: '/var/lib/vxmesh', port: 4788, logLevel: 'info' })
    expect(tunnels).toMatchObject([{ device: 'provider0', mode: 'vxlan', id: 16, local: undefined, addresses: [] }])
    expect([LEAST, `discover: off\n${LEAST}`, `discover: eth0\n${LEAST}`].map((text) => read(text).discover)).toEqual([[], 'off', ['eth0']])
  })

  test('gives way to the flags of the member', () => {
    const flags = { stateDir: 'here', name: 'other', seed: ['10.0.0.1'], kernel: 'memory' }
    const options = read(WHOLE.replace(/ {2}provider1[^]*/, ''), flags)
    expect(options).toMatchObject({ stateDir: 'here', name: 'other', seeds: ['10.0.0.1'], kernel: 'memory', port: 5000 })
    expect(refusal(LEAST, { port: '0' })).toBe('USAGE --port 0: a port is a whole number from 1 to 65535')
    expect(refusal(WHOLE, { name: 'A B' })).toBe('USAGE --name A B: a name is 1 to 63 lower-case letters, digits and inner hyphens')
  })

  test('is what a later plan remembers', () => {
    expect(askedOf(read(WHOLE)).tunnels).toMatchObject([
      { device: 'provider0', mode: 'vxlan', id: '16', port: '8472' },
      { device: 'provider1', mode: 'gre', key: '16', local: 'eth1', addresses: ['192.168.240.1/24', 'fd00:2::1/64'] },
    ])
  })
})

describe('one line says where a file is wrong', () => {
  const KEYS = 'invite, seeds, discover, name, state-dir, control, port, log-level, guard, underlay, tunnels'
  const PARTS = 'mode, id, key, local, addresses, port, mtu, master'
  const one = (...lines: readonly string[]): string => ['tunnels:', '  provider0:', ...lines.map((line) => `    ${line}`)].join('\n')

  test.each<[string, string, string]>([
    ['nothing in it', '', 'vxmesh.yaml:1: keys with values belong here'],
    ['only a comment', '# to be done\n', 'vxmesh.yaml:1: keys with values belong here'],
    ['a list', '- provider0\n', 'vxmesh.yaml:1: keys with values belong here'],
    ['no tunnels', 'name: bastion\n', 'vxmesh.yaml:1: tunnels: needed, the tunnels by their devices'],
    ['tunnels without any', 'name: bastion\ntunnels: {}\n', 'vxmesh.yaml:2: tunnels: at least one is needed'],
    ['tunnels that are empty', 'name: bastion\ntunnels:\n', 'vxmesh.yaml:2: tunnels: keys with values belong here'],
    ['tunnels in a list', 'tunnels: [provider0]\n', 'vxmesh.yaml:1: tunnels: keys with values belong here'],
    ['a tunnel without anything', 'tunnels:\n  provider0:\n', 'vxmesh.yaml:2: tunnels.provider0: keys with values belong here'],
    ['an unknown key', `\nmtu: 1400\n${LEAST}`, `vxmesh.yaml:2: mtu: unknown; the keys here are ${KEYS}`],
    ['an unknown key of a tunnel', one('id: 16', 'vni: 17'), `vxmesh.yaml:4: tunnels.provider0.vni: unknown; the keys here are ${PARTS}`],
    ['a merge key', `<<: {}\n${LEAST}`, `vxmesh.yaml:1: <<: unknown; the keys here are ${KEYS}`],
    ['a list for one value', one('id: [16]'), 'vxmesh.yaml:3: tunnels.provider0.id: one value belongs here'],
    ['keys for one value', `name: { a: b }\n${LEAST}`, 'vxmesh.yaml:1: name: one value belongs here'],
    [
      'one value for a list',
      one('id: 16', 'addresses: 10.1.0.1/24'),
      'vxmesh.yaml:4: tunnels.provider0.addresses: a list belongs here, as in [a, b]',
    ],
    ['a list in a list', one('id: 16', 'addresses:', '- [a]'), 'vxmesh.yaml:4: tunnels.provider0.addresses.0: one value belongs here'],
    ['a key twice', `name: a\nname: b\n${LEAST}`, 'vxmesh.yaml:2: not YAML: Map keys must be unique'],
    ['a device twice', 'tunnels:\n  a: { id: 1 }\n  a: { id: 2 }', 'vxmesh.yaml:3: not YAML: Map keys must be unique'],
    ['a tab', one('\tid: 16'), 'vxmesh.yaml:3: not YAML: Tabs are not allowed as indentation'],
    ['two documents', `${LEAST}\n---\n${LEAST}`, 'vxmesh.yaml:2: not YAML: it has more than one document'],
    ['a tag', one('id: !!int 16'), 'vxmesh.yaml:3: not YAML: Unresolved tag: tag:yaml.org,2002:int'],
    ['an alias to nothing', one('id: *there'), 'vxmesh.yaml: Unresolved alias (the anchor must be set before the alias): there'],
    ['no id', one('local: eth0'), 'vxmesh.yaml:2: tunnels.provider0.id: needed, the VXLAN id'],
    ['an empty id', one('id:'), 'vxmesh.yaml:3: tunnels.provider0.id: a VXLAN id is a whole number from 1 to 16777215'],
    [
      'an id that only YAML takes',
      one('id: 1_6'),
      'vxmesh.yaml:3: tunnels.provider0.id 1_6: a VXLAN id is a whole number from 1 to 16777215',
    ],
    [
      'an id that is too high',
      one('id: 16777216'),
      'vxmesh.yaml:3: tunnels.provider0.id 16777216: a VXLAN id is a whole number from 1 to 16777215',
    ],
    [
      'a key of VXLAN',
      one('id: 1', 'key: 2'),
      'vxmesh.yaml:4: tunnels.provider0.key 2: only tunnels of mode gre have a key; VXLAN has an id',
    ],
    ['a port of GRE', one('mode: gre', 'port: 1'), 'vxmesh.yaml:4: tunnels.provider0.port 1: GRE has no ports'],
    ['another mode', one('mode: sit'), 'vxmesh.yaml:3: tunnels.provider0.mode sit: the mode is vxlan or gre'],
    ['a wrong local address', one('id: 1', 'local: 10.0.0'), 'vxmesh.yaml:4: tunnels.provider0.local 10.0.0: not an IP address'],
    [
      'a wrong address',
      one('id: 1', 'addresses: [10.0.0.1]'),
      'vxmesh.yaml:4: tunnels.provider0.addresses 10.0.0.1: not an address with its prefix length, as 192.0.2.1/24',
    ],
    [
      'a device that can have no such name',
      'tunnels:\n  "../x":\n    id: 1',
      'vxmesh.yaml:2: tunnels.../x ../x: a device name is 1 to 15 letters, digits, dots, hyphens and underscores',
    ],
    ['a wrong port', `port: 0\n${LEAST}`, 'vxmesh.yaml:1: port 0: a port is a whole number from 1 to 65535'],
    [
      'a tunnel to look for members in',
      `discover: provider0\n${LEAST}`,
      'vxmesh.yaml:1: discover provider0: is a tunnel: members are looked for outside of it',
    ],
    ['a wrong seed', `seeds:\n - "a b"\n${LEAST}`, 'vxmesh.yaml:1: seeds a b: not HOST, HOST:PORT or a multiaddr'],
    ['a wrong level', `log-level: loud\n${LEAST}`, 'vxmesh.yaml:1: log-level loud: the level is one of error, warn, info, debug'],
    [
      'one tunnel on two devices',
      'tunnels:\n  a: { id: 16 }\n  b: { id: 16, local: eth1 }',
      'vxmesh.yaml:3: tunnels.b: carries vxlan id 16, as a does: a member carries a tunnel once',
    ],
    [
      'two tunnels of GRE without a key',
      'tunnels:\n  a: { mode: gre }\n  b: { mode: gre }',
      'vxmesh.yaml:3: tunnels.b: carries gre, as a does: a member carries a tunnel once',
    ],
    [
      'networks that overlap',
      'tunnels:\n  a: { id: 16, addresses: [10.0.0.1/23] }\n  b: { id: 17, addresses: [10.0.2.1/24, 10.0.1.1/24] }',
      'vxmesh.yaml:3: tunnels.b.addresses 10.0.1.1/24: its network overlaps that of a, 10.0.0.1/23',
    ],
    [
      'more tunnels than a record can tell',
      ['tunnels:', ...Array.from({ length: 17 }, (_, index) => `  vx${String(index)}: { id: ${String(index + 1)} }`)].join('\n'),
      'vxmesh.yaml:18: tunnels.vx16: is one too many: a member may have 16 tunnels',
    ],
  ])('with %s', (_name, text, message) => {
    expect(refusal(text)).toBe(`CONFIG_INVALID ${message}`)
  })

  test('when it cannot be read', () => {
    expect(() => readConfig('/nowhere/vxmesh.yaml', {})).toThrow(
      '--config /nowhere/vxmesh.yaml: cannot be read: there is no /nowhere/vxmesh.yaml',
    )
    expect(() => readConfig(directory, {})).toThrow('cannot be read: it is a directory')
    expect(() => readConfig('', {})).toThrow('--config: needs a path')
  })

  test.each<Partial<RawUpOptions>>([
    { device: 'provider0' },
    { id: '16' },
    { address: ['10.1.0.1/24'] },
    { vxlanPort: '1' },
    { mode: 'vxlan' },
  ])('when it is given beside %j', (flags) => {
    expect(refusal(LEAST, flags)).toBe('USAGE --config vxmesh.yaml: the tunnels are those of the file; leave the flags of a tunnel out')
  })

  test('when the kernel, or the disk, finds fault with it', () => {
    const options = read(WHOLE)
    const said = (where: string, reason: string, device?: UpOptions['tunnels'][number]): string => {
      const error = inWordsOf(options.source, new MeshError({ code: 'CONFIG_INVALID', where, reason }), device?.device)
      return String(error).replaceAll(`${directory}/`, '')
    }
    const [first, second] = options.tunnels
    expect(said('--local', 'leave --local out', first)).toBe('MeshError: vxmesh.yaml:15: tunnels.provider0.local: leave local out')
    expect(said('--vxlan-port', 'another', second)).toBe('MeshError: vxmesh.yaml:18: tunnels.provider1.port: another')
    expect(said('--device', 'another kind', second)).toBe('MeshError: vxmesh.yaml:18: tunnels.provider1: another kind')
    expect(said('--port 5000', 'taken', first)).toBe('MeshError: vxmesh.yaml:9: port 5000: taken')
    expect(said('--state-dir /x', 'no')).toBe('MeshError: vxmesh.yaml:7: state-dir /x: no')
    expect(said('--dir', 'of another command')).toBe('MeshError: --dir: of another command')
  })
})
