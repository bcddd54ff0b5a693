/**
 * The libp2p node: TCP, Noise, yamux, and nothing else.
 *
 * Every limit that libp2p leaves open or sets for a public network is set here. In particular: its connection monitor
 * is off (it aborts a connection at the first late ping; the protocol has its own detector), half-open handshakes are
 * many and short (with the default of ten, a dozen idle sockets shut the listener), write buffers end, and no services
 * run (identify, ping, DHT and relay are surface that a closed mesh does not need).
 */
import { noise } from '@chainsafe/libp2p-noise'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { family, parsePort, type ControlAddress } from '@vxmesh/core'
import { BlackHoleDatastore } from 'datastore-core/black-hole'
import { createLibp2p } from 'libp2p'
import { FRAME_MOST } from '../message.ts'
import type { Doorstep } from './doorstep.ts'
import type { Identity } from './signer.ts'

/**
 * How long a host may take to answer at all, in milliseconds: its kernel does it, but who dials may be slow to read it.
 * What a dial waits for its turn does not count: nobody was asked yet, so silence would say nothing of the other.
 */
export const ANSWER_TIMEOUT = 4000

/** How long its daemon may then take for Noise and the stream. One that starts among many on a busy machine is slow, not gone. */
export const GREETING_TIMEOUT = 5000

/** How long we wait for all of that ourselves, the stream included: many may be at the door of one that has little time, and to turn them away saves it none. */
export const WELCOME_TIMEOUT = 15_000

/** What a stream may hold before the protocol is told that the link is congested, and at most, in bytes. */
const WRITE_BUFFER_MOST = 4 * 1024 * 1024

export async function makeNode(identity: Identity, listen: readonly ControlAddress[], doorstep: Doorstep): Promise<Libp2p> {
  const listenOpts = { noDelay: true, blockList: doorstep }
  return createLibp2p({
    start: false,
    privateKey: identity.privateKey,
    // libp2p notes every peer that it met or failed to reach, and anybody can be any number of peers: it notes them here.
    datastore: new BlackHoleDatastore(),
    addresses: { listen: listen.map(toMultiaddr) },
    transports: [tcp({ inboundSocketInactivityTimeout: 60_000, outboundSocketInactivityTimeout: 60_000, listenOpts })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: 2,
        maxOutboundStreams: 2,
        maxEarlyStreams: 2,
        streamOptions: { maxStreamWindowSize: 1024 * 1024, maxReadBufferLength: FRAME_MOST * 2, maxWriteBufferLength: WRITE_BUFFER_MOST },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionGater: { denyInboundConnection: (connection) => doorstep.refuses(connection) },
    connectionManager: {
      maxConnections: 1200,
      maxIncomingPendingConnections: 256,
      inboundUpgradeTimeout: WELCOME_TIMEOUT,
      // The door is narrower for all but members and this host itself; a rack of them behind one address is a burst.
      inboundConnectionThreshold: 50,
      maxParallelDials: 16,
      maxDialQueueLength: 1024,
      maxPeerAddrsToDial: 4,
      dialTimeout: ANSWER_TIMEOUT + GREETING_TIMEOUT,
      reconnectRetries: 0,
    },
  })
}

export function toMultiaddr({ address, port }: ControlAddress): string {
  return `/${family(address) === 'ipv4' ? 'ip4' : 'ip6'}/${address}/tcp/${String(port)}`
}

/** The wanted addresses as it listens on them: a port of 0 has become one of the system's choice. */
export function listeningAddresses(node: Libp2p, wanted: readonly ControlAddress[]): readonly ControlAddress[] {
  const places = node.getMultiaddrs().map(String)
  return wanted.map((each) => {
    const host = toMultiaddr(each).replace(/[^/]+$/, '')
    const port = parsePort(/^[0-9]+/.exec(places.find((place) => place.startsWith(host))?.slice(host.length) ?? '')?.[0] ?? '')
    return port.ok ? { ...each, port: port.value } : each
  })
}
