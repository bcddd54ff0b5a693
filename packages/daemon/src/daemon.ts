/** The composition root: builds the real things, joins them, and ends them in order. */
import {
  MeshError,
  milliseconds,
  type IpAddress,
  type Kernel,
  type MemberRecord,
  type PeerId,
  type Standing,
  type TunnelClaim,
} from '@vxmesh/core'
import { openEviction, type Content } from '@vxmesh/gossip'
import { envelopeVerifier, startMesh, type Mesh, type MeshListener } from '@vxmesh/gossip/libp2p'
import { leaveReport } from './answers.ts'
import { monotonicClock as clock } from './clock.ts'
import { openControl, type Control } from './control.ts'
import { startFinder } from './discover.ts'
import { foreseen, together } from './foresight.ts'
import { readInvite, renewedBy } from './identity.ts'
import { keep, type Kept } from './kept.ts'
import { watchLag } from './lag.ts'
import { expiryOf, warnOfExpiry } from './lifetimes.ts'
import { followTunnels, listeningPlaces } from './listening.ts'
import { makeLog, once, type Log, type Once } from './log.ts'
import { askedOf, withinUnderlay, type UpOptions } from './options.ts'
import { prepare, type Prepared } from './prepare.ts'
import { checkListening, keepWithin, LOOPBACK, lockDevice, lockState, makeKernels, withLocals } from './prelude.ts'
import { evictionReport } from './progress.ts'
import { carrierWords, entryCount } from './report.ts'
import { inWordsOf } from './source.ts'
import { cloneTrouble, EVICTED, seedTrouble, statusReport } from './status.ts'
import { untilSignalled } from './signals.ts'
import { wallClock, type Store } from './store.ts'
import { certificatesReport, rotate, rotationReport, successionWords, takeIn } from './succeeding.ts'
import { startTunnel, tellOfFormer, type Carrier, type Tunnel } from './tunnel-runtime.ts'

/** The view is saved this long after it changed: what a restart finds may be that much older than what was known. */
const SAVE_AFTER = milliseconds(500)

/** Runs a member until it is told to stop or to leave. Throws `MeshError` when it cannot start. */
export async function runDaemon(asked: UpOptions): Promise<void> {
  try {
    await start(asked)
  } catch (error) {
    throw inWordsOf(asked.source, error)
  }
}

async function start(asked: UpOptions): Promise<void> {
  // Sockets are made with the mode that the umask leaves, and are narrowed after: there must be no moment in between.
  process.umask(0o077)
  const log = makeLog(asked.logLevel, process.stdout.isTTY)
  const invite = asked.invite === undefined ? undefined : readInvite(asked.invite)
  const kernels = await makeKernels(asked)
  const options = await withLocals(kernels, asked)
  // Each is let go of again, in the reverse order, however this ends. Before all that another daemon would hold as well.
  await using held = new AsyncDisposableStack()
  // The control socket first, and so let go of last: once it is gone, whoever waits for the end may start another.
  const control = held.adopt(await openControl(options.control), async (open) => open.close())
  held.adopt(await lockState(options), async (lock) => lock.release())
  for (const tunnel of options.tunnels) held.adopt(await lockDevice(options, tunnel), async (lock) => lock.release())
  await checkListening(options)
  using ended = untilSignalled()
  await run({ options, log, control, ended, ...(await prepare(options, log, kernels, invite)) })
}

type Parts = Prepared & {
  readonly options: UpOptions
  readonly log: Log
  readonly control: Control
  readonly ended: ReturnType<typeof untilSignalled>
}

async function run({ options, log, control, ended, membership, store, trouble, established }: Parts): Promise<void> {
  const { identity, mesh: meshId, admission } = membership
  const { name, seeds } = options
  const kept = keep(options.stateDir, membership, (error) => trouble('cannot write down what we are a member by', error))
  tellOfFormer(store, options, log)
  store.noteAsked(askedOf(options))
  const tunnels: Tunnel[] = []
  const claims = (): readonly TunnelClaim[] => established.map(({ claim }, index) => tunnels[index]?.claim ?? claim)
  const parts: { mesh?: Mesh } = {}
  const saver = saveLater(store, () => parts.mesh)
  const warn = once(log)
  let enforces = ''
  let remembered = true
  const content = (): Omit<Content, 'control'> => ({ name, enforces, tunnels: claims() })

  const mesh = await startMesh({
    identity,
    mesh: meshId,
    admission,
    listen: placesOf(options, claims()).map((address) => ({ address, port: options.port })),
    content: content(),
    above: store.highestIncarnation(wallClock()),
    seeds: [...new Set([...seeds, ...membership.seeds])],
    seedPort: options.port,
    saved: store.saved,
    lineage: membership.lineage,
    fallback: membership.former,
    clock,
    random: Math.random,
    wall: wallClock,
    listener: {
      ...listener(log, warn, store, kept, (peer) => parts.mesh?.state().view.has(peer) === true),
      evict: (evictions, { key }) => {
        remembered = store.saveEvictions(evictions)
        log.warn(
          { event: 'evicted', key },
          `the mesh key says that ${key}, or who was admitted by an invite of this key, is no member any more`,
        )
      },
      changed: () => {
        for (const tunnel of tunnels) tunnel.wake()
        saver.changed()
      },
    },
  })
  parts.mesh = mesh
  using _expiry = warnOfExpiry(() => mesh.state().view.get(identity.peer)?.signed.admission.bounds, wallClock, warn)
  using lag = watchLag()
  using finder = startFinder({ options, mesh, membership, warn })
  const devices = established.map(({ device, spec: { mode } }) => `${device.name} (${carrierWords({ ...device, mode })}, ${device.origin})`)
  log.info(
    { event: 'up', peer: identity.peer, mesh: meshId, devices: established.map(({ device }) => device.name), port: options.port },
    `${name} is up: ${devices.join(', ')}, listening on ${listeningWords(mesh)}`,
  )

  const follow = followTunnels(mesh, {
    locals: () => placesOf(options, claims()),
    moved: () => {
      log.info({ event: 'moved', listening: mesh.listening }, `listening on ${listeningWords(mesh)}`)
      mesh.announce(content())
    },
    warn,
  })
  /** What holds in every tunnel, the others may rely on. */
  function changed(): void {
    const [first = '', ...rest] = tunnels.map((tunnel) => tunnel.enforces)
    if (tunnels.length === established.length && rest.every((each) => each === first)) enforces = first
    mesh.announce(content())
  }
  const carrier: Carrier = {
    self: identity.peer,
    store,
    log,
    warn,
    state: () => mesh.state(),
    within: withinUnderlay(options),
    // In memory all daemons listen on loopback, wherever their tunnels play to be.
    seeks: options.kernel !== 'memory',
    remembers: () => (remembered ||= store.saveEvictions(mesh.state().evictions)),
    noticed: () => void follow(),
    changed,
  }
  // What is read of the host, whenever it may have changed, tells where others can be found as well.
  const seen = (kernel: Kernel): Kernel => ({ ...kernel, interfaces: async (own) => finder.saw(await kernel.interfaces(own)) })
  for (const each of established) tunnels.push(startTunnel({ ...each, kernel: seen(each.kernel) }, carrier))
  const looked = async () => Promise.all(tunnels.map(async (tunnel) => ({ tunnel: tunnel.spec, picture: await tunnel.look() })))
  control.serve({
    status: async () => {
      const member = {
        mesh: meshId,
        self: identity.peer,
        state: mesh.state(),
        discovery: finder.report(),
        lag: lag.report(),
        now: clock.now(),
        wall: wallClock(),
      }
      return statusReport({ ...member, tunnels: await looked() })
    },
    plan: async () =>
      together((await looked()).map(({ tunnel, picture: { differs, decision } }) => foreseen(tunnel.device, [], differs, decision))),
    rotation: () => rotationReport(meshId, mesh.state()),
    certificates: () => certificatesReport(mesh.state()),
    rotate: (successions, reissues) => rotate(mesh, meshId, successions, reissues, wallClock()),
    evictions: () => evictionReport(mesh.state()),
    evict: (bytes) => {
      const eviction = openEviction({ mesh: meshId, verifier: envelopeVerifier, lineage: mesh.state().lineage }, bytes)
      if (!eviction.ok) throw new MeshError({ code: 'USAGE', reason: eviction.reason })
      mesh.evict(eviction.value)
      return evictionReport(mesh.state())
    },
    renew: (chain, places, successions) => {
      takeIn(mesh, meshId, successions, wallClock())
      const next = renewedBy(kept.membership, chain, places)
      keepWithin(next.admission.bounds, options)
      if (mesh.state().standings.get(identity.peer)?.state === 'evicted') throw new MeshError({ code: 'USAGE', reason: EVICTED })
      // It is written down before anybody is told.
      kept.renewed(next)
      mesh.renew(next.admission)
      log.info({ event: 'renewed', invite: next.admission.invite }, `a member by the invite ${next.admission.invite} from now on`)
      return { version: 1, invite: next.admission.invite, expires: expiryOf(next.admission.bounds) }
    },
    leave: async () => {
      await mesh.leave()
      const left = await Promise.all(tunnels.map(async (tunnel) => ({ device: tunnel.spec.device, removed: await tunnel.withdraw() })))
      for (const { device, removed } of left)
        log.info({ event: 'left', device, removed }, `left the mesh; ${entryCount(removed)} removed from ${device}`)
      // The answer is on its way before the daemon ends.
      setTimeout(() => ended.stop(), 100)
      return leaveReport(left)
    },
  })

  const why = await ended.promise
  const left = `${tunnels.map(({ spec }) => spec.device).join(', ')}${why === 'left' ? '' : ' and all entries'} left in place`
  log.info({ event: 'down', reason: why }, `stopping (${why}): ${left}`)
  await Promise.all(tunnels.map(async (tunnel) => tunnel.stop()))
  await mesh.stop()
  // Last, while the state directory is still ours: nothing changes the view any more, and no timer stays behind.
  saver.now()
}

/** Where to listen: where the tunnels send from, unless they only play. */
function placesOf({ kernel }: UpOptions, claims: readonly TunnelClaim[]): readonly IpAddress[] {
  return kernel === 'memory' ? [LOOPBACK] : listeningPlaces(claims.map(({ underlay }) => underlay))
}

function listeningWords({ listening }: Mesh): string {
  return listening.map(({ address, port }) => `${address} port ${String(port)}`).join(', ')
}

function listener(
  log: Log,
  warn: Once,
  store: Store,
  kept: Kept,
  isMember: (peer: PeerId) => boolean,
): Omit<MeshListener, 'changed' | 'evict'> {
  return {
    persist: (incarnation) => store.setIncarnation(incarnation),
    member: (record, was, is) => logMember(log, record, was, is),
    // Anybody can be any number of strangers: all of them together are told of once for each reason.
    dropped: (peer, reason) => warn(`dropped ${isMember(peer) ? peer : ''} ${reason}`, `something from ${peer} was dropped: ${reason}`),
    cloned: (clone) => {
      if (clone === undefined) log.info({ event: 'clone' }, 'no other machine runs with our key any more')
      else log.error({ event: 'clone', bootId: clone.bootId, role: clone.role }, cloneTrouble(clone))
    },
    succeed: (lineage) => {
      kept.succeeded(lineage)
      const { key, end } = successionWords(lineage)
      log.warn({ event: 'rotated', key }, `the key of the mesh is ${key} from now on; certificates by the one before hold until ${end}`)
    },
    admitted: (admission, former) => {
      kept.admitted(admission, former)
      log.info({ event: 'certified', key: admission.issuer.key }, `a member by the key ${admission.issuer.key} of the mesh from now on`)
    },
    contested: (key) =>
      log.error({ event: 'contested', key }, `two keys were each made the next of the mesh: ${key} is the one that is not`),
    trouble: (seed, trouble) => warn(`seed ${seed} ${trouble}`, seedTrouble(seed, trouble)),
  }
}

function logMember(log: Log, record: MemberRecord, was: Standing | undefined, is: Standing): void {
  const { peer, name, incarnation, tunnels } = record
  const underlays = [...new Set(tunnels.map(({ underlay }) => underlay))]
  const fields = { event: 'member', peer, member: name, incarnation, underlay: underlays[0], state: is.state, was: was?.state }
  const where = underlays.length === 0 ? 'no tunnel' : underlays.join(', ')
  log.info(fields, `member ${name} (${where}) is ${is.state}${was === undefined ? '' : `, was ${was.state}`}`)
}

/** Saves the view a moment after it changed, so that a storm of changes is one write. */
function saveLater(store: Store, mesh: () => Mesh | undefined): { changed(): void; now(): void } {
  let timer: NodeJS.Timeout | undefined
  function now(): void {
    clearTimeout(timer)
    timer = undefined
    const current = mesh()
    if (current !== undefined) store.saveView(current.state())
  }
  return {
    changed: () => {
      timer ??= setTimeout(now, SAVE_AFTER)
    },
    now,
  }
}
