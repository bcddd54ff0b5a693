/** A tunnel of multipoint GRE as static files: what one host would have to be told by hand. */
import { family, hostOf, unreachableOf, type DeviceName, type Entry, type GreKey } from '@vxmesh/core'
import { describeTarget, UNREACHABLE_METRIC } from '@vxmesh/kernel-adapter'
import { guardFiles, guardScript } from './export-guard.ts'
import { text, type Endpoint, type HostFiles } from './exported.ts'

type Tunnel = { readonly device: DeviceName; readonly key: GreKey | undefined }

export function greFiles(tunnel: Tunnel, host: Endpoint, others: readonly Endpoint[]): HostFiles {
  const { device } = tunnel
  const script = { name: `${device}.sh`, content: shellScript(tunnel, host, others) }
  if (family(host.underlay) === 'ipv6') return [script]
  return [
    script,
    { name: `${device}.netdev`, content: netdev(tunnel, host) },
    { name: `${device}.network`, content: network(tunnel, host, others) },
    ...guardFiles({ device, mode: 'gre', id: tunnel.key }, host, others),
  ]
}

function shellScript({ device, key }: Tunnel, host: Endpoint, others: readonly Endpoint[]): string {
  const overIpv6 = family(host.underlay) === 'ipv6'
  const keyed = key === undefined ? '' : ` key ${String(key)}`
  return text([
    '#!/bin/sh',
    `# The tunnel ${device} of ${host.name}, as vxmesh kept it. Run it as root, once after each boot, on that host alone.`,
    'set -e',
    ...guardScript({ device, mode: 'gre', id: key }, host, others),
    overIpv6 ? `ip link add name ${device} type ip6gre external` : `ip tunnel add ${device} mode gre local ${host.underlay}${keyed}`,
    `ip link set dev ${device} mtu ${String(host.mtu)}`,
    ...host.overlay.map((address) => `ip address add ${address} dev ${device}`),
    `ip link set up dev ${device}`,
    ...others.flatMap((other) => [
      `# ${other.name}`,
      ...addresses(host, other).flatMap((overlay) => {
        const wrapped: Entry = { kind: 'route', overlay, underlay: other.underlay, local: host.underlay, key }
        if (overIpv6) return [`ip route replace ${overlay} ${describeTarget(wrapped)} dev ${device}`]
        return [
          `ip neighbour replace ${overlay} lladdr ${other.underlay} dev ${device} nud permanent`,
          `ip route replace ${overlay} dev ${device}`,
        ]
      }),
    ]),
    '# Nobody else: the kernel would send to itself what is for an address without a neighbour.',
    ...networks(host).map((network) => `ip route replace unreachable ${network} metric ${String(UNREACHABLE_METRIC)}`),
  ])
}

function netdev({ device, key }: Tunnel, host: Endpoint): string {
  return text([
    `# /etc/systemd/network/${device}.netdev of ${host.name}`,
    '[NetDev]',
    `Name=${device}`,
    'Kind=gre',
    `MTUBytes=${String(host.mtu)}`,
    '',
    '[Tunnel]',
    `Local=${host.underlay}`,
    'Remote=any',
    ...(key === undefined ? [] : [`Key=${String(key)}`]),
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
    ...host.overlay.map((address) => `Address=${address}`),
    ...others.flatMap((other) =>
      addresses(host, other).flatMap((overlay) => [
        '',
        `# ${other.name}`,
        '[Neighbor]',
        `Address=${overlay}`,
        `LinkLayerAddress=${other.underlay}`,
        '[Route]',
        `Destination=${overlay}`,
        ...(family(overlay) === 'ipv4' ? ['Scope=link'] : []),
      ]),
    ),
    ...networks(host).flatMap((each) => ['', '[Route]', `Destination=${each}`, 'Type=unreachable', `Metric=${String(UNREACHABLE_METRIC)}`]),
  ])
}

/** The addresses of another host inside the tunnel that this one has an address to send to from. */
function addresses(host: Endpoint, other: Endpoint) {
  const families = host.overlay.map((address) => family(hostOf(address)))
  return other.overlay.map(hostOf).filter((address) => families.includes(family(address)))
}

function networks({ overlay }: Endpoint) {
  return unreachableOf(overlay).map(({ network }) => network)
}
