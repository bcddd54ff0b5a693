/**
 * Keeps one tunnel's device equal to what the view calls for. Every turn reads the kernel, decides, and attempts; events
 * of the mesh and of the kernel only wake it, and a full read every minute catches what no event told. Nothing is
 * remembered between turns but what is reported, so the next turn is the recovery from whatever this one met.
 */
import {
  BURST,
  elapsed,
  HELD_PAUSE,
  ownEntries,
  pauseAfter,
  plan,
  restAfter,
  slot,
  type Desired,
  type Device,
  type Duration,
  type Kernel,
  type Operation,
  type Reading,
  type Rejection,
  type Slot,
  type TunnelSpec,
} from '@vxmesh/core'
import { describe } from '@vxmesh/kernel-adapter'
import { monotonicClock as clock } from './clock.ts'
import { establish } from './establish.ts'
import type { Log } from './log.ts'
import type { Store } from './store.ts'

/** What should be there, why nothing may be removed for now if so, and the evictions, as a digest, that this takes into account. */
export type Decision = { readonly desired: Desired; readonly hold: string | undefined; readonly enforces: string }

export type ReconcilerOptions = {
  readonly kernel: Kernel
  readonly spec: TunnelSpec
  readonly device: Device
  readonly store: Store
  readonly log: Log
  /** Hears, every turn, what the device is: turns follow one another, so what it hears last is the newest. */
  notice(device: Device): void
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
  readonly decision: Decision
  readonly rejections: readonly Rejection[]
  /** How often an entry, or the device with all of them, was put right though the members had not changed. */
  readonly repairs: number
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
  const { kernel, spec, log, store } = options
  let device = options.device
  let rejections: readonly Rejection[] = []
  let repairs = 0
  let failures = 0
  let last: Outcome | undefined
  let stopped = false
  let missing = false
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<Reading | undefined> | undefined
  let burst: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let awake = false
  let first = true
  let endRest = (): void => undefined

  const watch = kernel.watch(spec.device, () => {
    // Not put off by what comes after: where events never cease there would be no turn.
    burst ??= setTimeout(() => {
      burst = undefined
      wake()
    }, BURST)
  })

  function later(pause: Duration): void {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(wake, pause)
  }

  async function rest(duration: Duration): Promise<void> {
    await new Promise<void>((resolve) => {
      const resting = setTimeout(resolve, duration)
      endRest = () => {
        clearTimeout(resting)
        resolve()
      }
    })
  }

  function wake(): void {
    awake = true
    running ??= run().finally(() => {
      running = undefined
      if (pending()) wake()
    })
  }

  function pending(): boolean {
    return awake && !stopped
  }

  async function run(): Promise<void> {
    let held = false
    while (pending()) {
      awake = false
      const began = clock.now()
      held = await guardedTurn()
      if (pending()) await rest(restAfter(elapsed(began, clock.now())))
    }
    // The monitors may have missed what happened while they started: the first turn is followed by another soon.
    later(first ? HELD_PAUSE : pauseAfter(failures, held))
    first = false
  }

  /** A turn that fails, or that the kernel did not take whole, is followed by another, later and later. */
  async function guardedTurn(): Promise<boolean> {
    try {
      const held = await turn()
      failures = rejections.length > 0 ? failures + 1 : 0
      return held
    } catch (error) {
      failures++
      log.error({ event: 'kernel', reason: message(error) }, message(error))
      return false
    }
  }

  /** One turn. Returns whether removals are held. */
  async function turn(): Promise<boolean> {
    const reading = (await kernel.read(spec)) ?? (await remake())
    if (reading === undefined) return false
    missing = false
    device = reading.device
    options.notice(device)
    const decision = options.decide()
    const { desired, hold } = decision
    const actual = { entries: reading.entries, ours: ownEntries(reading, store.written(spec.device)) }
    const all = plan(desired.table, actual)
    const operations = hold === undefined ? all : plan(desired.table, actual, 'held', desired.evicted)
    const before = last
    await attempt(reading, operations, (operation) => isDrift(operation, before))
    const refused = new Set(rejections.map(({ operation }) => slot(operation.entry)))
    const done = new Set(operations.map(({ entry }) => slot(entry)).filter((place) => !refused.has(place)))
    last = { desired: desired.table, undone: new Set(all.map(({ entry }) => slot(entry)).filter((place) => !done.has(place))) }
    const { undone } = last
    if (![...desired.evicted].some((place) => undone.has(place))) options.enforced(decision)
    return hold !== undefined
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
    await establish(kernel, spec, store)
    // One repair, however many entries follow: an empty device has lost none of them.
    repairs++
    last = undefined
    return kernel.read(spec)
  }

  async function attempt(reading: Reading, operations: readonly Operation[], drifted: (operation: Operation) => boolean): Promise<void> {
    if (operations.length === 0) {
      rejections = []
      return
    }
    // On an adopted device the note comes first: an entry that is noted and missing is harmless, the reverse is an orphan.
    const adopted = reading.device.origin === 'adopted'
    const added = operations.flatMap((operation) => (operation.kind === 'add' ? [operation.entry] : []))
    if (adopted) store.noteWritten(spec.device, added)
    rejections = await kernel.attempt(spec.device, operations)
    const rejected = new Map(rejections.map((rejection) => [rejection.operation, rejection]))
    for (const operation of operations) report(operation, rejected.get(operation), drifted(operation))
    if (!adopted) return
    const after = await kernel.read(spec)
    if (after !== undefined)
      store.keepWritten(spec.device, new Set([...store.written(spec.device)].filter((each) => after.entries.has(each))))
  }

  function report(operation: Operation, rejection: Rejection | undefined, drifted: boolean): void {
    const command = describe(operation, spec.device)
    const fields = { event: 'kernel', operation: operation.kind, entry: slot(operation.entry), device: spec.device }
    if (rejection !== undefined) {
      log.error({ ...fields, reason: rejection.reason }, `refused: ${rejection.command}: ${rejection.reason}`)
    } else if (drifted) {
      repairs++
      log.warn({ ...fields, drift: true }, `${command} (repair: it had been changed by somebody else)`)
    } else log.info(fields, command)
  }

  async function settle(): Promise<void> {
    stopped = true
    endRest()
    clearTimeout(timer)
    clearTimeout(burst)
    await running
    await watch.close()
  }

  wake()
  return {
    wake,
    async look() {
      // However many ask at once, the kernel is read for all of them together.
      looking ??= kernel.read(spec).finally(() => {
        looking = undefined
      })
      const reading = await looking
      const own = reading === undefined ? new Set() : ownEntries(reading, store.written(spec.device))
      const foreign = reading === undefined ? 0 : [...reading.entries.keys()].filter((place) => !own.has(place)).length
      return { reading, foreign, decision: options.decide(), rejections, repairs }
    },
    async withdraw() {
      await settle()
      const reading = await kernel.read(spec)
      if (reading === undefined) return 0
      const own = ownEntries(reading, store.written(spec.device))
      const operations = plan(new Map(), { entries: reading.entries, ours: own })
      await attempt(reading, operations, () => false)
      return operations.length - rejections.length
    },
    stop: settle,
  }
}

/** What a turn left behind: what it wanted, and the slots that it could not, or might not, bring there yet. */
type Outcome = { readonly desired: Desired['table']; readonly undone: ReadonlySet<Slot> }

/** Whether an entry was changed by somebody else: the last turn wanted the same of its slot, and had it. */
function isDrift({ kind, entry }: Operation, last: Outcome | undefined): boolean {
  const place = slot(entry)
  return last !== undefined && last.desired.has(place) === (kind === 'add') && !last.undone.has(place)
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
