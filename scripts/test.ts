/**
 * Runs all suites, or those named, and adds up: the last line is `N passed, N failed, N skipped`.
 *
 * The namespace tests run in labs: as root once as root and once rootless (the kernel's contract rootless only where `netns`
 * is named, then), else rootless only; the storm, which keeps the whole machine busy, rootless and alone; what needs another
 * kernel, GRE, in a guest; what needs Open vSwitch, with it.
 * Where a lab cannot be had its tests are skipped, and what is missing is named; where the environment variable
 * VXMESH_PROMISE names it (`netns,guest,ovs`), they fail.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'
import { build } from './build.ts'

type Totals = { readonly passed: number; readonly failed: number; readonly skipped: number }
/** `failed`: the tests that did, as one would look for them. */
type Result = { readonly totals: Totals; readonly failed: readonly string[] }
type Suite = {
  readonly part: string
  readonly name: string
  readonly project?: string
  /** It takes so long that it is run only where its part is named. */
  readonly long?: true
  readonly argv: (report: string) => readonly string[]
  readonly lab?: Lab
}
/** A command that runs others in a lab, and the word by which a machine is promised to have it. */
type Lab = { readonly promise: 'netns' | 'guest' | 'ovs'; readonly argv: readonly string[] }

const root = resolve(import.meta.dirname, '..')
const reports = mkdtempSync(join(tmpdir(), 'vxmesh-test-'))
process.on('exit', () => {
  rmSync(reports, { recursive: true, force: true })
})
/** Hundreds of daemons start in these tests: what is built and compiled once starts sooner. */
const compiled = join(root, 'node_modules/.cache/compiled')
const namespaces = (...flags: readonly string[]): Lab => ({ promise: 'netns', argv: [join(root, 'scripts/lab'), ...flags] })
const guest: Lab = { promise: 'guest', argv: [join(root, 'test/guest/run'), '--share', reports] }
const openVswitch: Lab = { promise: 'ovs', argv: [join(root, 'test/ovs/run')] }
const config = ['--config', 'test/vitest.config.ts', '--configLoader', 'native'] as const
const vitest = (command: string, project: string): readonly [string, ...string[]] => ['vitest', command, ...config, '--project', project]
const reporting = (report: string): readonly string[] => ['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`]
const tests = (project: string): Suite & { readonly project: string } => ({
  part: project,
  name: project,
  project,
  argv: (report) => [...vitest('run', project), ...reporting(report)],
})
const isRoot = process.getuid?.() === 0
const inLab = (part: string, name: string, lab: Lab, project = part): Suite => ({ ...tests(project), part, name, lab })
/** The kernel's contract, which never waits, in a lab of its own beside that of the stories, which do. */
const contract = (how: string, lab: Lab): Suite => inLab('netns', `contract ${how}`, lab, 'contract')

/**
 * What runs together, on two cores. The namespace tests mostly wait, and keep real time, so the busy ones are over by then;
 * a guest, which has one processor, has what they leave. The storm wants the whole machine.
 */
const stages: readonly (readonly Suite[])[] = [
  [{ part: 'check', name: 'check', argv: (report) => ['node', 'scripts/check.ts', '--report', report] }, tests('unit'), tests('sim')],
  [
    ...(isRoot ? [inLab('netns', 'netns as root', namespaces()), contract('as root', namespaces())] : []),
    inLab('netns', 'netns rootless', namespaces('--rootless')),
    { ...contract('rootless', namespaces('--rootless')), ...(isRoot ? { long: true as const } : {}) },
    inLab('guest', 'guest', guest),
    { ...inLab('guest', 'guest long', guest, 'guest-long'), long: true },
    inLab('ovs', 'ovs', openVswitch),
  ],
  [{ ...inLab('hostile', 'hostile', namespaces('--rootless')), long: true }],
  [inLab('storm', 'storm', namespaces('--rootless'))],
]

const parts = new Set(stages.flat().map(({ part }) => part))
const wanted = process.argv.slice(2)
const unknown = wanted.find((part) => !parts.has(part))
if (unknown !== undefined) {
  console.error(`no part is called "${unknown}"; there are: ${[...parts].join(', ')}`)
  process.exit(2)
}

const main = await build()
const running = new Set<ChildProcess>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Each child leads a process group of its own; with its first process a lab ends altogether.
    for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    process.exit(130)
  })
}

const results: (Result & { readonly name: string; readonly took: number })[] = []
for (const stage of stages) {
  const suites = stage.filter(({ part, long }) => (wanted.length === 0 ? long !== true : wanted.includes(part)))
  const print = inOrder(suites.length)
  const done = suites.map(async (suite, place) => {
    const start = performance.now()
    print(place, styleText('bold', `\n== ${suite.name}\n`))
    const result = await run(suite, (text) => {
      print(place, text)
    })
    print(place, undefined)
    return { ...result, name: suite.name, took: performance.now() - start }
  })
  results.push(...(await Promise.all(done)))
}

console.log()
for (const { name, failed } of results) for (const test of failed) console.log(`failed: ${name}: ${test}`)
for (const { name, totals, took } of results) console.log(`${name.padEnd(18)}${sentence(totals)} (${(took / 1000).toFixed(1)} s)`)
const total = results.map(({ totals }) => totals).reduce(add, { passed: 0, failed: 0, skipped: 0 })
console.log(sentence(total))
process.exitCode = total.failed > 0 || total.passed + total.skipped === 0 ? 1 : 0

async function run(suite: Suite, print: (text: string) => void): Promise<Result> {
  const missing = suite.lab === undefined ? undefined : lacks(suite.lab.argv)
  if (suite.lab !== undefined && missing !== undefined) {
    const count = listed(suite.project ?? suite.part)
    const promised = (process.env['VXMESH_PROMISE'] ?? '').split(',').includes(suite.lab.promise)
    print(`${missing}\n${String(count)} tests ${promised ? 'failed: this machine was promised to run them' : 'skipped'}\n`)
    return { totals: { passed: 0, failed: promised ? count : 0, skipped: promised ? 0 : count }, failed: [] }
  }
  const report = join(reports, suite.name)
  const code = await ended([...(suite.lab?.argv ?? []), ...suite.argv(report)], print)
  const result = read(report)
  // A suite that could not even say what failed has failed.
  return code !== 0 && result.totals.failed === 0 ? { ...result, totals: { ...result.totals, failed: 1 } } : result
}

/** Why there can be no such lab, or undefined when there can. */
function lacks([command = '', ...args]: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, [...args, '--can'], { encoding: 'utf8' })
  return status === 0 ? undefined : (stdout + stderr).trim()
}

/** How many tests a project has, without running any. Parsing alone would miss those that a contract makes. */
function listed(project: string): number {
  const [command, ...args] = [...vitest('list', project), '--no-staticParse']
  const { stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return Math.max(1, stdout.split('\n').filter((line) => line.includes(' > ')).length)
}

async function ended([command = '', ...args]: readonly string[], print: (text: string) => void): Promise<number> {
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled, VXMESH_MAIN: main, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}) }
  const child = spawn(command, args, { cwd: root, detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', print)
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      print(`${error.message}\n`)
      resolve(127)
    })
    child.once('close', (exit) => {
      resolve(exit ?? 1)
    })
  })
  running.delete(child)
  return code
}

/** The totals of a report, in vitest's words or in check's own, and what failed. A file that did not load counts as one failure. */
function read(path: string): Result {
  const report = fields(parsed(path))
  const number = (key: string): number => Number(report.get(key) ?? 0)
  const files = rows(report.get('testResults')).map((file) => ({ file, tests: rows(file.get('assertionResults')) }))
  const unloaded = files.filter(({ file, tests }) => file.get('status') === 'failed' && tests.length === 0)
  const failed = files.flatMap(({ tests }) => tests).filter((test) => test.get('status') === 'failed')
  return {
    totals: {
      passed: number('passed') + number('numPassedTests'),
      failed: number('failed') + number('numFailedTests') + unloaded.length,
      skipped: number('numPendingTests') + number('numTodoTests'),
    },
    failed: [...failed.map((test) => String(test.get('fullName'))), ...unloaded.map(({ file }) => String(file.get('name')))],
  }
}

function rows(value: unknown): readonly ReadonlyMap<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : []
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function fields(value: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : [])
}

function add(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

function sentence({ passed, failed, skipped }: Totals): string {
  return `${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`
}

/** Prints what several write at once as if they had come one after the other: the first live, the rest when it is their turn. */
function inOrder(count: number): (place: number, text: string | undefined) => void {
  const held = Array.from({ length: count }, (): string[] => [])
  const done = new Set<number>()
  let turn = 0
  return (place, text) => {
    if (text === undefined) done.add(place)
    else held[place]?.push(text)
    for (;;) {
      process.stdout.write((held[turn]?.splice(0) ?? []).join(''))
      if (!done.has(turn)) return
      turn += 1
    }
  }
}
