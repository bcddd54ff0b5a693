/**
 * Real daemons in namespaces of one machine, timed from outside: process start to listening, process start to the entry
 * in every other kernel, leave to its removal from every kernel, memory and processor time at idle. All daemons share the
 * machine's cores, so what many of them do at once takes longer than it would on hosts of their own.
 */
import { execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { seconds } from '@vxmesh/core'
import { openSwitch, until, type Switch } from '../test/netns/harness.ts'
import { http, initMesh, member, messages, type Member, type Mesh } from '../test/netns/member.ts'
import { run, type Process } from '../test/netns/process.ts'
import { number, numbers, usage } from './usage.ts'

/** A member of a benchmark: its daemon, and the monitor that sees its kernel change. */
type Peer = { readonly at: Member; readonly monitor: Process; readonly daemon: Process }

type Figures = {
  readonly members: number
  readonly runs: number
  readonly startMs: number
  /** Medians: p50. */
  readonly joinMs: number
  readonly leaveMs: number
  /** How much of a join is the start of the process, in percent. */
  readonly startPercent: number
  readonly rssMiB: number
  readonly cpuPercent: number
}

const { sizes, runs, idle, out } = usage('bench', () => {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '3,8,16,32' },
      runs: { type: 'string', default: '5' },
      idle: { type: 'string', default: '30' },
      out: { type: 'string', default: 'bench-results.json' },
    },
  })
  return {
    sizes: numbers('--sizes', values.sizes, { least: 2, most: 250 }),
    runs: number('--runs', values.runs, { least: 1, most: 1000 }),
    idle: number('--idle', values.idle, { least: 1, most: 3600 }),
    out: values.out,
  }
})

/** How closely the clock is read: events are looked for this often, in milliseconds. */
const GRAIN = 2

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** How many daemons are started at once. */
const WAVE = 2 * availableParallelism()

/** Waits, looking closely, and gives how long it took since `began`. */
async function timed(began: number, what: string, condition: () => boolean): Promise<number> {
  while (!condition()) {
    if (performance.now() - began > 120_000) throw new Error(`not within two minutes: ${what}`)
    await wait(GRAIN)
  }
  return performance.now() - began
}

async function ready(net: Switch, mesh: Mesh, index: number): Promise<Member> {
  const host = await net.host(`h${String(index)}`, `192.168.226.${String(index + 4)}/24`)
  return member(mesh, host, `192.168.234.${String(index + 1)}/23`)
}

const listening = (daemon: Process): boolean => messages(daemon).some((line) => line.includes('is up'))

async function begin(at: Member, seed: boolean): Promise<Peer> {
  const monitor = await at.host.monitor()
  const daemon = at.up(...(seed ? ['--seed', '192.168.226.4'] : []))
  await until(`${at.host.name} listens`, () => listening(daemon), { within: seconds(120) })
  return { at, monitor, daemon }
}

/** The mesh that a newcomer will find: the seed, then the others in waves, since all at once would only wait for each other. */
async function beginAll(net: Switch, mesh: Mesh, count: number): Promise<readonly Peer[]> {
  const hosts: Member[] = []
  for (let index = 0; index < count; index++) hosts.push(await ready(net, mesh, index))
  const peers: Peer[] = []
  for (let first = 0; first < count; first += first === 0 ? 1 : WAVE) {
    const wave = hosts.slice(first, first === 0 ? 1 : first + WAVE)
    peers.push(...(await Promise.all(wave.map(async (at) => begin(at, first > 0)))))
  }
  return peers
}

async function complete(peers: readonly Peer[]): Promise<void> {
  const wanted = peers.length - 1
  let seen = 0
  await until(
    'the mesh is complete',
    async () => {
      // One after the other, and no further than the first that lacks something: each answer is a fresh look at a kernel,
      // and all at once would be the load that is measured.
      for (let peer = peers[seen]; peer !== undefined; peer = peers[++seen]) {
        const entries = (await peer.at.status()).tunnels[0]?.entries
        if (entries?.kinds?.flood.present !== wanted) return { host: peer.at.host.name, entries }
      }
      return true
    },
    { within: seconds(240) },
  )
}

/** How many lines about a destination each kernel's monitor shows so far. */
const mentions = ({ monitor }: Peer, destination: string, deleted: boolean): number =>
  monitor.lines.filter(
    (line) => line.includes(` dst ${destination} `) && line.startsWith('Deleted ') === deleted && line.includes('00:00:00:00:00:00'),
  ).length

async function joinAndLeave(
  peers: readonly Peer[],
  newcomer: Member,
): Promise<{ readonly joinMs: number; readonly startMs: number; readonly leaveMs: number }> {
  const { underlay } = newcomer
  const seen = (deleted: boolean): readonly number[] => peers.map((peer) => mentions(peer, underlay, deleted))
  const arrivals = seen(false)
  const departures = seen(true)
  const monitor = await newcomer.host.monitor()
  const began = performance.now()
  const daemon = newcomer.up('--seed', '192.168.226.4')
  const others = (): boolean => peers.every(({ at }) => monitor.lines.some((line) => line.includes(` dst ${at.underlay} `)))
  let startMs: number | undefined
  const joinMs = await timed(began, 'every kernel has the newcomer, and it has every other', () => {
    if (startMs === undefined && listening(daemon)) startMs = performance.now() - began
    return peers.every((peer, index) => mentions(peer, underlay, false) > (arrivals[index] ?? 0)) && others()
  })
  await complete([...peers, { at: newcomer, monitor, daemon }])
  const leaving = performance.now()
  const answered = http(newcomer.control, 'POST', '/v1/leave')
  const leaveMs = await timed(leaving, 'no kernel has the leaver', () =>
    peers.every((peer, index) => mentions(peer, underlay, true) > (departures[index] ?? 0)),
  )
  await answered
  await daemon.exit
  monitor.signal('SIGKILL')
  await newcomer.host.run(['ip', 'link', 'delete', 'dev', 'provider0'])
  await rm(newcomer.stateDirectory, { recursive: true, force: true })
  return { joinMs, startMs: startMs ?? joinMs, leaveMs }
}

/** Resident memory and processor time of some processes over a while. */
async function atIdle(peers: readonly Peer[]): Promise<{ readonly rssMiB: number; readonly cpuPercent: number }> {
  const ticks = async ({ daemon }: Peer): Promise<number> => {
    const fields = (await readFile(`/proc/${String(daemon.pid)}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  const perSecond = Number(await run(['getconf', 'CLK_TCK']))
  const before = await Promise.all(peers.map(ticks))
  await wait(idle * 1000)
  const after = await Promise.all(peers.map(ticks))
  const resident = await Promise.all(
    peers.map(
      async ({ daemon }) => Number(/VmRSS:\s+([0-9]+) kB/.exec(await readFile(`/proc/${String(daemon.pid)}/status`, 'utf8'))?.[1]) / 1024,
    ),
  )
  const used = after.map((each, index) => ((each - (before[index] ?? 0)) / perSecond / idle) * 100)
  return { rssMiB: median(resident), cpuPercent: median(used) }
}

async function measure(members: number): Promise<Figures> {
  const net = await openSwitch()
  const mesh = await initMesh()
  try {
    const peers = await beginAll(net, mesh, members - 1)
    await complete(peers)
    const newcomer = await ready(net, mesh, members - 1)
    const rounds = []
    for (let round = 0; round < runs; round++) rounds.push(await joinAndLeave(peers, newcomer))
    const { rssMiB, cpuPercent } = await atIdle(peers)
    return {
      members,
      runs,
      startMs: median(rounds.map(({ startMs }) => startMs)),
      joinMs: median(rounds.map(({ joinMs }) => joinMs)),
      leaveMs: median(rounds.map(({ leaveMs }) => leaveMs)),
      startPercent: median(rounds.map(({ startMs, joinMs }) => (startMs / joinMs) * 100)),
      rssMiB,
      cpuPercent,
    }
  } finally {
    await net.dispose()
    await mesh[Symbol.asyncDispose]()
  }
}

function row(cells: readonly (string | number)[]): void {
  process.stdout.write(
    `${cells.map((cell) => String(typeof cell === 'number' ? Math.round(cell * 10) / 10 : cell).padStart(14)).join('')}\n`,
  )
}

const machine = {
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
  commit: execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
}
process.stdout.write(
  `${JSON.stringify(machine)}\nmedians of ${String(runs)} runs; join and leave: until every kernel shows it; idle: over ${String(idle)} s\n`,
)
row(['members', 'start ms', 'join ms p50', 'start/join %', 'leave ms p50', 'RSS MiB', 'idle CPU %'])
const results: Figures[] = []
for (const size of sizes) {
  const figures = await measure(size)
  results.push(figures)
  row([figures.members, figures.startMs, figures.joinMs, figures.startPercent, figures.leaveMs, figures.rssMiB, figures.cpuPercent])
}
await writeFile(out, `${JSON.stringify({ date: new Date().toISOString(), machine, idleSeconds: idle, results }, undefined, 2)}\n`)
