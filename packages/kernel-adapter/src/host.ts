/** The interfaces of the host, out of what `ip` prints of them. */
import { accept, parseInterfaceAddress, parseIp, type HostInterface, type Result, type Wire } from '@vxmesh/core'
import { z } from 'zod'
import { all, decode } from './json.ts'
import { addressElement, inetAddresses } from './read.ts'

const hostElement = addressElement.extend({
  ifname: z.string().optional(),
  ifindex: z.int().optional(),
  mtu: z.int().optional(),
  flags: z.array(z.string()).optional(),
  /** The bridge, bond or VRF that it is a port of. */
  master: z.string().optional(),
  /** What a VLAN is on; of a veth the other end, of a tunnel what it is bound to. */
  link: z.string().nullish(),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
})

type Element = z.output<typeof hostElement>

/** The interfaces in the output of `ip -json -details address show`, in its order. */
export function parseHost(text: string): Result<readonly HostInterface[]> {
  const elements = decode(z.array(hostElement), text)
  if (!elements.ok) return elements
  return all(
    elements.value.flatMap((element): Result<HostInterface>[] => {
      const { ifname: name, mtu } = element
      if (name === undefined || mtu === undefined) return []
      const shown = inetAddresses(element)
      const addresses = all(shown.map(({ local }) => parseIp(local)))
      const networks = all(shown.map(({ local, prefixlen }) => parseInterfaceAddress(`${local}/${String(prefixlen)}`)))
      if (!addresses.ok) return [addresses]
      if (!networks.ok) return [networks]
      const wire = wireOf(element, networks.value, elements.value)
      return [accept({ name, mtu, addresses: addresses.value, wire })]
    }),
  )
}

function wireOf(element: Element, networks: Wire['networks'], among: readonly Element[]): Wire | undefined {
  const { ifindex: index, flags = [] } = element
  if (index === undefined) return undefined
  const multicast = flags.includes('UP') && flags.includes('MULTICAST') && !flags.includes('LOOPBACK') && !flags.includes('POINTOPOINT')
  const made = madeOf(element, among, new Set()).map(kindOf)
  return { index, networks, multicast, kinds: [kindOf(element), ...made] }
}

function kindOf({ linkinfo }: Element): string {
  return linkinfo?.info_kind ?? 'card'
}

/** What stands on another interface: of other kinds, `link` is no part of them. */
const STANDS_ON: ReadonlySet<string> = new Set(['vlan', 'macvlan', 'ipvlan', 'macvtap', 'macsec'])

/** What an interface is made of, through and through; `seen` is what was looked at, so that a circle ends. */
function madeOf(element: Element, among: readonly Element[], seen: Set<Element>): readonly Element[] {
  if (seen.has(element)) return []
  seen.add(element)
  const { ifname, link } = element
  const parts = among.filter(
    (other) => other !== element && (other.master === ifname || (STANDS_ON.has(kindOf(element)) && other.ifname === link)),
  )
  return parts.flatMap((part) => [part, ...madeOf(part, among, seen)])
}
