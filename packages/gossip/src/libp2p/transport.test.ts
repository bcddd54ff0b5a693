import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ControlAddress, IpAddress, Port } from '@vxmesh/core'
import { FRAME_MOST } from '../message.ts'
import type { Seed, Target } from '../state.ts'
import { makeIdentity } from './signer.ts'
import { openStation, type Station } from './station.ts'

const LOOPBACK = '127.0.0.1' as IpAddress
const ANY_PORT = { address: LOOPBACK, port: 0 as Port }
const cleanup: (() => unknown)[] = []

afterEach(async () => {
  for (const close of cleanup.splice(0)) await close()
})

async function station(known = true): Promise<Station> {
  const made = await openStation(ANY_PORT, known)
  cleanup.push(async () => made.transport.stop())
  return made
}

async function linkedPair(): Promise<readonly [Station, Station]> {
  const [a, b] = [await station(), await station()]
  a.transport.dial(b.identity.peer, [b.at])
  await vi.waitFor(() => expect([a.heard, b.heard]).toEqual([['linked by dial'], ['linked']]))
  return [a, b]
}

/** What a dial came to. */
async function dialled(from: Station, target: Target, addresses?: readonly ControlAddress[]): Promise<string | undefined> {
  from.heard.length = 0
  from.transport.dial(target, addresses)
  await vi.waitFor(() => expect(from.heard).not.toEqual([]), 40_000)
  return from.heard[0]
}

async function listening(server: Server): Promise<ControlAddress> {
  cleanup.push(() => server.close())
  await new Promise<void>((resolve) => void server.listen(0, LOOPBACK, resolve))
  return { address: LOOPBACK, port: (server.address() as AddressInfo).port as Port }
}

/** A port of this host that nobody listens on. */
async function freePort(): Promise<Port> {
  const server = createServer()
  const { port } = await listening(server)
  await new Promise((resolve) => void server.close(resolve))
  return port
}

function seed({ address, port }: ControlAddress): Seed {
  return `${address}:${String(port)}` as Seed
}

describe('frames', () => {
  test('go both ways, in order, up to the longest', async () => {
    const [a, b] = await linkedPair()
    const sent = [Uint8Array.of(1), new Uint8Array(0), new Uint8Array(FRAME_MOST).fill(2), Uint8Array.of(3)]
    for (const bytes of sent) a.transport.send(a.last(), bytes)
    b.transport.send(b.last(), Uint8Array.of(4))
    await vi.waitFor(() => expect([a.frames.length, b.frames.length]).toEqual([1, 4]))
    expect(b.frames).toEqual(sent)
    expect(a.frames).toEqual([Uint8Array.of(4)])
  })

  test('that are too long close the link and are reported', async () => {
    const [a, b] = await linkedPair()
    a.transport.send(a.last(), new Uint8Array(FRAME_MOST + 1))
    await vi.waitFor(() => expect(b.heard).toEqual(['linked', 'garbled: frame too long', 'unlinked']))
    await vi.waitFor(() => expect(a.heard).toContain('unlinked'))
    expect(b.frames).toEqual([])
  })

  test("to a link that is gone, or never was, are nobody's", async () => {
    const [a, b] = await linkedPair()
    a.transport.unlink(a.last(), 'test')
    a.transport.send(a.last(), Uint8Array.of(1))
    a.transport.send(99, Uint8Array.of(1))
    await vi.waitFor(() => expect(b.heard).toEqual(['linked', 'unlinked']))
    expect(a.heard).toEqual(['linked by dial'])
  })

  test('that nobody takes make the link congested, then end it: nothing queues for ever', async () => {
    const [a, b] = await linkedPair()
    const frame = new Uint8Array(FRAME_MOST)
    for (let count = 0; count < 40; count++) a.transport.send(a.last(), frame)
    expect(a.heard).toContain('congested')
    await vi.waitFor(() => expect(a.heard).toContain('unlinked'))
    await vi.waitFor(() => expect(b.heard).toContain('unlinked'))
  })

  test('that are many drain, and the link stays', async () => {
    const [a, b] = await linkedPair()
    const frame = new Uint8Array(FRAME_MOST)
    for (let count = 0; count < 12; count++) a.transport.send(a.last(), frame)
    await vi.waitFor(() => expect(a.heard).toContain('drained'), 40_000)
    await vi.waitFor(() => expect(b.frames).toHaveLength(12), 40_000)
    expect(a.heard).not.toContain('unlinked')
  })
})

describe('a dial', () => {
  test('of a member at its addresses leads to it, the first that answers', async () => {
    const [a, b] = [await station(), await station()]
    const nobody = { address: LOOPBACK, port: await freePort() }
    expect(await dialled(a, b.identity.peer, [nobody, b.at])).toBe('linked by dial')
  })

  test('of a seed leads to whoever is there', async () => {
    const [a, b] = [await station(), await station()]
    expect(await dialled(a, seed(b.at))).toBe('linked by dial')
    expect(await dialled(a, `/dns4/localhost/tcp/${String(b.at.port)}` as Seed)).toBe('linked by dial')
  })

  test('where nobody listens is refused: the host lives', async () => {
    const [a, b] = [await station(), await station()]
    const nobody = { address: LOOPBACK, port: await freePort() }
    expect(await dialled(a, seed(nobody))).toBe('refused')
    expect(await dialled(a, b.identity.peer, [nobody])).toBe('refused')
  })

  test('of ourselves is known as such', async () => {
    const a = await station()
    expect(await dialled(a, seed(a.at))).toBe('self')
    expect(await dialled(a, a.identity.peer, [a.at])).toBe('self')
  })

  test('of somebody who says nothing is given up', async () => {
    const a = await station()
    const mute = await listening(createServer())
    expect(await dialled(a, seed(mute))).toBe('unanswered')
  }, 60_000)

  test('that waits its turn behind many who say nothing is not given up meanwhile', async () => {
    const [a, b] = [await station(), await station()]
    const mute = await listening(createServer())
    const silent = await Promise.all(Array.from({ length: 20 }, makeIdentity))
    for (const { peer } of silent) a.transport.dial(peer, [mute])
    a.transport.dial(b.identity.peer, [b.at])
    await vi.waitFor(() => expect(a.heard).toHaveLength(21), 60_000)
    expect(a.heard.filter((each) => each !== 'unanswered')).toEqual(['linked by dial'])
  }, 90_000)

  test('of nowhere is unresolved', async () => {
    const [a, b] = [await station(), await station()]
    expect(await dialled(a, 'nobody.invalid' as Seed)).toBe('unresolved')
    expect(await dialled(a, b.identity.peer, [])).toBe('unresolved')
  })

  test('of something else is unusable', async () => {
    const a = await station()
    const web = await listening(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    expect(await dialled(a, seed(web))).toBe('unusable')
  })

  test('of a member that answers with another key is unusable', async () => {
    const [a, b] = [await station(), await station()]
    const another = (await makeIdentity()).peer
    expect(await dialled(a, another, [b.at])).toBe('unusable')
  })

  test('that is under way when all is stopped comes to nothing', async () => {
    const a = await station()
    const mute = await listening(createServer())
    a.transport.dial(seed(mute), undefined)
    await a.transport.stop()
    expect(a.heard).toEqual([])
  })
})

describe('a stranger of libp2p', () => {
  async function stranger(kind: 'Ed25519' | 'secp256k1', protocols: readonly string[] = []): Promise<Libp2p> {
    const node = await createLibp2p({
      privateKey: await (kind === 'Ed25519' ? generateKeyPair('Ed25519') : generateKeyPair('secp256k1')),
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    })
    for (const protocol of protocols) await node.handle(protocol, () => {})
    cleanup.push(async () => node.stop())
    return node
  }

  test.each([
    ['that does not speak our protocol', 'Ed25519', []],
    ['whose key is of another kind', 'secp256k1', ['/vxmesh/1']],
  ] as const)('%s is unusable as a seed, and let go', async (_name, kind, protocols) => {
    const [a, other] = [await station(), await stranger(kind, protocols)]
    expect(
      await dialled(
        a,
        other
          .getMultiaddrs()[0]
          ?.toString()
          .replace(/\/p2p\/.*/, '') as Seed,
      ),
    ).toBe('unusable')
    await vi.waitFor(() => expect(other.getConnections()).toEqual([]))
  })

  test('whose key is of another kind is not linked when it dials', async () => {
    const [a, other] = [await station(), await stranger('secp256k1')]
    const connection = await other.dial(multiaddr(`/ip4/127.0.0.1/tcp/${String(a.at.port)}`))
    await connection.newStream('/vxmesh/1').catch(() => undefined)
    await vi.waitFor(() => expect(other.getConnections()).toEqual([]))
    expect(a.heard).toEqual([])
  })

  const NOISE_FRAME = Uint8Array.of(0, 32, ...new Uint8Array(32).fill(0xff))
  test.each([
    ['whose bytes are no yamux', (muxer: object) => below(muxer).send(new Uint8Array(100).fill(0xff))],
    ['whose bytes are no Noise', (_muxer: object, connection: object) => below(connection).send(NOISE_FRAME)],
  ])('%s loses its link, and takes nothing else with it', async (_name, misbehave) => {
    const [a, other] = [await station(), await stranger('Ed25519')]
    const connection = await other.dial(multiaddr(`/ip4/127.0.0.1/tcp/${String(a.at.port)}`))
    await connection.newStream('/vxmesh/1')
    await vi.waitFor(() => expect(a.heard).toEqual(['linked']))
    misbehave(Reflect.get(connection, 'muxer') as object, connection)
    await vi.waitFor(() => expect(a.heard).toEqual(['linked', 'unlinked']))
    const b = await station()
    expect(await dialled(b, a.identity.peer, [a.at])).toBe('linked by dial')
  })

  /** What is under a layer of libp2p. */
  function below(layer: object): { send(bytes: Uint8Array): boolean } {
    return Reflect.get(layer, 'maConn') as ReturnType<typeof below>
  }

  test('that opens no stream is shown out', async () => {
    const [a, other] = [await station(), await stranger('Ed25519')]
    await other.dial(multiaddr(`/ip4/127.0.0.1/tcp/${String(a.at.port)}`))
    await vi.waitFor(() => expect(other.getConnections()).toEqual([]), 40_000)
    expect(a.heard).toEqual([])
  }, 60_000)
})

describe('bytes that are no libp2p', () => {
  async function intruder({ port }: ControlAddress): Promise<Socket> {
    const socket = connect({ host: LOOPBACK, port })
    socket.on('error', () => {})
    cleanup.push(() => socket.destroy())
    await new Promise((resolve) => void socket.once('connect', resolve))
    return socket
  }

  test('do not keep an honest peer out, nor do many idle sockets', async () => {
    const [a, b] = [await station(), await station()]
    for (let count = 0; count < 20; count++) {
      const socket = await intruder(b.at)
      if (count % 2 === 0) socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(100))
    }
    expect(await dialled(a, b.identity.peer, [b.at])).toBe('linked by dial')
    a.transport.send(a.last(), Uint8Array.of(1))
    await vi.waitFor(() => expect(b.frames).toEqual([Uint8Array.of(1)]))
    expect(b.heard).toEqual(['linked'])
  })

  test('lead to the end of their connection', async () => {
    const b = await station()
    const socket = await intruder(b.at)
    const closed = new Promise((resolve) => void socket.once('close', resolve))
    socket.write(new Uint8Array(100_000).fill(0xff))
    await closed
    expect(b.heard).toEqual([])
  })
})

describe('stopping', () => {
  test("lets what was sent arrive, ends the others' links, and tells its owner nothing more", async () => {
    const [a, b] = await linkedPair()
    for (let count = 0; count < 4; count++) a.transport.send(a.last(), new Uint8Array(FRAME_MOST / 4))
    await a.transport.stop()
    await vi.waitFor(() => expect(b.heard).toEqual(['linked', 'unlinked']))
    expect(b.frames).toHaveLength(4)
    expect(a.heard.filter((each) => each !== 'congested' && each !== 'drained')).toEqual(['linked by dial'])
  })
})

test('a place at the door is kept by who is not admitted, and by nobody else', async () => {
  const [host, guest] = [await station(false), await station()]
  const knock = async (): Promise<string | undefined> => dialled(guest, host.identity.peer, [host.at])
  for (let times = 0; times < 8; times++) expect(await knock()).toBe('linked by dial')
  const full = performance.now()
  await vi.waitUntil(() => performance.now() > full + 1000, 10_000)
  expect(await knock()).not.toBe('linked by dial')
  for (let link = host.last(); link > 0; link--) host.transport.admitted(link)
  expect(await knock()).toBe('linked by dial')
})
