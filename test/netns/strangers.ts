/**
 * An attacker's program, run in the namespace of a host that has many addresses: strangers that come to a daemon's port.
 *
 *     node strangers.ts TARGET RATE
 *
 * RATE a second, from all addresses of the host in turn: they say nothing and stay, say a little now and then, say what makes
 * no sense, or greet as libp2p does, with keys of their own, and show the certificates of another mesh.
 */
import { randomBytes } from 'node:crypto'
import net, { type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { parseIp, parseMeshId, parsePort, sure } from '@vxmesh/core'
import { certifyInvite, certifyMember, encodeFrame } from '@vxmesh/gossip'
import { makeIdentity, parseSeed } from '@vxmesh/gossip/libp2p'
import { startTransport, type Transport } from '../../packages/gossip/src/libp2p/transport.ts'

const [target = '', rate = '1000'] = process.argv.slice(2)
const addresses = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .filter(({ family, internal }) => family === 'IPv4' && !internal)
  .map(({ address }) => address)
let turn = 0
const next = (): string => addresses[turn++ % addresses.length] ?? ''

const connect = net.connect.bind(net)
// libp2p leaves it to the system from which address it dials.
Object.assign(net, { connect: (options: net.TcpNetConnectOpts) => connect({ ...options, localAddress: next() }) })

const ways: Readonly<Record<'idle' | 'slow' | 'garbage', (socket: Socket) => void>> = {
  idle: () => undefined,
  slow: (socket) => {
    const timer = setInterval(() => socket.write('\u0013'), 1000)
    socket.on('close', () => clearInterval(timer))
  },
  garbage: (socket) => void socket.write(randomBytes(300)),
}

const counts = { knocks: 0, refused: 0, greeted: 0 }

function knock(way: keyof typeof ways): void {
  counts.knocks++
  const socket = net.connect({ host: target, port: 4788 })
  socket.on('error', () => counts.refused++)
  socket.on('connect', () => ways[way](socket))
}

/** One of as many keys as there are addresses, each with its own node. */
async function greeter(): Promise<() => void> {
  const [identity, mesh, invite] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()])
  const meshId = sure(parseMeshId(mesh.peer))
  const hello = encodeFrame({ hello: certifyMember(meshId, invite, certifyInvite(mesh, invite.peer), identity.peer) })
  const ignore = (): undefined => undefined
  const transport: Transport = await startTransport(
    identity,
    [{ address: sure(parseIp('127.0.0.1')), port: sure(parsePort(20_000 + turn++)) }],
    4788,
    {
      linked: (link) => {
        counts.greeted++
        transport.send(link, hello)
      },
      ...{ unlinked: ignore, frame: ignore, congested: ignore, drained: ignore, undialled: ignore, garbled: ignore, knows: () => false },
    },
  )
  const seed = sure(parseSeed(target))
  return () => {
    counts.knocks++
    transport.dial(seed, undefined)
  }
}

const greeters = await Promise.all(Array.from({ length: 4 }, greeter))
const kinds = ['idle', 'slow', 'garbage'] as const
let last = performance.now()
let due = 0
setInterval(() => {
  const now = performance.now()
  // Who was kept from it does not make up for it: no more than a tenth of a second at once.
  due += (Math.min(now - last, 100) / 1000) * Number(rate)
  last = now
  for (; due >= 1; due--) {
    const kind = Math.floor(Math.random() * 4)
    const way = kinds[kind]
    if (way === undefined) greeters[turn % greeters.length]?.()
    else knock(way)
  }
}, 5)
setInterval(() => console.log(JSON.stringify(counts)), 1000)
