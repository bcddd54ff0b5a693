/**
 * The check that the checks can fail. Every bug of test/sim/mutants.ts is planted in a copy of packages and test, and
 * then looked for: by the simulator (in the histories that are named beside it; where nothing shows, in every scenario
 * and some of the swarm), by the unit tests of the file, and by the tests it names. Exit codes: 0 all were caught by what
 * is to catch them, 1 one was not, 2 the list is stale.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'
import { mutants, type Histories, type Mutant } from '../test/sim/mutants.ts'
import { DEFAULTS, replayOf, stories } from '../test/sim/stories.ts'

type Outcome = { readonly code: number; readonly said: string }
type Verdict = { readonly law: string | undefined; readonly test: string | undefined }

const root = resolve(import.meta.dirname, '..')

/** Whom neither its own history nor a test caught meets these: every scenario once, then some of the swarm. */
const others = [
  ...Object.keys(stories).map((scenario): Histories => [scenario, 4, 1]),
  ...[3, 5, 8].map((members): Histories => ['swarm', members, 2]),
]

/** A mutant may make the simulator, or a file of tests, run for ever: that is caught as well. */
const PATIENCE_SECONDS = 90

const wanted = process.argv.slice(2).join(' ')
const chosen = mutants.filter(({ name }) => name.includes(wanted))
const stale = mutants.flatMap(staleness)
if (stale.length > 0 || chosen.length === 0) {
  console.error(stale.length > 0 ? stale.join('\n') : `no mutant has a name with "${wanted}" in it`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'vxmesh-mutate-'))
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

const began = performance.now()
const copies = Array.from({ length: Math.min(availableParallelism(), chosen.length) }, (_, index) => copied(String(index)))
const broken = await unhealthy()
if (broken !== undefined) {
  console.error(`without any planted bug there is: ${broken}`)
  process.exit(2)
}

const queue = [...chosen]
const survivors: string[] = []
console.log(row('planted bug', 'caught by the simulator', 'caught by a test'))
await Promise.all(copies.map(work))
const took = `${((performance.now() - began) / 1000).toFixed(0)} s`
console.log(`\n${String(chosen.length - survivors.length)} of ${String(chosen.length)} caught as expected (${took})`)
process.exitCode = survivors.length === 0 ? 0 : 1

async function work(copy: string): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const path = join(copy, mutant.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(
      path,
      text.replace(mutant.text, () => mutant.becomes),
    )
    const { law, test } = await judge(copy, mutant)
    writeFileSync(path, text)
    const found = [law, test].filter((each) => each !== undefined)
    const asExpected = found.some((each) => each.includes(mutant.expected))
    if (!asExpected) survivors.push(mutant.name)
    const other = asExpected ? '' : styleText('red', ` (expected: ${mutant.expected})`)
    console.log(row(mutant.name, law ?? (test === undefined ? styleText('red', 'SURVIVED') : '-'), `${test ?? '-'}${other}`))
  }
}

/** What catches the bug in a copy. */
async function judge(copy: string, mutant: Mutant): Promise<Verdict> {
  const law = await brokenLaw(copy, [mutant.histories])
  const test = await failedTest(copy, testsOf(mutant), mutant.expected)
  return { law: law === undefined && test === undefined ? await brokenLaw(copy, others) : law, test }
}

/** What is wrong although no bug is planted: then nothing else could be said. */
async function unhealthy(): Promise<string | undefined> {
  const all = [...others, ...chosen.map(({ histories }) => histories)]
  const histories = [
    ...new Map(all.map(([scenario, members]) => [`${scenario} ${String(members)}`, [scenario, members, 1] as const])).values(),
  ]
  const tests = [...new Set(chosen.flatMap(testsOf))]
  const found = await Promise.all(
    copies.map(async (copy, index) => {
      const mine = (_: unknown, at: number): boolean => at % copies.length === index
      return (await brokenLaw(copy, histories.filter(mine))) ?? (await failedTest(copy, tests.filter(mine)))
    }),
  )
  return found.find((each) => each !== undefined)
}

/** The unit tests of its file, if it has any, and those that it names. */
function testsOf({ file, tests = [] }: Mutant): readonly string[] {
  const unit = file.replace(/\.ts$/, '.test.ts')
  return [...(existsSync(join(root, unit)) ? [unit] : []), ...tests]
}

async function brokenLaw(copy: string, histories: readonly Histories[]): Promise<string | undefined> {
  for (const [scenario, members, seeds] of histories) {
    const [, ...args] = replayOf({ scenario, seed: 1, members, minutes: DEFAULTS.minutes }).split(' ')
    const { code, said } = await ended(copy, ['node', 'scripts/simulate.ts', ...args, '--seeds', String(seeds)])
    const [, what = said.split('\n')[0] ?? ''] = /^(law \d+|admission|the protocol threw: \w+)(?: is broken|:)/m.exec(said) ?? []
    const [, replay = args.join(' ')] = /^again: \S+ (.*)/m.exec(said) ?? []
    if (code !== 0) return `${what}: ${replay}`
  }
  return undefined
}

/** Of the tests that fail the one that is expected to, or the first. */
async function failedTest(copy: string, files: readonly string[], expected = ''): Promise<string | undefined> {
  if (files.length === 0) return undefined
  const config = ['--config', 'test/vitest.config.ts', '--configLoader', 'native', '--project', 'unit', '--project', 'sim']
  const { code, said } = await ended(copy, ['vitest', 'run', ...config, '--maxWorkers', '1', ...files], files.length)
  if (code === 0) return undefined
  const failed = [...said.matchAll(/ FAIL .*? ([^ ]*\.test\.ts.*)/g)].map(([, what = '']) => what.replace(/^.*\//, ''))
  return failed.find((each) => each.includes(expected)) ?? failed[0] ?? 'a test run that failed'
}

async function ended(cwd: string, [command = '', ...args]: readonly string[], times = 1): Promise<Outcome> {
  const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => said.push(text))
  const impatience = setTimeout(
    () => {
      said.unshift(`no end within ${String(times * PATIENCE_SECONDS)} s\n`)
      child.kill('SIGKILL')
    },
    1000 * times * PATIENCE_SECONDS,
  )
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => {
      resolve(exit ?? 1)
    })
  })
  clearTimeout(impatience)
  return { code, said: said.join('') }
}

/** A checkout of its own, whose packages find each other and not those of this one. */
function copied(name: string): string {
  const copy = join(folder, name)
  for (const part of ['packages', 'test', 'scripts', 'package.json', 'tsconfig.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true, verbatimSymlinks: true })
  const modules = join(copy, 'node_modules')
  mkdirSync(modules)
  for (const entry of readdirSync(join(root, 'node_modules'))) {
    if (entry !== '@vxmesh') symlinkSync(join(root, 'node_modules', entry), join(modules, entry))
  }
  mkdirSync(join(modules, '@vxmesh'))
  for (const entry of readdirSync(join(root, 'node_modules/@vxmesh')))
    symlinkSync(join(copy, 'packages', entry), join(modules, '@vxmesh', entry))
  return copy
}

function staleness({ name, file, text }: Mutant): readonly string[] {
  const found = readFileSync(join(root, file), 'utf8').split(text).length - 1
  return found === 1 ? [] : [`mutant "${name}" is stale: its text is ${found === 0 ? 'no longer' : 'more than once'} in ${file}`]
}

function row(bug: string, law: string, test: string): string {
  return `${bug.padEnd(58)}  ${law.padEnd(62)}  ${test}`
}
