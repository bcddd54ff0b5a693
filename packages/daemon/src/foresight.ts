/** What would be done to the kernel now, as commands that a person could type, and nothing of it done. */
import {
  desired,
  isHeld,
  MeshError,
  ownEntries,
  parsePort,
  passable,
  plan,
  removalHold,
  table,
  wallTime,
  wantedAlone,
  withStanding,
  ZERO_MAC,
  type Actual,
  type Desired,
  type DeviceName,
  type Hold,
  type Kernel,
  type Operation,
  type Table,
  type TunnelClaim,
  type TunnelSpec,
} from '@vxmesh/core'
import { begin, surroundings, whereabouts, type Environment, type State } from '@vxmesh/gossip'
import { envelopeVerifier } from '@vxmesh/gossip/libp2p'
import { describe } from '@vxmesh/kernel-adapter'
import type { PlanReport } from './answers.ts'
import { monotonicClock as clock } from './clock.ts'
import { claimOf, specOf, withFormer } from './establish.ts'
import { DEFAULTS } from './defaults.ts'
import { withGuard } from './guard.ts'
import { homing } from './home.ts'
import { isMember, loadMembership, readInvite, type Membership } from './identity.ts'
import { parseMember, withinUnderlay, type UpOptions } from './options.ts'
import { inItsWords, kernelsFor, withLocals } from './prelude.ts'
import { BY_FLAGS, inWordsOf } from './source.ts'
import { openStore, wallClock, type Store } from './store.ts'

/** The report of what is to be done to the device and then to its entries. */
export function foreseen(
  device: DeviceName,
  steps: readonly string[],
  operations: readonly Operation[],
  { desired: { evicted }, hold }: { readonly desired: Pick<Desired, 'evicted'>; readonly hold: Hold | undefined },
): PlanReport {
  const entries = operations.map((operation) => ({
    command: describe(operation, device),
    held: isHeld(operation, hold, evicted, false),
  }))
  return {
    version: 1,
    device,
    devices: [device],
    commands: [...steps.map((command) => ({ command, held: false })), ...entries],
    hold: hold?.reason ?? null,
  }
}

/** The reports of several tunnels as one. */
export function together(reports: readonly PlanReport[]): PlanReport {
  const devices = reports.flatMap((report) => report.devices)
  const hold = reports.map((report) => report.hold).find((each) => each !== null)
  return { version: 1, device: devices[0] ?? '', devices, commands: reports.flatMap(({ commands }) => commands), hold: hold ?? null }
}

/** What the daemon that ran last would do, started now; undefined when none ever ran with that state directory. */
export async function foreseeFrom(stateDir: string): Promise<PlanReport | undefined> {
  const asked = openQuietly(stateDir).asked()
  if (asked === undefined) return undefined
  const { name, port, tunnels, guard = DEFAULTS.guard, underlay = [] } = asked
  return foresee(
    parseMember({ ...DEFAULTS, name, port, guard, underlay, seed: [], discover: [], stateDir, control: 'none' }, tunnels, BY_FLAGS),
  )
}

/** What a daemon started with these options would do first, going by what it knew last. Throws as its start would. */
export async function foresee(asked: UpOptions): Promise<PlanReport> {
  try {
    return await foreseeAll(asked)
  } catch (error) {
    throw inWordsOf(asked.source, error)
  }
}

async function foreseeAll(asked: UpOptions): Promise<PlanReport> {
  const kernels = kernelsFor(asked)
  const options = await withLocals(kernels, asked)
  const invite = options.invite === undefined ? undefined : readInvite(options.invite)
  const store = openQuietly(options.stateDir)
  const known = invite === undefined || isMember(options.stateDir)
  const membership = known ? await loadMembership(options.stateDir, invite) : undefined
  const found: Found[] = []
  for (const tunnel of options.tunnels) {
    store.take(tunnel.device, tunnel)
    const spec = withFormer(specOf(tunnel, membership?.mesh ?? invite!.mesh, options.guard), store)
    found.push(await inItsWords(options, tunnel, async () => find(kernels(tunnel.mode), spec, store)))
  }
  if (membership === undefined)
    return together(
      found.map(({ spec, steps, claim, guarded, actual }) =>
        foreseen(spec.device, steps, plan(guarded(table(wantedAlone(claim))), { ...actual, ours: new Set() }), {
          desired: { evicted: new Set() },
          hold: undefined,
        }),
      ),
    )
  const state = remembered(
    membership,
    options,
    store,
    found.map(({ claim }) => claim),
  )
  const hold = removalHold(surroundings(state, membership.identity.peer, clock.now()))
  const reports = found.map(({ spec, steps, claim, guarded, actual }) => {
    const wanted = desired(state.view, state.standings, membership.identity.peer, claim, {
      lapsed: state.lapsed,
      within: withinUnderlay(options),
      whereabouts: (peer, underlay) => (options.kernel === 'memory' ? 'reached' : whereabouts(state, peer, underlay, clock.now())),
    })
    return foreseen(
      spec.device,
      steps,
      plan(passable(withStanding({ ...wanted, table: guarded(wanted.table) }, actual.entries), actual), actual),
      { desired: wanted, hold },
    )
  })
  return together(reports)
}

/** What is there of a tunnel, and what is to be done about its device. */
type Found = {
  readonly spec: TunnelSpec
  readonly steps: readonly string[]
  readonly claim: TunnelClaim
  /** Wanted entries with the guard that was asked for. */
  readonly guarded: (wanted: Table) => Table
  readonly actual: Actual
}

async function find(kernel: Kernel, spec: TunnelSpec, store: Store): Promise<Found> {
  const fresh = await kernel.steps(spec)
  const reading = await kernel.read(spec)
  const change = reading && (await homing(kernel, store).look(spec, reading.device))
  const steps = change === undefined ? fresh : await kernel.steps({ ...spec, ...change })
  const claim = reading === undefined ? claimOn(spec) : claimOf(spec, reading.device, undefined, store)
  // A device that is made sends as a guard wants it.
  const device = reading?.device ?? { privileged: true }
  const guarded = (wanted: Table) => withGuard(spec, claim, device, wanted)
  if (reading === undefined) {
    const { entries, marked } = await kernel.left(spec)
    return { spec, steps, claim, guarded, actual: { entries, ours: marked } }
  }
  return { spec, steps, claim, guarded, actual: { ...reading, ours: ownEntries(reading, store.written(spec.device)) } }
}

/** A store that remembers what a dry run notes, and writes none of it. */
function openQuietly(directory: string): Store {
  const trouble = (reason: string, cause: unknown): never => {
    throw new MeshError({ code: 'CONFIG_INVALID', where: `--state-dir ${directory}`, reason }, { cause })
  }
  return openStore(directory, trouble, () => undefined)
}

/** What would be claimed on a device that is not there yet. Which MAC address it will have nobody knows. */
function claimOn({ mode, id, local, port, addresses: overlay }: TunnelSpec): TunnelClaim {
  const usual = parsePort(4789)
  if (local === undefined || !usual.ok) throw new Error('a device is made from a local address')
  const udp = mode === 'gre' ? undefined : (port ?? usual.value)
  return { mode, id, underlay: local, port: udp, mac: ZERO_MAC, overlay, mtu: 0, mtuLimit: 0, claimedAt: wallTime(0) }
}

/** The state that the protocol begins with. */
function remembered(
  { identity, mesh, admission, lineage }: Membership,
  { name }: UpOptions,
  store: Store,
  tunnels: readonly TunnelClaim[],
): State {
  const trust = { mesh, verifier: envelopeVerifier }
  const env: Environment = { trust, signer: identity, admission, bootId: '0'.repeat(16), random: () => 0, wall: wallClock }
  const content = { name, enforces: '', tunnels, control: [] }
  return begin({ content, above: store.highestIncarnation(wallClock()), seeds: [], saved: store.saved, lineage }, clock.now(), env).state
}
