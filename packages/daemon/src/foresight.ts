/** What would be done to the kernel now, as commands that a person could type, and nothing of it done. */
import {
  desired,
  MeshError,
  ownEntries,
  parsePort,
  plan,
  removalHold,
  slot,
  wallTime,
  ZERO_MAC,
  type Desired,
  type DeviceName,
  type Operation,
  type TunnelClaim,
  type TunnelSpec,
} from '@vxmesh/core'
import { begin, surroundings, type Environment, type State } from '@vxmesh/gossip'
import { envelopeVerifier } from '@vxmesh/gossip/libp2p'
import { describe, iproute2Kernel } from '@vxmesh/kernel-adapter'
import type { PlanReport } from './answers.ts'
import { monotonicClock as clock } from './clock.ts'
import { claimOf, specOf, withFormer } from './establish.ts'
import { isMember, loadMembership, readInvite, type Membership } from './identity.ts'
import { parseUpOptions, type UpOptions } from './options.ts'
import { makeKernel, withLocal } from './prelude.ts'
import { openStore, wallClock, type Store } from './store.ts'

/** The report of what is to be done to the device and then to its entries. */
export function foreseen(
  device: DeviceName,
  steps: readonly string[],
  operations: readonly Operation[],
  { desired: { evicted }, hold }: { readonly desired: Pick<Desired, 'evicted'>; readonly hold: string | undefined },
): PlanReport {
  const entries = operations.map((operation) => ({
    command: describe(operation, device),
    held: hold !== undefined && operation.kind === 'remove' && !evicted.has(slot(operation.entry)),
  }))
  return { version: 1, device, commands: [...steps.map((command) => ({ command, held: false })), ...entries], hold: hold ?? null }
}

/** What the daemon that ran last would do, started now; undefined when none ever ran with that state directory. */
export async function foreseeFrom(stateDir: string): Promise<PlanReport | undefined> {
  const asked = openQuietly(stateDir).asked()
  if (asked === undefined) return undefined
  const { id, key, local, vxlanPort, ...rest } = asked
  const given = {
    ...(id === undefined ? {} : { id }),
    ...(key === undefined ? {} : { key }),
    ...(local === undefined ? {} : { local }),
    ...(vxlanPort === undefined ? {} : { vxlanPort }),
  }
  return foresee(parseUpOptions({ ...rest, ...given, seed: [], stateDir, control: 'none', logLevel: 'error', kernel: 'iproute2' }))
}

/** What a daemon started with these options would do first, going by what it knew last. Throws as its start would. */
export async function foresee(asked: UpOptions): Promise<PlanReport> {
  const kernel = asked.kernel === 'memory' ? await makeKernel(asked) : iproute2Kernel()
  const options = await withLocal(kernel, asked)
  const invite = options.invite === undefined ? undefined : readInvite(options.invite)
  const store = openQuietly(options.stateDir)
  const known = invite === undefined || isMember(options.stateDir)
  const membership = known ? await loadMembership(options.stateDir, invite) : undefined
  const spec = withFormer(specOf(options, membership?.mesh ?? invite!.mesh), store)
  const steps = await kernel.steps(spec)
  const reading = await kernel.read(spec)
  if (membership === undefined) return foreseen(spec.device, steps, [], { desired: { evicted: new Set() }, hold: undefined })
  const claim = reading === undefined ? claimOn(spec) : claimOf(spec, reading.device, store)
  const state = remembered(membership, options, store, claim)
  const wanted = desired(state.view, state.standings, membership.identity.peer, claim)
  const hold = removalHold(surroundings(state, membership.identity.peer, clock.now()))
  const actual = reading && { ...reading, ours: ownEntries(reading, store.written(spec.device)) }
  const operations = plan(wanted.table, actual ?? { entries: new Map(), ours: new Set() })
  return foreseen(spec.device, steps, operations, { desired: wanted, hold })
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
  return { mode, id, underlay: local, port: udp, mac: ZERO_MAC, overlay, mtu: 0, claimedAt: wallTime(0) }
}

/** The state that the protocol begins with. */
function remembered({ identity, mesh, admission }: Membership, { name }: UpOptions, store: Store, claim: TunnelClaim): State {
  const trust = { mesh, verifier: envelopeVerifier }
  const env: Environment = { trust, signer: identity, admission, bootId: '0'.repeat(16), random: () => 0, wall: wallClock }
  const content = { name, enforces: '', tunnels: [claim], control: [] }
  return begin({ content, above: store.highestIncarnation(wallClock()), seeds: [], saved: store.saved }, clock.now(), env).state
}
