/** The composition root: builds the real things, joins them, and ends them in order. */
import {
  contains,
  desired,
  hostOf,
  MeshError,
  milliseconds,
  removalHold,
  type Bounds,
  type Device,
  type IpAddress,
  type Kernel,
  type MemberRecord,
  type PeerId,
  type Standing,
  type TunnelClaim,
} from '@vxmesh/core'
import { evictionsDigest, openEviction, surroundings, type Content, type Seed } from '@vxmesh/gossip'
import { envelopeVerifier, parseSeed, startMesh, type Mesh, type MeshListener } from '@vxmesh/gossip/libp2p'
import { monotonicClock as clock } from './clock.ts'
import { openControl, type Control } from './control.ts'
import { claimOf, establish, specOf } from './establish.ts'
import { foreseen } from './foresight.ts'
import { loadMembership, readInvite, type Membership } from './identity.ts'
import { makeLog, type Log } from './log.ts'
import { askedOf, type UpOptions } from './options.ts'
import { checkListening, LOOPBACK, lockDevice, lockState, makeKernel, withLocal } from './prelude.ts'
import { carrierWords, entryCount } from './report.ts'
import { startReconciler, type Decision, type Reconciler } from './reconciler.ts'
import { evictionReport } from './progress.ts'
import { cloneTrouble, seedTrouble, statusReport } from './status.ts'
import { openStore, wallClock, type Store } from './store.ts'

/** The view is saved this long after it changed: what a restart finds may be that much older than what was known. */
const SAVE_AFTER = milliseconds(500)

/** How many different things are logged once each; all that is dropped is counted. */
const ONCE_MOST = 200

/** Runs a member until it is told to stop or to leave. Throws `MeshError` when it cannot start. */
export async function runDaemon(asked: UpOptions): Promise<void> {
  // Sockets are made with the mode that the umask leaves, and are narrowed after: there must be no moment in between.
  process.umask(0o077)
  const log = makeLog(asked.logLevel, process.stdout.isTTY)
  const invite = asked.invite === undefined ? undefined : readInvite(asked.invite)
  const kernel = await makeKernel(asked)
  const options = await withLocal(kernel, asked)
  // Each is let go of again, in the reverse order, however this ends. Before all that another daemon would hold as well.
  await using held = new AsyncDisposableStack()
  held.adopt(await lockState(options), async (lock) => lock.release())
  const control = held.adopt(await openControl(options.control), async (open) => open.close())
  held.adopt(await lockDevice(options), async (lock) => lock.release())
  await checkListening(options)
  const membership = await loadMembership(options.stateDir, invite)
  keepWithin(membership.admission.bounds, options)
  await run({ options, log, kernel, membership, control })
}

type Parts = {
  readonly options: UpOptions
  readonly log: Log
  readonly kernel: Kernel
  readonly membership: Membership
  readonly control: Control
}

async function run({ options, log, kernel, membership, control }: Parts): Promise<void> {
  const { identity, mesh: meshId, admission } = membership
  const { name, seeds } = options
  const spec = specOf(options, meshId)
  using ended = untilSignalled()
  const store = openStore(options.stateDir, (what, error) => log.error({ event: 'state', reason: reasonOf(error) }, what))
  const device = await establish(kernel, spec, store)
  store.noteAsked(askedOf(options))
  let claim = claimOf(spec, device, store)
  const parts: { mesh?: Mesh; reconciler?: Reconciler } = {}
  const saver = saveLater(store, () => parts.mesh)
  const warn = once(log)
  let enforces = ''
  let remembered = true
  const content = (): Omit<Content, 'control'> => ({ name, enforces, tunnels: [claim] })

  const mesh = await startMesh({
    identity,
    mesh: meshId,
    admission,
    listen: { address: options.kernel === 'memory' ? LOOPBACK : device.local, port: options.port },
    content: content(),
    above: store.highestIncarnation(wallClock()),
    seeds: [...new Set([...seeds, ...membership.seeds.flatMap((text) => knownSeed(text))])],
    seedPort: options.port,
    saved: store.saved,
    clock,
    random: Math.random,
    wall: wallClock,
    listener: {
      ...listener(log, warn, store),
      evict: (evictions, { key }) => {
        remembered = store.saveEvictions(evictions)
        log.warn(
          { event: 'evicted', key },
          `the mesh key says that ${key}, or who was admitted by an invite of this key, is no member any more`,
        )
      },
      changed: () => {
        parts.reconciler?.wake()
        saver.changed()
      },
    },
  })
  parts.mesh = mesh
  log.info(
    { event: 'up', peer: identity.peer, mesh: meshId, device: device.name, port: mesh.listening.port },
    `${name} is up: ${device.name} (${carrierWords({ ...device, mode: spec.mode })}, ${device.origin}), listening on ${mesh.listening.address} port ${String(mesh.listening.port)}`,
  )

  let moving = false

  /** Listens where the tunnel sends from. What fails is tried again with the next turn. */
  async function listenAt(address: IpAddress): Promise<void> {
    if (moving || options.kernel === 'memory' || address === mesh.listening.address) return
    moving = true
    try {
      await mesh.move(address)
      log.info({ event: 'moved', address }, `listening on ${address} port ${String(mesh.listening.port)}`)
      mesh.announce(content())
    } catch (error) {
      warn(`listen ${address}`, `${reasonOf(error)}; it is tried again`)
    } finally {
      moving = false
    }
  }

  /** Tells the others of a device that changed, whoever changed it. */
  function notice(current: Device): void {
    void listenAt(current.local)
    const claimed = claimOf(spec, current, store)
    if (sameClaim(claim, claimed)) return
    claim = claimed
    log.info({ event: 'moved', device: current.name, ...claimed }, `${current.name} has changed: telling the others`)
    mesh.announce(content())
  }

  /** What follows for the kernel from the view as it is now. */
  function decide(): Decision {
    const state = mesh.state()
    const { view, standings } = state
    if (!remembered) remembered = store.saveEvictions(state.evictions)
    const wanted = desired(view, standings, identity.peer, claim)
    for (const { loser, winner, what } of wanted.conflicts.values()) {
      const named = (peer: PeerId): string => view.get(peer)?.signed.record.name ?? peer
      warn(`${what} ${loser}`, `${what} is claimed by two members: ${named(winner)} has it, the claim of ${named(loser)} is not programmed`)
    }
    const hold = removalHold(surroundings(state, identity.peer, clock.now()))
    return { desired: wanted, hold, enforces: remembered ? evictionsDigest(state) : enforces }
  }

  /** What is written down, and followed by the kernel, is what the others may rely on. */
  function enforced(decision: Decision): void {
    if (decision.enforces === enforces) return
    enforces = decision.enforces
    mesh.announce(content())
  }

  const reconciler = startReconciler({ kernel, spec, device, store, log, notice, decide, enforced })
  parts.reconciler = reconciler
  control.serve({
    status: async () =>
      statusReport({
        mesh: meshId,
        self: identity.peer,
        state: mesh.state(),
        picture: await reconciler.look(),
        tunnel: spec,
        now: clock.now(),
      }),
    plan: async () => {
      const { differs, decision } = await reconciler.look()
      return foreseen(spec.device, [], differs, decision)
    },
    evictions: () => evictionReport(mesh.state()),
    evict: (bytes) => {
      const eviction = openEviction({ mesh: meshId, verifier: envelopeVerifier }, bytes)
      if (!eviction.ok) throw new MeshError({ code: 'USAGE', reason: eviction.reason })
      mesh.evict(eviction.value)
      return evictionReport(mesh.state())
    },
    leave: async () => {
      await mesh.leave()
      const removed = await reconciler.withdraw()
      log.info({ event: 'left', removed }, `left the mesh; ${entryCount(removed)} removed from ${spec.device}`)
      // The answer is on its way before the daemon ends.
      setTimeout(() => ended.stop(), 100)
      return { version: 1, device: spec.device, removed }
    },
  })

  const why = await ended.promise
  log.info({ event: 'down', reason: why }, `stopping (${why}): ${spec.device}${why === 'left' ? '' : ' and its entries'} left in place`)
  await reconciler.stop()
  await mesh.stop()
  // Last, while the state directory is still ours: nothing changes the view any more, and no timer stays behind.
  saver.now()
}

/** A seed that an invite named. */
function knownSeed(text: string): readonly Seed[] {
  const seed = parseSeed(text)
  return seed.ok ? [seed.value] : []
}

/** Refuses what no other member would accept. */
function keepWithin({ name, addresses }: Bounds, options: UpOptions): void {
  const refuse = (where: string, reason: string): never => {
    throw new MeshError({ code: 'CONFIG_INVALID', where, reason })
  }
  if (name !== undefined && name !== options.name) refuse(`--name ${options.name}`, `the invite of this host is for the name ${name}`)
  for (const address of addresses.length === 0 ? [] : options.addresses) {
    const inside = addresses.some((network) => contains(network, hostOf(address)))
    if (!inside) refuse(`--address ${address}`, `the invite of this host is for ${addresses.join(', ')}`)
  }
}

function listener(log: Log, warn: Once, store: Store): Omit<MeshListener, 'changed' | 'evict'> {
  return {
    persist: (incarnation) => store.setIncarnation(incarnation),
    member: (record, was, is) => logMember(log, record, was, is),
    dropped: (peer, reason) => warn(`dropped ${peer} ${reason}`, `something from ${peer} was dropped: ${reason}`),
    cloned: (clone) => {
      if (clone === undefined) log.info({ event: 'clone' }, 'no other machine runs with our key any more')
      else log.error({ event: 'clone', bootId: clone.bootId, role: clone.role }, cloneTrouble(clone))
    },
    trouble: (seed, trouble) => warn(`seed ${seed} ${trouble}`, seedTrouble(seed, trouble)),
  }
}

function sameClaim(a: TunnelClaim, b: TunnelClaim): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function logMember(log: Log, record: MemberRecord, was: Standing | undefined, is: Standing): void {
  const { peer, name, incarnation, tunnels } = record
  const underlay = tunnels[0]?.underlay
  const fields = { event: 'member', peer, member: name, incarnation, underlay, state: is.state, was: was?.state }
  log.info(fields, `member ${name} (${underlay ?? 'no tunnel'}) is ${is.state}${was === undefined ? '' : `, was ${was.state}`}`)
}

type Once = (key: string, text: string) => void

/** Warns of each thing once, and of a bounded number of things. */
function once(log: Log): Once {
  const said = new Set<string>()
  return (key, text) => {
    if (said.has(key) || said.size >= ONCE_MOST) return
    said.add(key)
    log.warn({ event: 'warning' }, text)
  }
}

/** Saves the view a moment after it changed, so that a storm of changes is one write. */
function saveLater(store: Store, mesh: () => Mesh | undefined): { changed(): void; now(): void } {
  let timer: NodeJS.Timeout | undefined
  function now(): void {
    clearTimeout(timer)
    timer = undefined
    const current = mesh()
    if (current !== undefined) store.saveView(current.state().view)
  }
  return {
    changed: () => {
      timer ??= setTimeout(now, SAVE_AFTER)
    },
    now,
  }
}

/**
 * Resolves with the reason to end: a signal, or `stop` being called. Listens on while it ends: without a listener of
 * ours those of execa, which ends its children with us, would end this process by the same signal.
 */
function untilSignalled(): { readonly promise: Promise<string>; stop(): void } & Disposable {
  const { promise, resolve } = Promise.withResolvers<string>()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, resolve)
  return {
    promise,
    stop: () => resolve('left'),
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, resolve)
    },
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
