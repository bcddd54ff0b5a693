/**
 * What members say to each other by multicast DNS, in the form of libp2p's mDNS: whoever asks for the name of the mesh is
 * answered with the peer id and the address of each member there.
 *
 * The name is derived from the mesh's public key, so that meshes on one wire do not hear each other. Every answer carries a
 * tag made with that key as well. It proves nothing of whom it speaks of: strangers do not know the key, members do. It is a
 * sieve: of what a stranger shouts nothing gets as far as a list, and it costs less than a signature to see that.
 */
import { hash } from 'node:crypto'
import { encode, type Answer } from '@dnsquery/dns-packet'
import { addressRange, family, parseIp, parsePeerId, parsePort, type Bytes, type MeshId } from '@vxmesh/core'
import { placeOf, type Announcement } from '../candidates.ts'

/** What a packet says to us. */
type Heard = { readonly kind: 'query' } | ({ readonly kind: 'answer' } & Announcement)

/** No packet of ours comes near; others may be of any length. */
const PACKET_MOST = 600

/** Seconds that caches may keep an answer. */
const TTL = 120

const ADDRESS = 'dnsaddr='
const TAG = 'tag='

/** The flag of an answer, in the third byte; and that of one by whom it is about, in both of them. */
const IS_ANSWER = 0x80
const AUTHORITATIVE = 0x04_00

/** The words of one mesh. */
export type Language = {
  /** The name that is asked for. */
  readonly service: string
  query(): Bytes
  answer(announcement: Announcement): Bytes
  /** Undefined: it is not for us, or not well said. */
  understand(packet: Uint8Array): Heard | undefined
}

export function languageOf(mesh: MeshId): Language {
  const label = `_vxmesh-${hash('sha256', `vxmesh-discovery/1/${mesh}`).slice(0, 32)}`
  const service = `${label}._udp.local`
  const key = hash('sha256', `vxmesh-announcement/1/${mesh}`)
  // Twice, as HMAC does. Thousands may have to be made in a second, and objects of node's for it would live until they are collected.
  const tagOf = (text: string): string => TAG + hash('sha256', key + hash('sha256', key + text), 'base64url').slice(0, 22)
  const named = Buffer.from(label)

  return {
    service,
    /**
     * Nearly all that is heard is of others, or forged, and is not worth to be taken apart: what counts is whether the name is
     * there, and an address with its tag behind it, as the answers of this mesh have them.
     */
    understand(bytes) {
      const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      if (packet.length > PACKET_MOST || !packet.includes(named)) return undefined
      if ((packet[2]! & IS_ANSWER) === 0) return { kind: 'query' }
      const place = packet.indexOf(ADDRESS)
      const address = textAt(packet, place - 1)
      const tag = address === undefined ? undefined : textAt(packet, place + address.length)
      if (address === undefined || tag !== tagOf(address)) return undefined
      const announcement = parseAddress(address.slice(ADDRESS.length))
      return announcement && { kind: 'answer', ...announcement }
    },
    query: () => Uint8Array.from(encode({ type: 'query', questions: [{ name: service, type: 'PTR' }] })),
    answer(announcement) {
      // A label has 63 characters at most; the end of a peer id tells members apart.
      const instance = `${announcement.peer.slice(-32).toLowerCase()}.${service}`
      const address = ADDRESS + placeOf(announcement)
      const answers: Answer[] = [
        { name: service, type: 'PTR', class: 'IN', ttl: TTL, data: instance },
        { name: instance, type: 'TXT', class: 'IN', ttl: TTL, data: [address, tagOf(address)] },
      ]
      return Uint8Array.from(encode({ type: 'response', flags: AUTHORITATIVE, answers }))
    },
  }
}

/** A text that stands behind the byte that says how long it is. */
function textAt(packet: Buffer, place: number): string | undefined {
  const length = packet[place]
  if (length === undefined || place + 1 + length > packet.length) return undefined
  return packet.toString('latin1', place + 1, place + 1 + length)
}

function parseAddress(text: string): Announcement | undefined {
  const [, kind, host = '', tcp = '', id = ''] = /^\/ip([46])\/([^/]+)\/tcp\/([0-9]+)\/p2p\/([^/]+)$/.exec(text) ?? []
  const [address, port, peer] = [parseIp(host), parsePort(tcp), parsePeerId(id)]
  if (!address.ok || !port.ok || !peer.ok || addressRange(address.value) !== 'usable') return undefined
  return family(address.value) === `ipv${kind ?? ''}` ? { peer: peer.value, at: { address: address.value, port: port.value } } : undefined
}
