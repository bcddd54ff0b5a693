/**
 * The mDNS group on one interface. @libp2p/mdns is not used for it: it joins the group on every interface, tunnels and
 * container bridges included, asks on the one that the kernel's routes choose or on none, speaks IPv4 only, and does not tell
 * who answered. (multicast-dns, below it, takes an interface, and then hears nothing on Linux: it binds to its address.)
 *
 * The socket is bound to the group's own address, so the kernel keeps from us what is sent to this host alone: nobody from
 * beyond the link can say anything here.
 */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { family, hostOf, parseIp, messageOf, type Bytes, type IpAddress, type Lan } from '@vxmesh/core'

/** Bytes that the kernel keeps until they are read: twice what it gives unasked, for what is said while others shout. */
const BACKLOG = 212_992

/** RFC 6762. */
const PORT = 5353
const GROUPS = { ipv4: '224.0.0.251', ipv6: 'ff02::fb' } as const

export type Family = keyof typeof GROUPS

export type GroupEvents = {
  /** What is sent from now on is sent. */
  joined(): void
  heard(packet: Uint8Array, source: IpAddress): void
  /** It is of no use any more. */
  failed(reason: string): void
}

export type Group = { send(packet: Bytes): void; close(): void }

/** The families that can be spoken on a LAN: one needs an address of it, IPv6 a link-local one. */
export function familiesOf({ networks }: Lan): readonly Family[] {
  const has = (wanted: Family, pattern: RegExp): boolean =>
    networks.some((network) => family(hostOf(network)) === wanted && pattern.test(network))
  return [...(has('ipv4', /./) ? (['ipv4'] as const) : []), ...(has('ipv6', /^fe80:/) ? (['ipv6'] as const) : [])]
}

export function joinGroup(lan: Lan, spoken: Family, events: GroupEvents): Group {
  const zone = `%${lan.name}`
  const group = GROUPS[spoken]
  const place = spoken === 'ipv4' ? group : group + zone
  // IPv4 names an interface by an address of it.
  const own = lan.networks.map(hostOf).find((address) => family(address) === 'ipv4') ?? ''
  const through = spoken === 'ipv4' ? own : `::${zone}`
  const socket = createSocket({ type: spoken === 'ipv4' ? 'udp4' : 'udp6', reuseAddr: true })
  let phase: 'joining' | 'open' | 'closed' = 'joining'
  const fail = (error: unknown): void => {
    if (phase !== 'closed') events.failed(messageOf(error))
  }
  socket.on('error', fail)
  socket.on('message', (packet, from) => {
    const source = sourceOf(from, zone)
    if (source !== undefined) events.heard(packet, source)
  })
  socket.bind({ port: PORT, address: place, exclusive: true }, () => {
    if (phase === 'closed') return
    try {
      socket.setRecvBufferSize(BACKLOG)
      socket.addMembership(group, through)
      socket.setMulticastInterface(through)
      socket.setMulticastTTL(255)
      phase = 'open'
    } catch (error) {
      return fail(error)
    }
    events.joined()
  })
  return {
    send(packet) {
      // What cannot be sent now, the address being new for one, is said again soon.
      if (phase === 'open') socket.send(packet, PORT, place, () => undefined)
    },
    close() {
      if (phase !== 'closed') socket.close()
      phase = 'closed'
    },
  }
}

/** Who speaks mDNS does so from its port. Its zone says on which interface it was heard. */
function sourceOf({ address, port }: RemoteInfo, zone: string): IpAddress | undefined {
  if (port !== PORT) return undefined
  const source = parseIp(address.endsWith(zone) ? address.slice(0, -zone.length) : address)
  return source.ok ? source.value : undefined
}
