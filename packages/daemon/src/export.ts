/**
 * The live mesh as static files, for leaving without vxmesh: what every host would have to be told by hand. From what
 * status says to text; every value of the network is parsed again before it becomes part of a script.
 */
import { join } from 'node:path'
import {
  family,
  hostOf,
  MeshError,
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parsePort,
  parseVni,
  ZERO_MAC,
  type DeviceName,
  type IpAddress,
  type MacAddress,
  type Result,
  type Vni,
} from '@vxmesh/core'
import { SOURCE_PORTS } from '@vxmesh/kernel-adapter'
import type { MemberRow, StatusReport, TunnelRow } from './answers.ts'
import { greFiles } from './export-gre.ts'
import { guardFiles, guardScript } from './export-guard.ts'
import { text, type Endpoint, type HostFiles } from './exported.ts'
import { createFile, makeDirectory, readOptional, trouble } from './files.ts'

type Tunnel = { readonly device: DeviceName; readonly id: Vni }

/** One file: the directory named after its host, its own name, and what is in it. `self`: of the host that was asked. */
export type ExportedFile = { readonly host: string; readonly self: boolean; readonly name: string; readonly content: string }

/**
 * For every member that carries the tunnel and is not gone: a shell script in the words of `ip` and `bridge`, the files
 * of systemd-networkd, and netplan's as far as netplan goes: of multipoint GRE it knows nothing, nor does systemd-networkd
 * of the routes that it takes over IPv6. Where the host that was asked has a guard, a file of nftables. Throws `CONFIG_INVALID` when a report cannot be exported.
 */
export function exportFiles(report: StatusReport): readonly ExportedFile[] {
  return report.tunnels.flatMap((row) =>
    tunnelFiles(
      row,
      report.members.flatMap((member) => asCarried(member, row, report.tunnels) ?? []),
    ),
  )
}

/** A member in one tunnel. */
type Row = Pick<MemberRow, 'name' | 'peer' | 'self' | 'state' | 'overlay' | 'underlay' | 'port' | 'mac' | 'mtu' | 'entry'>

/** Daemons of before have one tunnel, and tell of it in the row of the member. */
function asCarried(member: MemberRow, { device }: TunnelRow, [first]: readonly TunnelRow[]): Row | undefined {
  if (member.tunnels === undefined) return first?.device === device ? member : undefined
  const carried = member.tunnels.find((each) => each.device === device)
  return carried && { ...member, ...carried }
}

function tunnelFiles(row: TunnelRow, rows: readonly Row[]): readonly ExportedFile[] {
  const device = value(parseDeviceName(row.device))
  const key = row.id === null ? undefined : value(parseGreKey(row.id))
  const filesOf = (host: Endpoint, others: readonly Endpoint[]): HostFiles =>
    row.mode === 'gre' ? greFiles({ device, key }, host, others) : vxlanFiles({ device, id: value(parseVni(row.id ?? 0)) }, host, others)
  const members = rows.filter(isCarried)
  const hosts = members.map((member) => endpoint(member, row))
  const shared = new Set(hosts.map(({ name }) => name).filter((name, index, all) => all.indexOf(name) !== index))
  return hosts.flatMap((host, index) => {
    const others = hosts.filter((other) => other !== host && family(other.underlay) === family(host.underlay))
    const directory = shared.has(host.name) ? `${host.name}-${String(members[index]?.peer.slice(-8))}` : host.name
    return filesOf(host, others).map((file) => ({ host: directory, self: host.self, ...file }))
  })
}

function vxlanFiles(tunnel: Tunnel, host: Endpoint, others: readonly Endpoint[]): HostFiles {
  return [
    { name: `${tunnel.device}.sh`, content: shellScript(tunnel, host, others) },
    { name: `${tunnel.device}.netdev`, content: netdev(tunnel, host) },
    { name: `${tunnel.device}.network`, content: network(tunnel, host, others) },
    { name: `${tunnel.device}.yaml`, content: netplan(tunnel, host) },
    ...guardFiles({ ...tunnel, mode: 'vxlan' }, host, others),
  ]
}

/** Nothing in them is secret, and systemd-networkd reads its files as a user of its own. */
const READABLE = 0o644

/** Writes the files, each in the directory of its host, and gives their paths. Throws `CONFIG_INVALID`, and overwrites nothing. */
export function writeExport(directory: string, files: readonly ExportedFile[]): readonly string[] {
  const placed = files.map((file) => ({ ...file, path: join(directory, file.host, file.name) }))
  try {
    const there = placed.find(({ path }) => readOptional(path) !== undefined)
    if (there !== undefined) throw invalid(`${there.path} is there already; choose another directory`)
    for (const { host, path, content } of placed) {
      makeDirectory(join(directory, host))
      createFile(path, content, READABLE)
    }
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw invalid(`${trouble(error)}; choose another directory`, error)
  }
  return placed.map(({ path }) => path)
}

/** Those that have entries, here or, for this host itself, elsewhere. A port of a bridge needs no address. */
function isCarried({ self, state, entry, underlay, overlay, mac }: Row): boolean {
  return (
    underlay !== null && (overlay.length > 0 || mac === null) && (self || entry !== 'none') && !['dead', 'left', 'evicted'].includes(state)
  )
}

function endpoint({ name, self, underlay, port, mac, mtu, overlay }: Row, { master, guard }: TunnelRow): Endpoint {
  const bridged = mac === null ? 'untold' : undefined
  return {
    name: value(parseMemberName(name)),
    self,
    underlay: value(parseIp(underlay ?? '')),
    port: value(parsePort(port ?? 4789)),
    mac: mac === null || mac === ZERO_MAC ? undefined : value(parseMac(mac)),
    mtu: mtu ?? 1450,
    overlay: overlay.map((address) => value(parseInterfaceAddress(address))),
    master: self ? (master === null ? undefined : value(parseDeviceName(master))) : bridged,
    guard: guard === null ? 'off' : self ? 'on' : 'untold',
  }
}

function shellScript({ device, id }: Tunnel, host: Endpoint, others: readonly Endpoint[]): string {
  const mac = host.mac === undefined ? '' : ` address ${host.mac}`
  const ports = host.guard === 'on' ? ` srcport ${String(SOURCE_PORTS.low)} ${String(SOURCE_PORTS.high)}` : ''
  return text([
    '#!/bin/sh',
    `# The tunnel ${device} of ${host.name}, as vxmesh kept it. Run it as root, once after each boot, on that host alone.`,
    'set -e',
    ...guardScript({ device, mode: 'vxlan', id }, host, others),
    `ip link add name ${device}${mac} mtu ${String(host.mtu)} type vxlan id ${String(id)} local ${host.underlay} dstport ${String(host.port)}${ports}`,
    ...others.flatMap((other) => {
      const port = other.port === host.port ? '' : ` port ${String(other.port)}`
      const fdb = `dst ${other.underlay}${port} dev ${device}`
      return [
        `bridge fdb append to ${ZERO_MAC} ${fdb}   # ${other.name}`,
        ...(other.mac === undefined ? [] : [`bridge fdb replace to ${other.mac} ${fdb}`]),
      ]
    }),
    ...intoBridge(device, host),
    ...host.overlay.map((address) => `ip address add ${address} dev ${device}`),
    `ip link set up dev ${device}`,
    ...neighbours(others).map(([address, mac]) => `ip neighbour replace ${address} lladdr ${mac} dev ${device} nud permanent`),
  ])
}

function intoBridge(device: DeviceName, { master }: Endpoint): readonly string[] {
  if (master === 'untold') return [`# It was a port of a bridge, which only that host could name: ip link set dev ${device} master BRIDGE`]
  return master === undefined
    ? []
    : [`ip link set dev ${device} master ${master}   # of Open vSwitch: ovs-vsctl add-port ${master} ${device}`]
}

function netdev({ device, id }: Tunnel, host: Endpoint): string {
  return text([
    `# /etc/systemd/network/${device}.netdev of ${host.name}`,
    '[NetDev]',
    `Name=${device}`,
    'Kind=vxlan',
    `MTUBytes=${String(host.mtu)}`,
    ...(host.mac === undefined ? [] : [`MACAddress=${host.mac}`]),
    '',
    '[VXLAN]',
    `VNI=${String(id)}`,
    `Local=${host.underlay}`,
    `DestinationPort=${String(host.port)}`,
    ...(host.guard === 'on' ? [`PortRange=${String(SOURCE_PORTS.low)}-${String(SOURCE_PORTS.high)}`] : []),
    'MacLearning=yes',
    'Independent=yes',
  ])
}

function network({ device }: Tunnel, host: Endpoint, others: readonly Endpoint[]): string {
  return text([
    `# /etc/systemd/network/${device}.network of ${host.name}`,
    '[Match]',
    `Name=${device}`,
    '',
    '[Network]',
    'ConfigureWithoutCarrier=yes',
    ...(host.master === undefined ? [] : host.master === 'untold' ? ['# Bridge='] : [`Bridge=${host.master}`]),
    ...host.overlay.map((address) => `Address=${address}`),
    ...others.flatMap((other) => [
      '',
      `# ${other.name}`,
      ...(other.port === host.port
        ? []
        : [`# is on port ${String(other.port)}, which systemd-networkd has no word for: these entries lead astray`]),
      ...[ZERO_MAC, ...(other.mac === undefined ? [] : [other.mac])].flatMap((mac) => [
        '[BridgeFDB]',
        `MACAddress=${mac}`,
        `Destination=${other.underlay}`,
        'AssociatedWith=self',
      ]),
    ]),
    ...neighbours(others).flatMap(([address, mac]) => ['', '[Neighbor]', `Address=${address}`, `LinkLayerAddress=${mac}`]),
  ])
}

function netplan({ device, id }: Tunnel, host: Endpoint): string {
  return text([
    `# /etc/netplan/${device}.yaml of ${host.name}. Netplan has no word for forwarding or neighbour entries: those are in`,
    `# ${device}.network, which goes to /etc/systemd/network/10-netplan-${device}.network.d/ without its first three sections,`,
    `# or in ${device}.sh.`,
    'network:',
    '  version: 2',
    '  tunnels:',
    `    ${device}:`,
    '      mode: vxlan',
    `      id: ${String(id)}`,
    `      local: "${host.underlay}"`,
    `      port: ${String(host.port)}`,
    ...(host.guard === 'on' ? [`      port-range: [${String(SOURCE_PORTS.low)}, ${String(SOURCE_PORTS.high)}]`] : []),
    '      mac-learning: true',
    `      mtu: ${String(host.mtu)}`,
    ...(host.mac === undefined ? [] : [`      macaddress: "${host.mac}"`]),
    ...(host.overlay.length === 0 ? [] : ['      addresses:']),
    ...host.overlay.map((address) => `        - "${address}"`),
  ])
}

function neighbours(others: readonly Endpoint[]): readonly (readonly [IpAddress, MacAddress])[] {
  return others.flatMap(({ overlay, mac }) => (mac === undefined ? [] : overlay.map((address) => [hostOf(address), mac] as const)))
}

function value<Value>(parsed: Result<Value>): Value {
  if (!parsed.ok) throw invalid(parsed.reason)
  return parsed.value
}

function invalid(reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'CONFIG_INVALID', where: '--dir', reason }, { cause })
}
