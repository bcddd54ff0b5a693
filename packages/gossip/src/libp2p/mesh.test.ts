import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  instant,
  FIRST_KEY,
  UNBOUND,
  wallTime,
  type Incarnation,
  type IpAddress,
  type MemberName,
  type MeshId,
  type PeerId,
  type Port,
} from '@vxmesh/core'
import { certifyInvite, certifyMember } from '../certificate.ts'
import type { Saved } from '../protocol.ts'
import type { Seed } from '../state.ts'
import { startMesh, type Mesh, type MeshOptions } from './mesh.ts'
import { makeIdentity, type Identity } from './signer.ts'

const LOOPBACK = '127.0.0.1' as IpAddress
const cleanup: (() => unknown)[] = []

afterEach(async () => {
  for (const close of cleanup.splice(0)) await close()
})

/** What admits to one mesh. */
type Admission = { readonly meshKey: Identity; readonly mesh: MeshId; certify(peer: PeerId): Granted }
type Granted = MeshOptions['admission']

async function admission(): Promise<Admission> {
  const [meshKey, invite] = [await makeIdentity(), await makeIdentity()]
  const mesh = meshKey.peer as MeshId
  const certify = (peer: PeerId): Granted => {
    const chain = certifyMember(mesh, invite, certifyInvite(meshKey, invite.peer), peer)
    return { chain, peer, invite: invite.peer, issuer: { key: mesh, generation: 0 }, certified: UNBOUND, bounds: UNBOUND }
  }
  return { meshKey, mesh, certify }
}

type Start = {
  readonly identity?: Identity
  readonly seeds?: readonly Mesh[]
  readonly at?: Port
  readonly chain?: Uint8Array<ArrayBuffer>
  readonly saved?: Saved
  readonly above?: number
}

/** A member over loopback, and what its owner was told. */
type Member = {
  readonly mesh: Mesh
  readonly peer: PeerId
  readonly told: string[]
  readonly persisted: number[]
  readonly sees: () => Record<string, string>
}

function portOf({ listening: [at] }: Mesh): Port {
  return at?.port ?? (0 as Port)
}

async function start(name: string, admitted: Admission, options: Start = {}): Promise<Member> {
  const identity = options.identity ?? (await makeIdentity())
  const told: string[] = []
  const persisted: number[] = []
  const mesh = await startMesh({
    identity,
    mesh: admitted.mesh,
    admission: { ...admitted.certify(identity.peer), ...(options.chain === undefined ? {} : { chain: options.chain }) },
    listen: [{ address: LOOPBACK, port: options.at ?? (0 as Port) }],
    content: { name: name as MemberName, enforces: '', tunnels: [] },
    above: (options.above ?? 1) as Incarnation,
    seeds: (options.seeds ?? []).map(({ listening: [at] }) => `${at?.address ?? ''}:${String(at?.port)}` as Seed),
    seedPort: 1,
    lineage: FIRST_KEY,
    saved: options.saved ?? { records: [], accusations: [], evictions: [] },
    clock: { now: () => instant(performance.now()) },
    random: Math.random,
    wall: () => wallTime(Date.now()),
    listener: {
      persist: (incarnation) => persisted.push(incarnation),
      evict: (_evictions, { key }) => told.push(`evicted: ${key}`),
      changed: () => {},
      ...{ succeed: () => undefined, admitted: () => undefined, contested: () => undefined },
      member: (record, _was, is) => told.push(`${record.name} is ${is.state}`),
      dropped: (_peer, reason) => told.push(`dropped: ${reason}`),
      cloned: () => undefined,
      trouble: (_seed, trouble) => told.push(trouble),
    },
  })
  cleanup.push(async () => mesh.stop())
  const sees = (): Record<string, string> => {
    const { view, standings } = mesh.state()
    return Object.fromEntries([...view.values()].map(({ signed: { record } }) => [record.name, standings.get(record.peer)?.state ?? '?']))
  }
  return { mesh, peer: identity.peer, told, persisted, sees }
}

/** Waits for what the members should see. */
async function until(members: readonly Member[], seen: Record<string, string>): Promise<void> {
  await vi.waitFor(() => {
    for (const { sees } of members) expect(sees()).toEqual(seen)
  }, 10_000)
}

describe('members of one mesh', () => {
  test('that know one address find each other, and a third that knows one of them', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { seeds: [a.mesh] })
    const c = await start('c', admitted, { seeds: [b.mesh] })
    await until([a, b, c], { a: 'alive', b: 'alive', c: 'alive' })
    expect(a.told).toEqual(expect.arrayContaining(['b is alive', 'c is alive']))
  })

  test('find each other where one is told that a member may be, and another is not', async () => {
    const admitted = await admission()
    const [a, b] = [await start('a', admitted), await start('b', admitted)]
    const port = String(b.mesh.listening[0]?.port)
    a.mesh.approach(`/ip4/${LOOPBACK}/tcp/${port}/p2p/${a.peer}` as Seed)
    a.mesh.approach(`/ip4/${LOOPBACK}/tcp/${port}/p2p/${b.peer}` as Seed)
    await until([a, b], { a: 'alive', b: 'alive' })
    expect(a.told).toEqual(['b is alive'])
  })

  test('hear a change of what one says about itself', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { seeds: [a.mesh] })
    await until([a, b], { a: 'alive', b: 'alive' })
    b.mesh.announce({ name: 'renamed' as MemberName, enforces: '', tunnels: [] })
    await until([a, b], { a: 'alive', renamed: 'alive' })
    expect(b.persisted).toEqual(b.persisted.toSorted((one, other) => one - other))
    expect(b.persisted.at(-1)).toBe(b.mesh.state().incarnation)
  })

  test('listen at other addresses when told to, and are found at each', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { seeds: [a.mesh] })
    await until([a, b], { a: 'alive', b: 'alive' })
    const port = portOf(b.mesh)
    await b.mesh.move(['127.0.0.2', '127.0.0.3'] as IpAddress[])
    b.mesh.announce({ name: 'b' as MemberName, enforces: '', tunnels: [] })
    expect(b.mesh.listening).toEqual([
      { address: '127.0.0.2', port },
      { address: '127.0.0.3', port },
    ])
    await vi.waitFor(() => expect(a.mesh.state().view.get(b.peer)?.signed.record.control).toEqual(b.mesh.listening), 10_000)
    const c = await start('c', admitted, { seeds: [{ listening: b.mesh.listening.slice(1) } as unknown as Mesh] })
    await until([a, b, c], { a: 'alive', b: 'alive', c: 'alive' })
    await expect(b.mesh.move(['127.0.0.2', '192.0.2.1'] as IpAddress[])).rejects.toThrow(/cannot listen on 127\.0\.0\.2, 192\.0\.2\.1/)
    await b.mesh.move([LOOPBACK])
    await until([a, b, c], { a: 'alive', b: 'alive', c: 'alive' })
  })

  test('meet though the seed starts later than they do', async () => {
    const admitted = await admission()
    const seed = await start('seed', admitted)
    const port = portOf(seed.mesh)
    await seed.mesh.stop()
    const a = await start('a', admitted, { seeds: [seed.mesh] })
    const late = await start('late', admitted, { at: port })
    await until([a, late], { a: 'alive', late: 'alive' })
  })

  test('forget nobody over a restart: who was met is dialled without a seed', async () => {
    const admitted = await admission()
    const identity = await makeIdentity()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { identity, seeds: [a.mesh] })
    await until([a, b], { a: 'alive', b: 'alive' })
    const saved = { records: [...b.mesh.state().view.values()].map(({ signed }) => signed.bytes), accusations: [], evictions: [] }
    await b.mesh.stop()
    const again = await start('again', admitted, { identity, saved, above: b.mesh.state().incarnation })
    await until([a, again], { a: 'alive', again: 'alive' })
    expect(Math.min(...again.persisted)).toBeGreaterThan(Math.max(...b.persisted))
  })

  test('that lost what it knew speaks above what it said in its earlier life', async () => {
    const admitted = await admission()
    const identity = await makeIdentity()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { identity, seeds: [a.mesh], above: 1_000_000 })
    await until([a, b], { a: 'alive', b: 'alive' })
    await b.mesh.stop()
    const again = await start('again', admitted, { identity, seeds: [a.mesh], above: 1 })
    await until([a, again], { a: 'alive', again: 'alive' })
    expect(again.persisted.at(-1)).toBeGreaterThan(1_000_000)
  })

  test('dial themselves once, and go on without', async () => {
    const admitted = await admission()
    const probe = createServer()
    await new Promise<void>((resolve) => void probe.listen(0, LOOPBACK, resolve))
    const port = (probe.address() as AddressInfo).port as Port
    await new Promise((resolve) => void probe.close(resolve))
    const own = { listening: [{ address: LOOPBACK, port }] } as unknown as Mesh
    const a = await start('a', admitted, { at: port, seeds: [own] })
    await vi.waitFor(() => expect([...a.mesh.state().seeds.values()]).toEqual([{ peer: a.peer, trouble: undefined }]))
    expect(a.told).toEqual([])
  })
})

describe('who is not admitted', () => {
  test('has a certificate of another mesh: neither side believes or learns anything', async () => {
    const a = await start('a', await admission())
    const b = await start('b', await admission(), { seeds: [a.mesh] })
    await vi.waitFor(() => expect(a.told).toContain('dropped: not admitted: certificate of another mesh'), 5000)
    await vi.waitFor(() => expect(b.told).toContain('unwelcome'), 5000)
    expect([a.sees(), b.sees()]).toEqual([{ a: 'alive' }, { b: 'alive' }])
    expect(a.mesh.state().dropped.has('spoke before it was admitted')).toBe(false)
    expect(b.mesh.state().dropped.toObject()).toEqual({})
  })

  test('shows the certificate of somebody else', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    await start('thief', admitted, { seeds: [a.mesh], chain: admitted.certify(a.peer).chain })
    await vi.waitFor(() => expect(a.told).toContain('dropped: not admitted: certificate of another peer'), 5000)
    expect(a.sees()).toEqual({ a: 'alive' })
  })

  test('shows something that is no certificate', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    await start('liar', admitted, { seeds: [a.mesh], chain: Uint8Array.of(1, 2, 3) })
    await vi.waitFor(() => expect(a.told).toContain('dropped: not admitted: malformed certificate chain'), 5000)
    expect(a.sees()).toEqual({ a: 'alive' })
  })
})

describe('ending', () => {
  test('a leave resolves once the others have it', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { seeds: [a.mesh] })
    await until([a, b], { a: 'alive', b: 'alive' })
    await b.mesh.leave()
    await until([a], { a: 'alive', b: 'left' })
    await b.mesh.leave()
  })

  test('a leave resolves with nobody to hear it', async () => {
    const a = await start('a', await admission())
    await a.mesh.leave()
    expect(a.sees()).toEqual({ a: 'left' })
  })

  test('a stop tells nobody that it left: the others see it restart', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const b = await start('b', admitted, { seeds: [a.mesh] })
    await until([a, b], { a: 'alive', b: 'alive' })
    const told = b.told.length
    await b.mesh.stop()
    await until([a], { a: 'alive', b: 'restarting' })
    expect(b.told).toHaveLength(told)
    expect(b.sees()).toEqual({ a: 'alive', b: 'alive' })
  })

  test('two stops are one', async () => {
    const a = await start('a', await admission())
    await a.mesh.stop()
    await expect(a.mesh.stop()).resolves.toBeUndefined()
  })

  test('a port that is taken is said in one line', async () => {
    const admitted = await admission()
    const a = await start('a', admitted)
    const port = portOf(a.mesh)
    const place = String(port)
    await expect(start('b', admitted, { at: port })).rejects.toThrow(
      `--port ${place}: cannot listen on 127.0.0.1: EADDRINUSE: address already in use 127.0.0.1:${place}`,
    )
  })

  test('fifty lives, each linked and stopped, leave nothing open', async () => {
    const admitted = await admission()
    const identity = await makeIdentity()
    await vi.waitFor(() => expect(handles()).not.toContain('TCPServerWrap'), 10_000)
    const before = handles()
    const a = await start('a', admitted)
    for (let count = 0; count < 50; count++) {
      const b = await start('b', admitted, { identity, seeds: [a.mesh], above: 10 * count + 1 })
      await until([b], { a: 'alive', b: 'alive' })
      await b.mesh.stop()
    }
    await a.mesh.stop()
    await vi.waitFor(() => expect(handles()).toEqual(before), 10_000)
  }, 60_000)
})

/** What keeps a process alive and is of the network. */
function handles(): readonly string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP'))
}
