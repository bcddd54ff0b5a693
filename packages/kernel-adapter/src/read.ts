/**
 * What iproute2 prints, turned into values. Nothing else in this package looks at its output.
 *
 * Versions of iproute2 differ in the fields they print and in how they print nothing (no output, `[]`, `[{}]`), so
 * unknown fields are passed over and empty elements dropped. What is there must be well-formed: a half-understood
 * table must not become a plan.
 */
import {
  accept,
  isUnicast,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  refuse,
  table,
  ZERO_MAC,
  type DeviceName,
  type Entry,
  type InterfaceAddress,
  type IpAddress,
  type MacAddress,
  type Mode,
  type Port,
  type Result,
  type Table,
} from '@vxmesh/core'
import { z } from 'zod'
import { parseGre, parseIp6Gre, type GreLink, type Ip6GreLink } from './gre.ts'
import { SOURCE_PORTS } from './guard.ts'
import { all, checked, decode, parsedBy } from './json.ts'
import { markedOf, type Found, type Marked } from './marked.ts'
import { PROTOCOL } from './render.ts'

/** A VXLAN device as `ip -details link show` describes it. */
export type VxlanLink = {
  readonly kind: 'vxlan'
  /** May be 0, which is no `Vni`: a foreign device can have it. */
  readonly id: number
  readonly local: IpAddress | undefined
  readonly port: Port
  /** The interface it is bound to with `dev`; undefined when it is not. */
  readonly bound: string | undefined
  readonly mac: MacAddress
  /** Bytes. */
  readonly mtu: number
  readonly alias: string | undefined
  readonly up: boolean
  /** The bridge, bond or the like that it is a port of. A VRF is none: what is in one still speaks for itself. */
  readonly master: string | undefined
  /** It sends only from UDP ports that the unprivileged cannot have. */
  readonly privileged?: true
}

/** A device by its kind; `external` is a VXLAN device without an id of its own (collect-metadata mode). */
export type Link = VxlanLink | GreLink | Ip6GreLink | { readonly kind: 'external' } | { readonly kind: 'other'; readonly what: string }

const ip = z.string().transform(parsedBy(parseIp))

const vxlanData = z.object({
  id: z.int(),
  external: z.boolean().optional(),
  local: ip.optional(),
  local6: ip.optional(),
  port: z.int().transform(parsedBy(parsePort)),
  link: z.string().optional(),
  port_range: z.object({ low: z.int(), high: z.int() }).optional(),
})

const identityElement = z.object({ ifname: z.string().optional(), ifindex: z.int().optional() })

const linkElement = z.object({
  ifname: z.string().optional(),
  flags: z.array(z.string()).optional(),
  mtu: z.int().optional(),
  address: z.string().optional(),
  ifalias: z.string().optional(),
  link_type: z.string().optional(),
  linkinfo: z.object({ info_kind: z.string().optional(), info_data: z.unknown() }).optional(),
})

const vxlanElement = z.object({
  flags: z.array(z.string()),
  mtu: z.int(),
  address: z.string().transform(parsedBy(parseMac)),
  ifalias: z.string().optional(),
  master: z.string().optional(),
  linkinfo: z.object({ info_data: vxlanData, info_slave_kind: z.string().optional() }),
})

export const addressElement = z.object({
  addr_info: z.array(z.object({ family: z.string().optional(), local: z.string().optional(), prefixlen: z.int().optional() })).optional(),
})

const fdbElement = z.object({
  mac: z.string().transform(parsedBy(parseMac)).optional(),
  dst: z.string().optional(),
  port: z.int().transform(parsedBy(parsePort)).optional(),
  vni: z.int().optional(),
  viaIf: z.string().optional(),
  viaIfIndex: z.int().optional(),
  state: z.string().optional(),
})

const neighbourElement = z.object({
  dst: z.string().transform(parsedBy(parseIp)).optional(),
  lladdr: z.string().optional(),
  state: z.array(z.string()).optional(),
  protocol: z.union([z.string(), z.number()]).optional(),
})

/** The index of the one device shown, if it is the one that has that name. */
export function parseIndex(text: string, device: DeviceName): number | undefined {
  const elements = decode(z.array(identityElement), text)
  const named = elements.ok ? elements.value.filter(({ ifname }) => ifname !== undefined) : []
  return named.length === 1 && named[0]?.ifname === device ? named[0].ifindex : undefined
}

/** The one device in the output of `ip -json -details address show dev …`. */
export function parseLink(text: string): Result<Link> {
  const elements = decode(z.array(z.unknown()), text)
  if (!elements.ok) return elements
  const named = elements.value.flatMap((element) => {
    const shape = linkElement.safeParse(element)
    return shape.success && shape.data.ifname !== undefined ? [{ element, shape: shape.data }] : []
  })
  const [only, ...others] = named
  if (only === undefined || others.length > 0) return refuse(`one device expected, ${String(named.length)} found`)
  const what = only.shape.linkinfo?.info_kind
  if (what === 'gre') return parseGre(only.element)
  if (what === 'ip6gre') return parseIp6Gre(only.element)
  if (what !== 'vxlan') return accept({ kind: 'other', what: what ?? only.shape.link_type ?? 'unknown' })
  return checked(vxlanElement.transform(toLink), only.element)
}

function toLink({ flags, mtu, address, ifalias, master, linkinfo }: z.output<typeof vxlanElement>): Link {
  const { info_data: data, info_slave_kind: slaveOf } = linkinfo
  if (data.external === true) return { kind: 'external' }
  return {
    kind: 'vxlan',
    id: data.id,
    local: data.local ?? data.local6,
    port: data.port,
    bound: data.link,
    mac: address,
    mtu,
    alias: ifalias,
    up: flags.includes('UP'),
    master: slaveOf === 'vrf' ? undefined : master,
    ...(isPrivileged(data.port_range) ? { privileged: true } : {}),
  }
}

/** Without a range the kernel takes those that everybody may use. */
function isPrivileged(range: z.output<typeof vxlanData>['port_range']): boolean {
  return range !== undefined && range.low >= SOURCE_PORTS.low && range.high <= SOURCE_PORTS.high
}

/** The addresses in the same output, in its order. A `/0` cannot be said here and is passed over. */
export function parseAddresses(text: string): Result<readonly InterfaceAddress[]> {
  const elements = decode(z.array(addressElement), text)
  if (!elements.ok) return elements
  return all(elements.value.flatMap(inetAddresses).map(({ local, prefixlen }) => parseInterfaceAddress(`${local}/${String(prefixlen)}`)))
}

/** The addresses of an element, as the tool gives them. */
export function inetAddresses({
  addr_info = [],
}: Pick<z.output<typeof addressElement>, 'addr_info'>): { local: string; prefixlen: number }[] {
  return addr_info.flatMap(({ family, local, prefixlen }) =>
    (family === 'inet' || family === 'inet6') && local !== undefined && prefixlen !== undefined && prefixlen > 0
      ? [{ local, prefixlen }]
      : [],
  )
}

/**
 * The entries in the output of `bridge -json fdb show dev …` that could be ours: permanent, with a destination, for
 * everybody (the zero MAC) or for one device.
 *
 * An entry with an id or interface of its own is not one that we could have written, nor does a plain one take its
 * place: it is left out, and since a plan touches nothing that it does not see, it stays as it is. So is one for a group
 * address. An aging one is left out as well: writing it again makes it permanent.
 */
export function parseEntries(text: string, link: VxlanLink): Result<Table> {
  const elements = decode(z.array(z.unknown()), text)
  if (!elements.ok) return elements
  // One after the other: of ten thousand there is not to be yet another list of what is thrown away at once.
  const entries: Entry[] = []
  for (const shown of elements.value) {
    const element = checked(fdbElement, shown)
    if (!element.ok) return element
    const entry = isPlain(element.value, link) ? toEntry(element.value, link) : undefined
    if (entry?.ok === false) return entry
    if (entry !== undefined) entries.push(entry.value)
  }
  return accept(table(entries))
}

function toEntry({ mac, dst, port }: z.output<typeof fdbElement>, link: VxlanLink): Result<Entry> | undefined {
  if (mac === undefined || dst === undefined || !(mac === ZERO_MAC || isUnicast(mac))) return undefined
  const underlay = parseIp(dst)
  if (!underlay.ok) return underlay
  const destination = { underlay: underlay.value, ...(port === undefined || port === link.port ? {} : { port }) }
  return accept(mac === ZERO_MAC ? { kind: 'flood', ...destination } : { kind: 'fdb', mac, ...destination })
}

function isPlain({ vni, viaIf, viaIfIndex, state }: z.output<typeof fdbElement>, link: VxlanLink): boolean {
  return (
    state === 'permanent' &&
    (vni === undefined || vni === link.id) &&
    // The destination given with `type vxlan remote … dev eth0` shows the device's own binding.
    (viaIf === undefined || viaIf === link.bound) &&
    viaIfIndex === undefined
  )
}

/**
 * The permanent neighbours in the output of `ip -N -json neighbour show dev …`. What the kernel finds out by itself,
 * and ages, or invents, is left out: writing it again makes it permanent. So is a neighbour that leads to no one device.
 */
export function parseNeighbours(text: string, mode: Mode = 'vxlan'): Result<Marked> {
  const elements = decode(z.array(neighbourElement), text)
  if (!elements.ok) return elements
  const found = elements.value.flatMap(({ dst, lladdr, state, protocol }): Found[] => {
    const where = whereabouts(lladdr ?? '', mode)
    if (dst === undefined || where === undefined || state?.includes('PERMANENT') !== true) return []
    return [{ entry: { kind: 'neighbour', overlay: dst, ...where }, ours: Number(protocol) === PROTOCOL }]
  })
  return accept(markedOf(found))
}

/** On a GRE device the link-layer address is one of the underlay. */
function whereabouts(lladdr: string, mode: Mode): { readonly mac: MacAddress } | { readonly underlay: IpAddress } | undefined {
  if (mode === 'gre') {
    const underlay = parseIp(lladdr)
    return underlay.ok ? { underlay: underlay.value } : undefined
  }
  const mac = parseMac(lladdr)
  return mac.ok && isUnicast(mac.value) ? { mac: mac.value } : undefined
}
