/** The reconciler of a simulated host: the same decision as the daemon's, on a kernel in memory. */
import {
  desired,
  isHeld,
  ownEntries,
  plan,
  removalHold,
  slot,
  unmarked,
  type Desired,
  type Hold,
  type Instant,
  type Operation,
  type Reading,
  type Rejection,
  type Slot,
  type TunnelClaim,
  type TunnelSpec,
} from '@vxmesh/core'
import { surroundings, type Environment, type State } from '@vxmesh/gossip'
import type { MemoryHost } from '@vxmesh/kernel-adapter'
import type { Machine } from './machine.ts'

/** One turn: what was read, what follows from it, and what will be done. */
export type Turn = {
  readonly spec: TunnelSpec
  readonly state: State
  readonly claim: TunnelClaim
  readonly desired: Desired
  readonly hold: Hold | undefined
  readonly reading: Reading
  readonly ours: ReadonlySet<Slot>
  readonly operations: readonly Operation[]
}

type Believer = { readonly env: Environment; readonly state: State }

/** What a turn would do now; undefined while an adopted device is gone. */
export function decideTurn(
  kernel: MemoryHost,
  spec: TunnelSpec,
  { env, state }: Believer,
  claim: TunnelClaim,
  written: ReadonlySet<Slot>,
  now: Instant,
): Turn | undefined {
  if (kernel.readNow(spec) === undefined) kernel.establishNow(spec)
  const reading = kernel.readNow(spec)
  if (reading === undefined) return undefined
  const self = env.signer.peer
  const wanted = desired(state.view, state.standings, self, claim)
  const hold = removalHold(surroundings(state, self, now))
  const ours = ownEntries(reading, written)
  const operations = plan(wanted.table, { ...reading, ours }).filter((each) => !isHeld(each, hold, wanted.evicted, false))
  return { spec, state, claim, desired: wanted, hold, reading, ours, operations }
}

/** Does what was planned. Returns what is written down as ours afterwards, and what the kernel refused. */
export function carryOutTurn(machine: Machine, written: ReadonlySet<Slot>, { spec, reading, operations }: Turn): Done {
  if (operations.length === 0) return { written, rejections: [] }
  const added = unmarked(operations).map(slot)
  const rejections = machine.write(spec.device, operations)
  if (reading.device.origin === 'made') return { written, rejections }
  const present = machine.kernel.readNow(spec)?.entries
  return { written: new Set([...written, ...added].filter((place) => present?.has(place))), rejections }
}

type Done = { readonly written: ReadonlySet<Slot>; readonly rejections: readonly Rejection[] }

/** Takes our own entries away. Returns which. */
export function withdraw(kernel: MemoryHost, spec: TunnelSpec, written: ReadonlySet<Slot>): readonly Slot[] {
  const reading = kernel.readNow(spec)
  if (reading === undefined) return []
  const operations = plan(new Map(), { ...reading, ours: ownEntries(reading, written) })
  kernel.attemptNow(spec.device, operations)
  return operations.map(({ entry }) => slot(entry))
}
