import { describe, expect, test } from 'vitest'
import type { MemberRow, StatusReport } from './answers.ts'
import { exportFiles } from './export.ts'

function row(name: string, last: number, parts: Partial<MemberRow> = {}): MemberRow {
  return {
    name,
    peer: `12D3KooW${name}`,
    self: false,
    state: 'alive',
    overlay: [`192.168.234.${String(last - 3)}/23`],
    underlay: `192.168.226.${String(last)}`,
    port: 4789,
    mac: `02:00:00:00:00:0${String(last)}`,
    mtu: 1450,
    mtu_limit: 1450,
    incarnation: 1,
    invite: null,
    seen_ms: 120,
    entry: 'present',
    note: null,
    ...parts,
  }
}

function report(...members: readonly MemberRow[]): StatusReport {
  const tunnel = {
    device: 'provider0',
    mode: 'vxlan' as const,
    id: 16,
    port: 4789,
    mtu: 1450,
    mtu_room: 1450,
    mtu_smallest: null,
    master: null,
    local: '192.168.226.4',
    addresses: ['192.168.234.1/23'],
    origin: 'made' as const,
    entries: { wanted: 2, present: 2, foreign: 0 },
    repairs: 0,
    writes: 0,
  }
  return {
    version: 1,
    mesh: 'M',
    self: { peer: 'P', name: 'bastion', incarnation: 1 },
    members,
    tunnels: [tunnel],
    health: [],
    dropped: {},
    anti_entropy: { comparisons: 0, bytes: 0 },
  }
}

const BASTION = row('bastion', 4, { self: true, entry: 'none' })

function content(host: string, name: string, given: StatusReport): string {
  return exportFiles(given).find((file) => file.host === host && file.name === name)?.content ?? ''
}

const meaningful = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

describe('an export', () => {
  test("has the recipe's own words for each host", () => {
    const mesh = report(BASTION, row('host-00', 5))
    expect(meaningful(content('bastion', 'provider0.sh', mesh))).toEqual([
      'set -e',
      'ip link add name provider0 address 02:00:00:00:00:04 mtu 1450 type vxlan id 16 local 192.168.226.4 dstport 4789',
      'bridge fdb append to 00:00:00:00:00:00 dst 192.168.226.5 dev provider0   # host-00',
      'bridge fdb replace to 02:00:00:00:00:05 dst 192.168.226.5 dev provider0',
      'ip address add 192.168.234.1/23 dev provider0',
      'ip link set up dev provider0',
      'ip neighbour replace 192.168.234.2 lladdr 02:00:00:00:00:05 dev provider0 nud permanent',
    ])
    expect(content('host-00', 'provider0.sh', mesh)).toContain('dst 192.168.226.4 dev provider0   # bastion')
  })

  test('says the port of a member that is on another', () => {
    const mesh = report(BASTION, row('host-00', 5, { port: 8472 }))
    expect(content('bastion', 'provider0.sh', mesh)).toContain('dst 192.168.226.5 port 8472 dev provider0')
    expect(content('host-00', 'provider0.sh', mesh)).toContain('local 192.168.226.5 dstport 8472')
    expect(content('bastion', 'provider0.network', mesh)).toContain('# is on port 8472')
  })

  test.each([
    ['is dead', { state: 'dead', entry: 'none' }],
    ['has left', { state: 'left', entry: 'none' }],
    ['lost its claim', { entry: 'none' }],
    ['carries no tunnel', { underlay: null, overlay: [] }],
  ] as const)('leaves out a member that %s', (_, parts) => {
    const files = exportFiles(report(BASTION, row('host-00', 5, parts)))
    expect(new Set(files.map(({ host }) => host))).toEqual(new Set(['bastion']))
    expect(files.map((file) => file.content).join()).not.toContain('192.168.226.5')
  })

  test('leaves out of a host what is of another address family', () => {
    const mesh = report(BASTION, row('six', 5, { underlay: '2001:db8::5' }))
    expect(content('bastion', 'provider0.sh', mesh)).not.toContain('2001:db8::5')
    expect(content('six', 'provider0.sh', mesh)).toContain('local 2001:db8::5')
  })

  test('keeps two hosts of one name apart', () => {
    const files = exportFiles(report(BASTION, row('bastion', 5, { peer: '12D3KooWother567' })))
    expect(new Set(files.map(({ host }) => host)).size).toBe(2)
  })

  test.each([
    ['a name', { name: 'x; reboot' }],
    ['an address', { underlay: '$(reboot)' }],
    ['a MAC address', { mac: '`reboot`' }],
    ['an overlay address', { overlay: ['1.2.3.4/24\nreboot'] }],
  ] as const)('refuses %s that is none', (_, parts) => {
    expect(() => exportFiles(report(BASTION, row('host-00', 5, parts)))).toThrow(/--dir/)
  })

  test('of a tunnel of GRE is refused', () => {
    const mesh = report(BASTION)
    const tunnels = mesh.tunnels.map((tunnel) => ({ ...tunnel, mode: 'gre' as const }))
    expect(() => exportFiles({ ...mesh, tunnels })).toThrow('provider0 is of gre, and only a tunnel of VXLAN can be exported so far')
  })

  test('for netplan says all that netplan has words for', () => {
    expect(meaningful(content('bastion', 'provider0.yaml', report(BASTION)))).toEqual([
      'network:',
      '  version: 2',
      '  tunnels:',
      '    provider0:',
      '      mode: vxlan',
      '      id: 16',
      '      local: "192.168.226.4"',
      '      port: 4789',
      '      mac-learning: true',
      '      mtu: 1450',
      '      macaddress: "02:00:00:00:00:04"',
      '      addresses:',
      '        - "192.168.234.1/23"',
    ])
  })
})
