/**
 * Keeps one tunnel's device equal to what the view calls for. Every turn decides, from a reading of the kernel, and
 * attempts; events of the mesh and of the kernel only wake it. Nothing is remembered between turns but what is reported,
 * and the reading itself, so the next turn is the recovery from whatever this one met.
 *
 * A reading is kept only as long as nothing speaks against it: since then the kernel has told of no change but our own
 * writes, each of which it acknowledged and confirmed, and a minute has not passed. Any other sign, a refusal, or a failure
 * has the kernel read again, whole. So a turn after a change of the members costs what changed, and what it takes for there
 * is older than a reading of its own by the time that an event is on its way. Where an event got lost it errs for up to a
 * minute, as without it: what somebody undid stays undone, and a place of ours that somebody took is taken back. What is not
 * ours it cannot remove: that was foreign when it was read, or it is in no plan.
 */
import {
  applied,
  isHeld,
  isOfGuard,
  isRecent,
  obstacles,
  orphans,
  ownEntries,
  pauseAfter,
  plan,
  messageOf,
  reclaimed,
  slot,
  unmarked,
  withStanding,
  type Desired,
  type Device,
  type Duration,
  type Hold,
  type Instant,
  type Kernel,
  type MemberMtu,
  type Obstacle,
  type Operation,
  type Reading,
  type Rejection,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import { monotonicClock as clock } from './clock.ts'
import { beside, isDrift, say, sentenceOf, type Outcome } from './drift.ts'
import { establish } from './establish.ts'
import { fittings } from './fitting.ts'
import { homing, wordsOf } from './home.ts'
import type { Log } from './log.ts'
import { startLoop } from './loop.ts'
import type { Store } from './store.ts'

/** What should be there, why nothing may be taken away for now if so, and the evictions, as a digest, that this takes into account. */
export type Decision = {
  readonly desired: Desired
  readonly hold: Hold | undefined
  /** How long packets to the others may be, smallest first. */
  readonly mtus: readonly MemberMtu[]
  readonly enforces: string
}

export type ReconcilerOptions = {
  readonly kernel: Kernel
  readonly spec: TunnelSpec
  readonly device: Device
  readonly store: Store
  readonly log: Log
  /** Hears, every turn, what the device is, and how long the packets are that its underlay has room for in it: turns follow one another, so what it hears last is the newest. */
  notice(device: Device, room: number | undefined): void
  /** Decides what the device should hold, as of now. */
  decide(): Decision
  /** Hears that, of those that this decision takes for evicted, the device holds no entry any more. */
  enforced(decision: Decision): void
}

/** What status shows of the kernel. */
export type Picture = {
  /** Undefined while there is no such device. */
  readonly reading: Reading | undefined
  /** Entries on the device that are not ours. */
  readonly foreign: number
  /** The host has the device's underlay address no longer. */
  readonly homeless: boolean
  /** Those of them that are where another is wanted. */
  readonly obstacles: readonly Obstacle[]
  readonly decision: Decision
  /** What is to be done to the entries, removals that are held included. */
  readonly differs: readonly Operation[]
  readonly rejections: readonly Rejection[]
  /** How often an entry, or the device with all of them, was put right though the members had not changed. */
  readonly repairs: number
  /** How many operations the kernel was told. */
  readonly writes: number
  /** How long the packets are that the underlay has room for in the tunnel; undefined while it is unknown. */
  readonly room: number | undefined
}

export type Reconciler = {
  /** Something may have changed: a turn follows soon. */
  wake(): void
  /** The device and its entries, read now, beside what they should be. */
  look(): Promise<Picture>
  /** Takes all of our own entries away, and stops. Returns how many there were. */
  withdraw(): Promise<number>
  stop(): Promise<void>
}

export function startReconciler(options: ReconcilerOptions): Reconciler {
  const { kernel, log, store } = options
  let { spec } = options
  let device = options.device
  let rejections: readonly Rejection[] = []
  let repairs = 0
  let writes = 0
  let failures = 0
  let last: Outcome | undefined
  let orphaned: Table | undefined
  /** What was wanted when we ended: who leaves while the kernel is read is ours as well. */
  const remembered = options.decide().desired
  const home = homing(kernel, store)
  const fitting = fittings(kernel)
  let missing = false
  let looking: Promise<Reading | undefined> | undefined
  let kept: Kept | undefined
  /** Counts the signs that a reading may no longer be true. */
  let signs = 0

  /** A turn that fails, or that the kernel did not take whole, is followed by another, later and later. */
  async function guardedTurn(): Promise<Duration> {
    let held = false
    try {
      held = await turn()
      failures = rejections.length > 0 ? failures + 1 : 0
    } catch (error) {
      failures++
      log.error({ event: 'kernel', reason: messageOf(error) }, messageOf(error))
    }
    return pauseAfter(failures, held)
  }

  /** One turn. Returns whether removals are held. */
  async function turn(): Promise<boolean> {
    const { reading, ...asOf } = await current()
    kept = undefined
    if (reading === undefined) return false
    missing = false
    device = reading.device
    options.notice(device, home.room)
    const decision = options.decide()
    const { desired, hold } = decision
    if (orphaned === undefined) {
      orphaned = orphans(reading, store.hasNotes(spec.device))
      store.noteWritten(spec.device, reclaimed(orphaned, reading, withStanding(remembered, reading.entries)))
    }
    store.noteWritten(spec.device, reclaimed(orphaned, reading, desired.table))
    const { actual, wanted } = beside(reading, desired, store.written(spec.device))
    const all = plan(wanted, actual)
    const before = last
    const drifted = (operation: Operation) => isDrift(operation, before, reading.entries)
    const operations = all.filter((operation) => !isHeld(operation, hold, desired.evicted, drifted(operation)))
    const after = await attempt(reading, operations, drifted)
    kept = after && { reading: after, ...asOf }
    const refused = new Set(rejections.map(({ operation }) => slot(operation.entry)))
    const done = new Set(operations.map(({ entry }) => slot(entry)).filter((place) => !refused.has(place)))
    const barred = obstacles(wanted, actual).map((each) => slot(each.wanted))
    const left = all.map(({ entry }) => slot(entry)).filter((place) => !done.has(place))
    const undone = new Set([...barred, ...left])
    last = { desired: wanted, undone }
    if (!left.some((place) => desired.evicted.has(place))) options.enforced(decision)
    await fit(decision)
    return hold !== undefined
  }

  /** The device and its entries: as they were read, when nothing has spoken against that since, or read now. */
  async function current(): Promise<Omit<Kept, 'reading'> & { readonly reading: Reading | undefined }> {
    if (kept !== undefined && kept.signs === signs && isRecent(kept.at, clock.now())) return kept
    const asOf = { signs, at: clock.now() }
    const found = (await kernel.read(spec)) ?? (await remake())
    return { ...asOf, reading: found && (await atHome(found)) }
  }

  /** Brings the device to what was asked of it, once its entries are as they should be: what it is refused holds up none of them. */
  async function fit({ mtus, hold }: Decision): Promise<void> {
    const misfit = await fitting.look(spec, device, { room: home.room, smallest: mtus[0]?.limit, mayGrow: hold === undefined })
    if (misfit === undefined) return
    log.warn({ event: 'kernel', device: spec.device, ...misfit.change }, misfit.words)
    await establish(kernel, { ...spec, master: undefined, ...misfit.change }, store)
    if (misfit.repair) repairs++
    signs++
    loop.wake()
  }

  /** Brings a device home whose underlay has changed. */
  async function atHome(reading: Reading): Promise<Reading | undefined> {
    const change = await home.look(spec, reading.device)
    if (change === undefined) return reading
    log.warn({ event: 'kernel', device: spec.device, ...change }, `${spec.device}: its underlay has changed: ${wordsOf(change)}`)
    if (change.local !== undefined) spec = { ...spec, local: change.local }
    await establish(kernel, { ...spec, master: undefined, ...change }, store)
    return kernel.read(spec)
  }

  /** A device that we made and that is gone is made again; an adopted one is its maker's to bring back. */
  async function remake(): Promise<Reading | undefined> {
    if (device.origin === 'adopted') {
      if (!missing)
        log.warn({ event: 'kernel', device: spec.device }, `${spec.device} is gone: adopted, so it is not made again; waiting for it`)
      missing = true
      return undefined
    }
    log.warn({ event: 'kernel', device: spec.device }, `${spec.device} is gone: making it again`)
    // The others know it by its MAC address, and need not learn another.
    await establish(kernel, { ...spec, master: undefined, mac: device.mac, mtu: device.mtu }, store)
    // One repair, however many entries follow: an empty device has lost none of them.
    repairs++
    last = undefined
    return kernel.read(spec)
  }

  /** Gives what is there then, when the kernel has taken all of it. */
  async function attempt(
    reading: Reading | undefined,
    operations: readonly Operation[],
    drifted: (operation: Operation) => boolean,
  ): Promise<Reading | undefined> {
    if (operations.length === 0) {
      rejections = []
      return reading
    }
    // On an adopted device the note comes first: an entry that is noted and missing is harmless, the reverse is an orphan.
    const adopted = reading?.device.origin === 'adopted'
    if (adopted) store.noteWritten(spec.device, unmarked(operations))
    writes += operations.length
    const known = new Set(rejections.map(sentenceOf))
    rejections = await kernel.attempt(spec.device, operations)
    const rejected = new Map(rejections.map((rejection) => [rejection.operation, rejection]))
    for (const operation of operations) {
      const rejection = rejected.get(operation)
      // It is tried again and again: once is enough to hear of.
      const repair = rejection === undefined && drifted(operation)
      if (repair) repairs++
      if (rejection === undefined || !known.has(sentenceOf(rejection))) say(log, spec.device, operation, rejection, repair)
    }
    const taken = reading !== undefined && rejections.length === 0 ? applied(reading, operations) : undefined
    const after = adopted ? (taken ?? (await kernel.read(spec))) : undefined
    if (after !== undefined)
      store.keepWritten(spec.device, new Set([...store.written(spec.device)].filter((each) => after.entries.has(each))))
    return taken
  }

  const watch = kernel.watch(spec.device, () => {
    signs++
    loop.hint()
  })
  const loop = startLoop(guardedTurn, () => void signs++)

  /** No turn begins any more, and then the last of it is done: the tools of the watch are there for that. */
  async function settle<Value>(last: () => Promise<Value>): Promise<Value> {
    await loop.stop()
    try {
      return await last()
    } finally {
      await watch.close()
    }
  }

  async function takeAway(): Promise<number> {
    const reading = await kernel.read(spec)
    const { entries, marked } = reading ?? (await kernel.left(spec))
    const ours = reading === undefined ? marked : ownEntries(reading, store.written(spec.device))
    const operations = plan(new Map(), { entries, ours })
    await attempt(reading, operations, () => false)
    return operations.filter((each) => !isOfGuard(each.entry) && !rejections.some(({ operation }) => operation === each)).length
  }

  return {
    wake: () => loop.wake(),
    async look() {
      // However many ask at once, the kernel is read for all of them together.
      looking ??= kernel.read(spec).finally(() => {
        looking = undefined
      })
      const reading = await looking
      const decision = options.decide()
      const rest = { homeless: home.lost, room: home.room, decision, rejections, repairs, writes }
      if (reading === undefined) return { ...rest, reading, foreign: 0, obstacles: [], differs: [] }
      const { actual, wanted } = beside(reading, decision.desired, store.written(spec.device))
      const foreign = [...reading.entries.keys()].filter((place) => !actual.ours.has(place)).length
      return { ...rest, reading, foreign, obstacles: obstacles(wanted, actual), differs: plan(wanted, actual) }
    },
    withdraw: async () => settle(takeAway),
    stop: async () => settle(async () => undefined),
  }
}

/** When a reading was, and after how many signs. */
type Kept = { readonly reading: Reading; readonly at: Instant; readonly signs: number }
