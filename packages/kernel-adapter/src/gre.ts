/** What iproute2 prints of multipoint GRE: its devices, and the routes of its tunnels. */
import {
  accept,
  contains,
  family,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  refuse,
  ZERO_MAC,
  type Entry,
  type GreKey,
  type InterfaceAddress,
  type IpAddress,
  type MacAddress,
  type Result,
} from '@vxmesh/core'
import { z } from 'zod'
import { checked, decode, parsedBy } from './json.ts'
import { markedOf, type Found, type Marked } from './marked.ts'
import { PROTOCOL, UNREACHABLE_METRIC } from './render.ts'

/** A GRE device as `ip -details link show` describes it. */
export type GreLink = {
  readonly kind: 'gre'
  /** Its key; undefined where it has none, 'unequal' where what it sends has another than what it takes. */
  readonly id: GreKey | 'unequal' | undefined
  readonly local: IpAddress | undefined
  /** Undefined on a multipoint one. */
  readonly remote: IpAddress | undefined
  /** Each packet is told by its route where it goes (collect-metadata mode). */
  readonly external: boolean
  /** Bytes. */
  readonly mtu: number
  readonly alias: string | undefined
  readonly up: boolean
  readonly port: undefined
  /** It has none, and can be no port of a bridge. */
  readonly mac: MacAddress
  readonly master: undefined
}

const address = z.string().transform((text, context) => (text === 'any' ? undefined : parsedBy(parseIp)(text, context)))

const key = z.string().transform(parsedBy(parseDottedKey)).optional()

const greElement = z.object({
  flags: z.array(z.string()),
  mtu: z.int(),
  ifalias: z.string().optional(),
  linkinfo: z.object({
    info_data: z.object({ local: address, remote: address, ikey: key, okey: key, external: z.boolean().optional() }),
  }),
})

/**
 * A device of GRE over IPv6. Without `remote` such a device sends nothing, but an external one does: each packet is told by its
 * route where it goes. It has no key and no address of its own, and takes whatever comes, so a network namespace has one.
 */
export type Ip6GreLink = Pick<GreLink, 'external' | 'mtu' | 'alias' | 'up' | 'port' | 'mac' | 'master'> & {
  readonly kind: 'ip6gre'
  readonly local: undefined
}

const ip6GreElement = z.object({
  flags: z.array(z.string()),
  mtu: z.int(),
  ifalias: z.string().optional(),
  linkinfo: z.object({ info_data: z.object({ external: z.boolean().optional() }) }),
})

/** A device of kind ip6gre in the output of `ip -json -details address show dev …`. */
export function parseIp6Gre(element: unknown): Result<Ip6GreLink> {
  return checked(
    ip6GreElement.transform(
      ({
        flags,
        mtu,
        ifalias,
        linkinfo: {
          info_data: { external = false },
        },
      }): Ip6GreLink => {
        return { kind: 'ip6gre', local: undefined, external, mtu, alias: ifalias, up: flags.includes('UP'), ...NEVER }
      },
    ),
    element,
  )
}

/** What no device of GRE has: it can be no port of a bridge. */
const NEVER = { port: undefined, mac: ZERO_MAC, master: undefined } as const

/** A device of kind gre in the output of `ip -json -details address show dev …`. */
export function parseGre(element: unknown): Result<GreLink> {
  return checked(greElement.transform(toLink), element)
}

function toLink({ flags, mtu, ifalias, linkinfo: { info_data: data } }: z.output<typeof greElement>): GreLink {
  const { local, remote, ikey, okey, external = false } = data
  const id = ikey === okey ? ikey : 'unequal'
  return { kind: 'gre', id, local, remote, external, mtu, alias: ifalias, up: flags.includes('UP'), ...NEVER }
}

/** A key as it is shown: 1234 is 0.0.4.210. */
function parseDottedKey(text: string): Result<GreKey> {
  const dotted = parseIp(text)
  if (!dotted.ok || family(dotted.value) !== 'ipv4') return refuse('not a key of GRE')
  return parseGreKey(dotted.value.split('.').reduce((number, byte) => number * 256 + Number(byte), 0))
}

const routeElement = z.object({
  dst: z.string().optional(),
  table: z.string().optional(),
  metric: z.int().optional(),
  gateway: z.string().optional(),
  via: z.unknown().optional(),
  prefix: z.string().optional(),
  encap: z.string().optional(),
  id: z.int().optional(),
  key: z.boolean().optional(),
  src: z.string().optional(),
  protocol: z.union([z.string(), z.number()]).optional(),
})

const MAIN_TABLE = [undefined, 'main', '254']

/** The routes through a device that could be ours: each to a single address and no further. Of others those inside these networks. */
export function parseRoutes(text: string, networks: readonly InterfaceAddress[]): Result<Marked> {
  const elements = decode(z.array(routeElement), distinct(text))
  if (!elements.ok) return elements
  const routes = elements.value.flatMap(({ prefix, dst, table: where, gateway, via, protocol, ...wrapping }): Found[] => {
    const overlay = parseIp(prefix ?? dst ?? 'default')
    if (!overlay.ok || !MAIN_TABLE.includes(where) || (gateway ?? via) !== undefined) return []
    const ours = Number(protocol) === PROTOCOL
    if (!ours && !networks.some((network) => contains(network, overlay.value))) return []
    const route = { kind: 'route', overlay: overlay.value } as const
    if (wrapping.encap === undefined) return [{ entry: route, ours }]
    const wrapped = unwrap({ ...wrapping, dst })
    return wrapped === undefined ? [] : [{ entry: { ...route, ...wrapped }, ours }]
  })
  // Of two to one address, of different metrics, ours counts.
  return accept(markedOf(routes.toSorted((a, b) => Number(a.ours) - Number(b.ours))))
}

/** The address that a packet is wrapped for is shown under the same name as the one that the route is for: in JSON that would be lost. */
function distinct(text: string): string {
  return text.replaceAll(/"dst":("[^"]*","encap":)/g, '"prefix":$1')
}

type Wrapping = Pick<z.output<typeof routeElement>, 'encap' | 'id' | 'key' | 'src' | 'dst'>

function unwrap({
  encap,
  id,
  key,
  src = '',
  dst = '',
}: Wrapping): Pick<Extract<Entry, { local: IpAddress }>, 'local' | 'underlay' | 'key'> | undefined {
  const [local, underlay, number] = [parseIp(src), parseIp(dst), parseGreKey(id ?? 0)]
  if (encap !== 'ip6' || !local.ok || !underlay.ok || !number.ok) return undefined
  return { local: local.value, underlay: underlay.value, key: key === true ? number.value : undefined }
}

/** Which of these networks are unreachable as we would have them, because of us or not. */
export function parseUnreachable(text: string, networks: readonly InterfaceAddress[]): Result<Marked> {
  const elements = decode(z.array(routeElement), text)
  if (!elements.ok) return elements
  const found = elements.value.flatMap(({ dst, table: where, metric, protocol }): Found[] => {
    const network = parseInterfaceAddress(lengthened(dst ?? ''))
    if (!network.ok || !networks.includes(network.value) || metric !== UNREACHABLE_METRIC || !MAIN_TABLE.includes(where)) return []
    return [{ entry: { kind: 'unreachable', network: network.value }, ours: Number(protocol) === PROTOCOL }]
  })
  return accept(markedOf(found))
}

/** A network of one address is shown without its length. */
function lengthened(network: string): string {
  return network.includes('/') ? network : `${network}/${network.includes(':') ? '128' : '32'}`
}
