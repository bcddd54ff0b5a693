/**
 * One reconciler on the real kernel of a lab, timed from inside: from the moment that it is told of a change of the members
 * until the kernel has acknowledged and confirmed all of it. Beside it stands the floor: `bridge -batch` fed by a file, in
 * the same run. What the kernel shows is heard by a monitor of this program's own. Prints medians and writes a file.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import {
  parseDeviceName,
  parseIp,
  parseVni,
  seconds,
  sure,
  table,
  type Entry,
  type IpAddress,
  type Kernel,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import { iproute2Kernel } from '@vxmesh/kernel-adapter'
import { makeLog } from '../packages/daemon/src/log.ts'
import { startReconciler, type Reconciler } from '../packages/daemon/src/reconciler.ts'
import { openStore } from '../packages/daemon/src/store.ts'
import { until } from '../test/netns/harness.ts'
import { run } from '../test/netns/process.ts'
import { number, numbers, usage } from './usage.ts'

const asked = usage('bench kernel', () => {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '1000,10000' },
      runs: { type: 'string', default: '5' },
      changes: { type: 'string', default: '300' },
      repairs: { type: 'string', default: '50' },
      out: { type: 'string', default: 'bench-kernel.json' },
      /** Used by itself: holds a table of this size, and prints how much memory that takes. */
      hold: { type: 'string' },
    },
  })
  const entries = { least: 1, most: 65_536 }
  const times = { least: 1, most: 100_000 }
  return {
    sizes: numbers('--sizes', values.sizes, entries),
    runs: number('--runs', values.runs, times),
    changes: number('--changes', values.changes, times),
    repairs: number('--repairs', values.repairs, times),
    out: values.out,
    hold: values.hold === undefined ? undefined : number('--hold', values.hold, entries),
  }
})

const HERE = '10.0.0.1'
const ZERO = '00:00:00:00:00:00'
/** The member that comes and goes. */
const GUEST = address('10.1.0.1')
/** A table that is small, as most are. */
const FEW = 3

const spec: TunnelSpec = {
  device: sure(parseDeviceName('provider0')),
  mode: 'vxlan',
  id: sure(parseVni(16)),
  local: sure(parseIp(HERE)),
  port: undefined,
  addresses: [],
  alias: 'vxmesh:bench:16',
}

function address(text: string): IpAddress {
  return sure(parseIp(text))
}

const flood = (underlay: IpAddress): Entry => ({ kind: 'flood', underlay })

function members(count: number): readonly IpAddress[] {
  return Array.from({ length: count }, (_, index) => address(`10.9.${String(index >> 8)}.${String(index & 255)}`))
}

function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** A reconciler that is told what to want, and what its kernel was asked to do. */
type Bench = AsyncDisposable & {
  readonly reconciler: Reconciler
  /** Wants this table. Gives how long it took until the kernel had confirmed it. */
  want(wanted: Table): Promise<number>
  readonly counts: { reads: number; writes: number }
}

async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'vxmesh-bench-'))
  const counts = { reads: 0, writes: 0 }
  const real = iproute2Kernel()
  let confirmed = (): void => undefined
  const kernel: Kernel = {
    ...real,
    read: async (of) => {
      counts.reads++
      return real.read(of)
    },
    attempt: async (device, operations) => {
      if (operations.length > 0) counts.writes++
      const rejections = await real.attempt(device, operations)
      if (rejections.length > 0) throw new Error(`refused: ${JSON.stringify(rejections[0])}`)
      confirmed()
      return rejections
    },
  }
  let wanted = table([])
  const device = await kernel.establish(spec)
  const reconciler = startReconciler({
    kernel,
    spec,
    device,
    store: openStore(directory, (what) => process.stderr.write(`${what}\n`)),
    log: makeLog('info', false, { write: complain }),
    notice: () => undefined,
    enforced: () => undefined,
    decide: () => ({
      desired: { table: wanted, standing: new Map(), evicted: new Set<string>(), verdicts: new Map(), conflicts: new Map() },
      hold: undefined,
      mtus: [],
      enforces: '',
    }),
  })
  return {
    reconciler,
    counts,
    want: async (next) => {
      const { promise, resolve } = Promise.withResolvers<number>()
      const began = performance.now()
      confirmed = () => resolve(performance.now() - began)
      wanted = next
      reconciler.wake()
      return promise
    },
    [Symbol.asyncDispose]: async () => {
      await reconciler.stop()
      await rm(directory, { recursive: true })
      await run(['ip', 'link', 'delete', 'dev', spec.device])
    },
  }
}

/** The lines are made and thrown away, as costs the daemon too, but for errors. */
function complain(line: string): void {
  if (line.includes('"level":"error"')) process.stderr.write(line)
}

/** `bridge -batch` fed by a file, on a device like ours; `heard`: while somebody listens to what changes. */
async function floor(count: number, heard = false): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'vxmesh-bench-'))
  const file = join(directory, 'lines')
  await writeFile(
    file,
    members(count)
      .map((each) => `fdb append ${ZERO} dst ${each} dev ${spec.device}\n`)
      .join(''),
  )
  await run(['ip', 'link', 'add', 'name', spec.device, 'type', 'vxlan', 'id', '16', 'local', HERE, 'dstport', '4789'])
  await run(['ip', 'link', 'set', 'dev', spec.device, 'up'])
  const monitor = heard ? await listen() : undefined
  const began = performance.now()
  await run(['bridge', '-batch', file])
  const took = performance.now() - began
  await monitor?.close()
  await run(['ip', 'link', 'delete', 'dev', spec.device])
  await rm(directory, { recursive: true })
  return took
}

type Filled = {
  readonly entries: number
  readonly floorMs: number
  /** The floor while somebody listens, as a daemon does to see what others change. */
  readonly heardFloorMs: number
  readonly ms: number
  readonly ratio: number
}

async function filled(count: number): Promise<Filled> {
  const wanted = table(members(count).map(flood))
  const ours: number[] = []
  const floors: number[] = []
  const heardFloors: number[] = []
  for (let round = 0; round < asked.runs; round++) {
    floors.push(await floor(count))
    heardFloors.push(await floor(count, true))
    await using bench = await openBench()
    await settled(bench)
    ours.push(await bench.want(wanted))
  }
  const [floorMs, ms] = [percentile(floors, 0.5), percentile(ours, 0.5)]
  return { entries: count, floorMs, heardFloorMs: percentile(heardFloors, 0.5), ms, ratio: ms / floorMs }
}

/** Waits until the reconciler has nothing to do: a second after its start it reads again. */
async function settled({ counts }: Bench): Promise<void> {
  const before = counts.reads
  await until('the reconciler has read again', () => counts.reads > before || counts.reads, { within: seconds(30) })
  await wait(200)
}

type Changed = {
  readonly entries: number
  /** Until the kernel shows it to others. */
  readonly shownP50Ms: number
  readonly shownP99Ms: number
  /** Until it is confirmed. */
  readonly confirmedP50Ms: number
  readonly confirmedP99Ms: number
  /** Processor time of one change: of this program, and with those that it runs. */
  readonly cpuMs: number
  readonly cpuWithChildrenMs: number
  readonly fullReads: number
  readonly repairP50Ms: number
  readonly repairP99Ms: number
}

async function changed(count: number): Promise<Changed> {
  await using bench = await openBench()
  await settled(bench)
  const without = table(members(count).map(flood))
  const withGuest = table([...without.values(), flood(GUEST)])
  await bench.want(without)
  await wait(1000)
  const reads = bench.counts.reads
  const confirmed: number[] = []
  const used = process.cpuUsage()
  const usedByChildren = await childTicks()
  for (let change = 0; change < asked.changes; change++) {
    confirmed.push(await bench.want(change % 2 === 0 ? withGuest : without))
    await wait(10)
  }
  const { user, system } = process.cpuUsage(used)
  const ticks = (await childTicks()) - usedByChildren
  const fullReads = bench.counts.reads - reads
  const monitor = await listen()
  const shown: number[] = []
  for (let change = 0; change < asked.changes; change++) {
    const began = performance.now()
    await bench.want(change % 2 === 0 ? withGuest : without)
    shown.push((await monitor.next()) - began)
    await wait(10)
  }
  const repaired: number[] = []
  const [victim] = members(1)
  for (let repair = 0; repair < asked.repairs; repair++) {
    await run(['bridge', 'fdb', 'delete', ZERO, 'dst', String(victim), 'dev', spec.device])
    const gone = await monitor.next()
    repaired.push((await monitor.next()) - gone)
    await wait(100)
  }
  await monitor.close()
  const per = asked.changes
  const own = (user + system) / 1000 / per
  return {
    entries: count,
    shownP50Ms: percentile(shown, 0.5),
    shownP99Ms: percentile(shown, 0.99),
    confirmedP50Ms: percentile(confirmed, 0.5),
    confirmedP99Ms: percentile(confirmed, 0.99),
    cpuMs: own,
    cpuWithChildrenMs: own + (ticks * TICK_MS) / per,
    fullReads,
    repairP50Ms: percentile(repaired, 0.5),
    repairP99Ms: percentile(repaired, 0.99),
  }
}

const MONITOR = ['bridge', 'monitor', 'fdb'] as const

/** A monitor of our own: when each of its lines came, in turn. */
type Listener = { next(): Promise<number>; close(): Promise<void> }

async function listen(): Promise<Listener> {
  const [tool, ...args] = MONITOR
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let heard: number[] = []
  let told = (): void => undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const now = performance.now()
    heard.push(...(text.match(/\n/g) ?? []).map(() => now))
    told()
  })
  // It hears nothing until it is ready. The reconciler takes away again what is tried here.
  while (heard.length === 0) {
    await run(['bridge', 'fdb', 'append', ZERO, 'dst', '10.2.0.1', 'dev', spec.device])
    await wait(300)
  }
  await wait(1000)
  heard = []
  return {
    next: async () => {
      for (;;) {
        const first = heard.shift()
        if (first !== undefined) return first
        await new Promise<void>((resolve) => (told = resolve))
      }
    },
    close: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}

/** Processor time, in ticks of the system's clock, of the programs that this one runs: of those that have ended nothing. */
async function childTicks(): Promise<number> {
  const listed = await run(['ps', '-o', 'pid=', '--ppid', String(process.pid)])
  const each = listed
    .trim()
    .split(/\s+/)
    .map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const fields = stat.replace(/^.*\) /, '').split(' ')
      return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
    })
  return (await Promise.all(each)).reduce((sum, ticks) => sum + ticks, 0)
}

/** As the daemon is started: by scripts/vxmesh, and by its own first line. */
const NURSERY = ['--max-semi-space-size=2', '--initial-old-space-size=48', '--heap-growing-percent=30']

/** Resident memory, in MiB, of a program that holds a table of this size, after some changes and many full readings. */
async function resident(count: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...NURSERY, import.meta.filename, '--hold', String(count)])
  return Number(stdout)
}

async function hold(count: number): Promise<void> {
  await using bench = await openBench()
  await settled(bench)
  const wanted = table(members(count).map(flood))
  await bench.want(wanted)
  for (let change = 0; change < 20; change++) {
    await bench.want(change % 2 === 0 ? table([...wanted.values(), flood(GUEST)]) : wanted)
    for (let reading = 0; reading < 5; reading++) await bench.reconciler.look()
    await wait(100)
  }
  const status = await readFile('/proc/self/status', 'utf8')
  process.stdout.write(`${String(Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) / 1024)}\n`)
}

const TICK_MS = 1000 / Number(await run(['getconf', 'CLK_TCK']))

function say(what: string, figures: Readonly<Record<string, number>>): void {
  const said = Object.entries(figures).map(([name, value]) => `${name} ${String(Math.round(value * 100) / 100)}`)
  process.stdout.write(`${what}: ${said.join(', ')}\n`)
}

async function measure(): Promise<void> {
  const machine = {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    iproute2: (await run(['bridge', '-Version'])).trim(),
    node: process.version,
    commit: execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  }
  process.stdout.write(
    `${JSON.stringify(machine)}\nmedians of ${String(asked.runs)} runs; ${String(asked.changes)} changes; ${String(asked.repairs)} repairs\n`,
  )
  const { sizes } = asked
  const fills: Filled[] = []
  for (const size of sizes) {
    const figures = await filled(size)
    fills.push(figures)
    say('filled from empty', figures)
  }
  const changes: Changed[] = []
  for (const size of [FEW, ...sizes]) {
    const figures = await changed(size)
    changes.push(figures)
    say('changed by one', figures)
  }
  const memory = []
  for (const size of [FEW, ...sizes]) {
    const figures = { entries: size, rssMiB: await resident(size) }
    memory.push(figures)
    say('memory', figures)
  }
  const results = { fills, changes, memory }
  await writeFile(asked.out, `${JSON.stringify({ date: new Date().toISOString(), machine, results }, undefined, 2)}\n`)
}

/** The underlay. What holds a table by itself finds it there. */
async function prepare(): Promise<void> {
  await run(['ip', 'link', 'add', 'name', 'under0', 'type', 'veth', 'peer', 'name', 'under0p'])
  await run(['ip', 'address', 'add', `${HERE}/8`, 'dev', 'under0'])
  for (const device of ['under0', 'under0p']) await run(['ip', 'link', 'set', 'dev', device, 'up'])
}

if (asked.hold === undefined) {
  await prepare()
  await measure()
} else await hold(asked.hold)
