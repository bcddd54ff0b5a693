/** What iproute2 prints of multipoint GRE: its devices, and the routes of its tunnels. */
import {
  accept,
  family,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  refuse,
  table,
  ZERO_MAC,
  type DeviceName,
  type Entry,
  type GreKey,
  type InterfaceAddress,
  type IpAddress,
  type MacAddress,
  type Result,
  type Table,
} from '@vxmesh/core'
import { z } from 'zod'
import { all, checked, decode, parsedBy } from './json.ts'

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

/** A device of kind gre in the output of `ip -json -details address show dev …`. */
export function parseGre(element: unknown): Result<GreLink> {
  return checked(greElement.transform(toLink), element)
}

function toLink({ flags, mtu, ifalias, linkinfo: { info_data: data } }: z.output<typeof greElement>): GreLink {
  const { local, remote, ikey, okey, external = false } = data
  const id = ikey === okey ? ikey : 'unequal'
  const never = { port: undefined, mac: ZERO_MAC, master: undefined } as const
  return { kind: 'gre', id, local, remote, external, mtu, alias: ifalias, up: flags.includes('UP'), ...never }
}

/** A key as it is shown: 1234 is 0.0.4.210. */
function parseDottedKey(text: string): Result<GreKey> {
  const dotted = parseIp(text)
  if (!dotted.ok || family(dotted.value) !== 'ipv4') return refuse('not a key of GRE')
  return parseGreKey(dotted.value.split('.').reduce((number, byte) => number * 256 + Number(byte), 0))
}

const routeElement = z.object({
  type: z.string().optional(),
  dst: z.string().optional(),
  dev: z.string().optional(),
  gateway: z.string().optional(),
})

/**
 * The routes in the output of `ip -json route show protocol …`, which shows those of all our tunnels: to single
 * addresses through this device, and for which of these networks there is none.
 */
export function parseRoutes(text: string, device: DeviceName, networks: readonly InterfaceAddress[]): Result<Table> {
  const elements = decode(z.array(routeElement), text)
  if (!elements.ok) return elements
  const entries = all(elements.value.flatMap((element) => toRoute(element, device)))
  return entries.ok
    ? accept(table(entries.value.filter((entry) => entry.kind !== 'unreachable' || networks.includes(entry.network))))
    : entries
}

function toRoute({ type, dst, dev, gateway }: z.output<typeof routeElement>, device: DeviceName): readonly Result<Entry>[] {
  if (dst === undefined || dst === 'default' || gateway !== undefined) return []
  if (type === 'unreachable') {
    const network = parseInterfaceAddress(dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? '128' : '32'}`)
    return [network.ok ? accept({ kind: 'unreachable', network: network.value }) : network]
  }
  if (type !== undefined || dev !== device || dst.includes('/')) return []
  const overlay = parseIp(dst)
  return [overlay.ok ? accept({ kind: 'route', overlay: overlay.value }) : overlay]
}
