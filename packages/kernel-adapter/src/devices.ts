/** The devices of the kernel in memory: how they come to be. */
import { createHash } from 'node:crypto'
import {
  family,
  parseGreKey,
  parseMac,
  parseVni,
  sure,
  type DeviceName,
  type IpAddress,
  type MacAddress,
  type Result,
  type TunnelSpec,
} from '@vxmesh/core'
import type { GreLink, Ip6GreLink } from './gre.ts'
import type { Carrier, Present, Step } from './link.ts'
import type { Link, VxlanLink } from './read.ts'
import { familyOf, type Tables } from './tables.ts'

/** A device that somebody else makes. */
export type PlantedLink =
  | Exclude<Link, Carrier>
  | Pick<VxlanLink, 'kind' | 'id' | 'local' | 'port'>
  | (Pick<GreLink, 'kind' | 'id' | 'local'> & Partial<Pick<GreLink, 'remote' | 'external'>>)
  | Pick<Ip6GreLink, 'kind' | 'external'>

export type MemoryDevice = Present & { readonly tables: Tables }

/** What every new device is. */
const FRESH = { alias: undefined, up: false } as const
const FRESH_VXLAN = { ...FRESH, bound: undefined, master: undefined } as const
const FRESH_GRE = { ...FRESH, port: undefined, mac: sure(parseMac('00:00:00:00:00:00')), master: undefined } as const

/** The link that somebody makes, with what he does not say. */
export function plantedLink(planted: PlantedLink, mac: () => MacAddress): Link {
  if (planted.kind === 'vxlan') return { ...FRESH_VXLAN, mtu: 1500, mac: mac(), ...planted }
  if (planted.kind === 'gre')
    return { ...FRESH_GRE, mtu: planted.id === undefined ? 1476 : 1472, remote: undefined, external: false, ...planted }
  if (planted.kind === 'ip6gre') return { ...FRESH_GRE, mtu: 1448, local: undefined, ...planted }
  return planted
}

/** The link that a spec calls for, or what the tool would complain of. */
export function madeLink(
  { mode, id, guard }: TunnelSpec,
  { local, port, mtu, mac }: Step & { readonly kind: 'create' },
  others: readonly Link[],
  fresh: () => MacAddress,
): Result<Carrier> {
  if (mode === 'vxlan') {
    const vni = parseVni(id ?? 0)
    if (!vni.ok || port === undefined) return { ok: false, reason: 'Error: Unknown device type.' }
    const taken = others.some(
      (link) => link.kind === 'vxlan' && link.id === id && link.port === port && familyOf(link.local) === family(local),
    )
    if (taken) return { ok: false, reason: 'Error: A VXLAN device with the specified VNI already exists.' }
    const ports = guard === true ? { privileged: guard } : {}
    return { ok: true, value: { kind: 'vxlan', id: vni.value, local, port, mtu, mac: mac ?? fresh(), ...ports, ...FRESH_VXLAN } }
  }
  const kind = family(local) === 'ipv6' ? 'ip6gre' : 'gre'
  const taken = others.some((link) => link.kind === kind && (link.kind !== 'gre' || (link.id === id && link.local === local)))
  if (taken) return { ok: false, reason: 'RTNETLINK answers: File exists' }
  if (kind === 'ip6gre') return { ok: true, value: { ...FRESH_GRE, kind, local: undefined, external: true, mtu } }
  const key = id === undefined ? undefined : sure(parseGreKey(id))
  return { ok: true, value: { ...FRESH_GRE, kind, id: key, local, remote: undefined, external: false, mtu } }
}

/** All there is to know of a device. */
export function laidOpen({ link, addresses, tables }: MemoryDevice): Present & Tables & { readonly flood: readonly IpAddress[] } {
  const flood = [...tables.entries.values()].flatMap((each) => (each.kind === 'flood' ? [each.underlay] : []))
  return { link, addresses, ...tables, flood }
}

/** Locally administered, different for every seed. */
export function macFrom(seed: string): MacAddress {
  const octets = createHash('sha256').update(seed).digest('hex').slice(0, 10).match(/../g) ?? []
  return sure(parseMac(['02', ...octets].join(':')))
}

export function isCarrier(link: Link | undefined): link is Carrier {
  return link?.kind === 'vxlan' || link?.kind === 'gre' || link?.kind === 'ip6gre'
}

/** What the tool says of a device that is not there. */
export function noSuch(name: DeviceName): string {
  return `Cannot find device "${name}"`
}
