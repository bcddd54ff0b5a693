/**
 * Links over libp2p: TCP, Noise, yamux, and one stream of one protocol a connection. Numbers links, turns bytes into
 * frames and back, and reports what happens; it decides nothing about members.
 */
import { TimeoutError, type Connection, type Stream } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { MeshError, messageOf, parsePeerId, type Bytes, type ControlAddress, type IpAddress, type PeerId } from '@vxmesh/core'
import { FRAME_MOST } from '../message.ts'
import { isSeed, type DialFailure, type LinkId, type Target } from '../state.ts'
import { addressOf, makeDoorstep } from './doorstep.ts'
import { failureOf, worst } from './failure.ts'
import { deframer, frame } from './framing.ts'
import { ANSWER_TIMEOUT, GREETING_TIMEOUT, listeningAddresses, makeNode, toMultiaddr, WELCOME_TIMEOUT } from './node.ts'
import { seedAddresses } from './seed.ts'
import type { Identity } from './signer.ts'

const PROTOCOL = '/vxmesh/1'

/** What libp2p says when a dial is no longer waiting or has joined another to the same place, and when the host has answered. */
const TIMEOUTS: ReadonlyMap<string, number> = new Map([
  ['dial-queue:start-dial', ANSWER_TIMEOUT],
  ['dial-queue:already-in-dial-queue', ANSWER_TIMEOUT + GREETING_TIMEOUT],
  ['upgrader:encrypt-outbound-connection', GREETING_TIMEOUT],
])

/** What a transport tells its owner. */
export type TransportEvents = {
  linked(link: LinkId, peer: PeerId, dialled: Target | undefined, at: IpAddress | undefined): void
  unlinked(link: LinkId): void
  frame(link: LinkId, bytes: Bytes): void
  congested(link: LinkId): void
  drained(link: LinkId): void
  undialled(target: Target, failure: DialFailure): void
  /** Whether members are there, as far as is known: whoever comes from there need not wait at the door. */
  knows(address: IpAddress): boolean
  /** Bytes that were no frames: the peer's link is closed. */
  garbled(peer: PeerId, reason: string): void
}

type Held = { readonly connections: number; readonly streams: number; readonly peers: number }

export type Transport = {
  /** Where it listens: at least one address, all by one port but where the system chose it. */
  readonly listening: readonly ControlAddress[]
  /** Ends every link and listens at other addresses from now on, by the same port. Throws as `startTransport` does. */
  move(addresses: readonly IpAddress[]): Promise<void>
  send(link: LinkId, bytes: Bytes): void
  /** Dials a member at its addresses, or a seed wherever its name leads; reports `linked` or `undialled`. */
  dial(target: Target, addresses: readonly ControlAddress[] | undefined): void
  /** The peer of a link is a member: it leaves its place at the door to others. */
  admitted(link: LinkId): void
  /** Whether that very peer answers there. Makes no link. */
  finds(peer: PeerId, place: ControlAddress): Promise<boolean>
  unlink(link: LinkId, reason: string): void
  /** What libp2p holds for us. */
  held(): Promise<Held>
  /** Lets what was sent leave, as long as that takes little, and closes everything. */
  stop(): Promise<void>
}

type OpenLink = { readonly stream: Stream; readonly connection: Connection; readonly leave?: (() => void) | undefined }

export async function startTransport(
  identity: Identity,
  listen: readonly ControlAddress[],
  defaultPort: number,
  events: TransportEvents,
): Promise<Transport> {
  const doorstep = makeDoorstep((address) => events.knows(address))
  let node = await makeNode(identity, listen, doorstep)
  const links = new Map<LinkId, OpenLink>()
  const stopping = new AbortController()
  let lastLink: LinkId = 0

  /** Makes a link of a stream, unless it is of no use: then its connection ends, and false says so. */
  function adopt({ stream, connection }: OpenLink, dialled: Target | undefined): boolean {
    const peer = parsePeerId(connection.remotePeer.toString())
    if (!peer.ok || stream.status !== 'open' || stopping.signal.aborted) {
      abort(connection, 'not for us')
      return false
    }
    const link = ++lastLink
    const frames = deframer(FRAME_MOST)
    links.set(link, { stream, connection, leave: doorstep.leave(connection.remoteAddr) })
    const ended = (): void => {
      if (!links.delete(link)) return
      // Not at once: libp2p may be at ending this connection itself, and writes a last word to it after it told us.
      queueMicrotask(() => abort(connection, 'the link has ended'))
      events.unlinked(link)
    }
    stream.addEventListener('message', ({ data }) => {
      if (!links.has(link)) return
      const whole = frames(data)
      if (whole === undefined) {
        events.garbled(peer.value, 'frame too long')
        return ended()
      }
      for (const bytes of whole) if (links.has(link)) events.frame(link, bytes)
    })
    stream.addEventListener('drain', () => {
      if (links.has(link)) events.drained(link)
    })
    stream.addEventListener('close', ended)
    stream.addEventListener('remoteCloseWrite', ended)
    events.linked(link, peer.value, dialled, addressOf(connection.remoteAddr))
    return true
  }

  async function open(at: readonly ControlAddress[]): Promise<readonly ControlAddress[]> {
    await node.handle(PROTOCOL, (stream, connection) => void adopt({ stream, connection }, undefined), { maxInboundStreams: 1 })
    node.addEventListener('connection:open', ({ detail: connection }) => {
      if (connection.direction === 'inbound') abortWithoutStream(connection)
    })
    try {
      await node.start()
    } catch (error) {
      // libp2p says it in a paragraph with a stack; what the system said is somewhere in there.
      const [said] = /\bE[A-Z]{4,}: [^\n]+/.exec(String(error)) ?? String(error).split('\n')
      const reason = `cannot listen on ${at.map(({ address }) => address).join(', ')}: ${said ?? ''}`
      throw new MeshError({ code: 'CONFIG_INVALID', where: `--port ${String(at[0]?.port)}`, reason }, { cause: error })
    }
    return listeningAddresses(node, at)
  }

  let listening = await open(listen)

  async function dialAll(target: Target, addresses: readonly Multiaddr[]): Promise<void> {
    const failures: DialFailure[] = []
    for (const address of addresses) {
      const reached = await dialOne(address, openLink)
      if (typeof reached !== 'string' && adopt(reached, target)) return
      failures.push(typeof reached === 'string' ? reached : 'unusable')
    }
    if (!stopping.signal.aborted) events.undialled(target, addresses.length === 0 ? 'unresolved' : worst(failures))
  }

  async function dialOne<Made>(
    address: Multiaddr,
    make: (connection: Connection, signal: AbortSignal) => Promise<Made>,
  ): Promise<Made | DialFailure> {
    const late = new AbortController()
    const signal = AbortSignal.any([late.signal, stopping.signal])
    let timer: NodeJS.Timeout | undefined
    try {
      const connection = await node.dial(address, {
        signal,
        force: true,
        onProgress: ({ type }) => {
          if (TIMEOUTS.has(type)) clearTimeout(timer)
          if (TIMEOUTS.has(type)) timer = setTimeout(() => late.abort(new TimeoutError('no answer in time')), TIMEOUTS.get(type))
        },
      })
      return await make(connection, signal)
    } catch (error) {
      return failureOf(error)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    get listening() {
      return listening
    },
    async move(addresses) {
      const former = node
      const [first] = listening
      const at = first === undefined ? [] : addresses.map((address) => ({ address, port: first.port }))
      node = await makeNode(identity, at, doorstep)
      // What hangs on the address that is gone could say goodbye to nobody, so nobody is waited for.
      for (const { connection } of links.values()) abort(connection, 'our addresses have changed')
      void former.stop()
      listening = await open(at)
    },
    send(link, bytes) {
      const open = links.get(link)
      if (open?.stream.writeStatus !== 'writable') return
      try {
        if (!open.stream.send(frame(bytes))) events.congested(link)
      } catch (error) {
        // The connection broke under the write: its end is reported like any other.
        abort(open.connection, messageOf(error))
      }
    },
    dial(target, addresses) {
      const places = isSeed(target) ? seedAddresses(target, defaultPort) : memberAddresses(target, addresses ?? [])
      void places.then(async (found) => dialAll(target, found))
    },
    admitted: (link) => links.get(link)?.leave?.(),
    async finds(peer, place) {
      const found = await dialOne(multiaddr(`${toMultiaddr(place)}/p2p/${peer}`), async (connection) => connection)
      if (typeof found === 'string') return false
      abort(found, 'found')
      return true
    },
    unlink(link, reason) {
      const open = links.get(link)
      links.delete(link)
      if (open !== undefined) abort(open.connection, reason)
    },
    async held() {
      const connections = node.getConnections()
      const streams = connections.flatMap((connection) => connection.streams).length
      return { connections: connections.length, streams, peers: (await node.peerStore.all()).length }
    },
    async stop() {
      stopping.abort()
      const closing = [...links.values()].map(async ({ stream }) => stream.close({ signal: AbortSignal.timeout(500) }))
      links.clear()
      await Promise.allSettled(closing)
      await node.stop()
    },
  }
}

/**
 * Ends a connection at once. yamux throws where it cannot say goodbye any more, and then what is below it is still open:
 * the second time it has nothing to say.
 */
function abort(connection: Connection, reason: string): void {
  try {
    connection.abort(new Error(reason))
  } catch {
    connection.abort(new Error(reason))
  }
}

function abortWithoutStream(connection: Connection): void {
  const timer = setTimeout(() => {
    if (connection.streams.every((stream) => stream.protocol !== PROTOCOL)) abort(connection, 'no stream in time')
  }, WELCOME_TIMEOUT)
  timer.unref()
  connection.addEventListener('close', () => clearTimeout(timer))
}

async function openLink(connection: Connection, signal: AbortSignal): Promise<OpenLink> {
  try {
    return { connection, stream: await connection.newStream(PROTOCOL, { signal }) }
  } catch (error) {
    abort(connection, 'it does not speak our protocol')
    throw error
  }
}

async function memberAddresses(peer: PeerId, addresses: readonly ControlAddress[]): Promise<readonly Multiaddr[]> {
  return addresses.map((address) => multiaddr(`${toMultiaddr(address)}/p2p/${peer}`))
}
