import { describe, expect, test } from 'vitest'
import type { MemberRow, StatusReport } from './answers.ts'
import { exportFiles } from './export.ts'
import * as samples from './samples.ts'

function row(name: string, last: number, parts: Partial<MemberRow> = {}): MemberRow {
  const own = { peer: `12D3KooW${name}`, underlay: `192.168.226.${String(last)}`, mac: `02:00:00:00:00:0${String(last)}` }
  return samples.row(name, { ...own, overlay: [`192.168.234.${String(last - 3)}/23`], ...parts })
}

function report(...members: readonly MemberRow[]): StatusReport {
  return samples.report(members, { addresses: ['192.168.234.1/23'] })
}

const BASTION = row('bastion', 4, { self: true, entry: 'none' })

function content(host: string, name: string, given: StatusReport): string {
  return exportFiles(given).find((file) => file.host === host && file.name === name)?.content ?? ''
}

const meaningful = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

describe('an export', () => {
  test('puts the device back into its bridge where that is known, and says where it is not', () => {
    const mesh = report({ ...BASTION, mac: null, overlay: [] }, row('host-00', 5, { mac: null, overlay: [] }))
    const bridged = { ...mesh, tunnels: mesh.tunnels.map((each) => ({ ...each, master: 'br-ex' })) }
    expect(content('bastion', 'provider0.sh', bridged)).toContain('\nip link set dev provider0 master br-ex   # of Open vSwitch: ')
    expect(content('bastion', 'provider0.network', bridged)).toContain('\nBridge=br-ex\n')
    expect(content('host-00', 'provider0.sh', bridged)).toContain('only that host could name: ip link set dev provider0 master BRIDGE\n')
    expect(content('host-00', 'provider0.yaml', bridged)).not.toContain('addresses:')
  })

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

  describe('of a tunnel of GRE', () => {
    const gre = (id: number | null, ...members: readonly MemberRow[]): StatusReport => {
      const mesh = report(...members.map((member) => ({ ...member, port: null, mac: null, mtu: 1472 })))
      return { ...mesh, tunnels: mesh.tunnels.map((tunnel) => ({ ...tunnel, mode: 'gre', id, port: null })) }
    }
    const host00 = row('host-00', 5, { overlay: ['192.168.234.2/23', 'fd00:234::2/64'] })

    test("has the recipe's own words, and makes the rest of the network unreachable", () => {
      expect(meaningful(content('bastion', 'provider0.sh', gre(1234, BASTION, host00)))).toEqual([
        'set -e',
        'ip tunnel add provider0 mode gre local 192.168.226.4 key 1234',
        'ip link set dev provider0 mtu 1472',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip link set up dev provider0',
        'ip neighbour replace 192.168.234.2 lladdr 192.168.226.5 dev provider0 nud permanent',
        'ip route replace 192.168.234.2 dev provider0',
        'ip route replace unreachable 192.168.234.0/24 metric 4278198272',
        'ip route replace unreachable 192.168.235.0/24 metric 4278198272',
      ])
      expect(content('host-00', 'provider0.sh', gre(null, BASTION, host00))).toContain('mode gre local 192.168.226.5\n')
    })

    test('has all that systemd-networkd has words for, and nothing for netplan, which has none', () => {
      const mesh = gre(1234, BASTION, host00)
      expect(exportFiles(mesh).map(({ name }) => name)).not.toContain('provider0.yaml')
      expect(meaningful(content('bastion', 'provider0.netdev', mesh))).toEqual([
        ...['[NetDev]', 'Name=provider0', 'Kind=gre', 'MTUBytes=1472'],
        ...['[Tunnel]', 'Local=192.168.226.4', 'Remote=any', 'Key=1234', 'Independent=yes'],
      ])
      expect(meaningful(content('bastion', 'provider0.network', mesh))).toEqual([
        ...['[Match]', 'Name=provider0', '[Network]', 'ConfigureWithoutCarrier=yes', 'Address=192.168.234.1/23'],
        ...['[Neighbor]', 'Address=192.168.234.2', 'LinkLayerAddress=192.168.226.5'],
        ...['[Route]', 'Destination=192.168.234.2', 'Scope=link'],
        ...['[Route]', 'Destination=192.168.234.0/24', 'Type=unreachable', 'Metric=4278198272'],
        ...['[Route]', 'Destination=192.168.235.0/24', 'Type=unreachable', 'Metric=4278198272'],
      ])
    })

    test('over IPv6 is a script alone, whose routes say where members are', () => {
      const mesh = gre(1234, { ...BASTION, underlay: 'fd00:226::4' }, { ...host00, underlay: 'fd00:226::5' })
      expect(exportFiles(mesh).map(({ name }) => name)).toEqual(['provider0.sh', 'provider0.sh'])
      expect(meaningful(content('bastion', 'provider0.sh', mesh))).toEqual([
        'set -e',
        'ip link add name provider0 type ip6gre external',
        'ip link set dev provider0 mtu 1472',
        'ip address add 192.168.234.1/23 dev provider0',
        'ip link set up dev provider0',
        'ip route replace 192.168.234.2 encap ip6 id 1234 key dst fd00:226::5 src fd00:226::4 dev provider0',
        'ip route replace unreachable 192.168.234.0/24 metric 4278198272',
        'ip route replace unreachable 192.168.235.0/24 metric 4278198272',
      ])
    })
  })

  describe('of a tunnel with a guard', () => {
    const guarded = (mesh: StatusReport, mode: 'vxlan' | 'gre' = 'vxlan'): StatusReport => {
      const guard = { standing: true, wanted: 1, admitted: 1 }
      return { ...mesh, tunnels: mesh.tunnels.map((each) => ({ ...each, mode, guard })) }
    }
    const RULES = [
      'table inet vxmesh-provider0',
      'delete table inet vxmesh-provider0',
      'table inet vxmesh-provider0 {',
      ...['set members {', 'type ipv4_addr', 'elements = { 192.168.226.5, 192.168.226.6 }', '}'],
      ...['chain input {', 'type filter hook input priority filter; policy accept;'],
    ]

    test('has it before there is a device, which sends as the guard wants it', () => {
      const mesh = guarded(report(BASTION, row('host-00', 5), row('host-01', 6, { port: 8472 })))
      const script = meaningful(content('bastion', 'provider0.sh', mesh))
      expect(script.slice(0, 11)).toEqual(['set -e', "nft -f - <<'END'", ...RULES])
      expect(script.slice(11, 21)).toEqual([
        'meta nfproto ipv4 udp dport 4789 @th,96,24 != 0x10 accept',
        'udp dport 4789 ip saddr @members accept',
        'meta nfproto ipv4 udp dport 4789 counter drop',
        '}',
        'chain postrouting {',
        'type filter hook postrouting priority 300; policy accept;',
        'ip saddr 192.168.226.4 udp dport 4789 udp sport != 600-1023 @th,96,24 0x10 counter drop',
        'ip saddr 192.168.226.4 udp dport 8472 udp sport != 600-1023 @th,96,24 0x10 counter drop',
        ...['}', '}'],
      ])
      expect(script[21]).toBe('END')
      expect(script[22]).toMatch(/ type vxlan id 16 local 192.168.226.4 dstport 4789 srcport 600 1023$/)
      expect(meaningful(content('bastion', 'provider0.nft', mesh))).toEqual(script.slice(2, 21))
      expect(content('bastion', 'provider0.netdev', mesh)).toContain('\nPortRange=600-1023\n')
      expect(content('bastion', 'provider0.yaml', mesh)).toContain('\n      port-range: [600, 1023]\n')
    })

    test('has that of the host which was asked, and says that others tell of their own', () => {
      const mesh = guarded(report(BASTION, row('host-00', 5)))
      expect(content('host-00', 'provider0.sh', mesh)).toContain(
        '\n# Whether it had a guard only that host can tell: "vxmesh export" there.\n',
      )
      expect(
        exportFiles(mesh)
          .filter(({ name }) => name.endsWith('.nft'))
          .map(({ host }) => host),
      ).toEqual(['bastion'])
      expect(content('host-00', 'provider0.sh', report(BASTION, row('host-00', 5)))).not.toContain('guard')
    })

    test('of GRE lets in members and other keys', () => {
      const mesh = guarded(report(BASTION, row('host-00', 5), row('host-01', 6)), 'gre')
      const script = meaningful(content('bastion', 'provider0.sh', mesh))
      expect(script.slice(2, 11)).toEqual(RULES)
      expect(script).toContain('ip protocol gre ip saddr @members accept')
      expect(script).toContain('ip tunnel add provider0 mode gre local 192.168.226.4 key 16')
      expect(meaningful(content('bastion', 'provider0.nft', mesh))).toEqual(script.slice(2, script.indexOf('END')))
    })
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
