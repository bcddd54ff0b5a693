/**
 * One history of a simulated mesh. The same words tell the same history, on any machine: nothing here looks at a clock.
 * Exit codes: 0 all laws held, 1 a law was broken, 2 wrong usage.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { film, type Film } from '../test/sim/film.ts'
import { LawBroken } from '../test/sim/laws.ts'
import { plot } from '../test/sim/plot.ts'
import { begin, DEFAULTS, replayOf, stories, type Ask } from '../test/sim/stories.ts'
import { measure, suites } from '../test/sim/suites.ts'
import { Trace } from '../test/sim/trace.ts'
import { number, usage } from './usage.ts'

type Wanted =
  | { readonly ask: Ask; readonly traced: boolean; readonly seeds: number; readonly picture: string | undefined }
  | { readonly suite: string; readonly report: string | undefined }

const MEMBERS_MOST = 10_000
const SEED_MOST = 2 ** 32 - 1
const SEEDS_MOST = 1_000_000
const MINUTES_MOST = 24 * 60

const HELP = `Tells one history of a simulated mesh, and holds every step of it against the laws.

  ./scripts/simulate --seed S --members N [--scenario NAME] [--minutes M] [--seeds K] [--plot FILE.svg] [--trace]

  ./scripts/simulate --suite NAME [--report FILE.md]

  --suite NAME     measures what meshes take instead, in virtual time:
${Object.entries(suites)
  .map(([name, { says }]) => `                     ${name.padEnd(10)} ${says}`)
  .join('\n')}
  --report FILE.md writes the table there as well, with the date, the commit and the machine

  --seed S         decides everything that chance decides: the same seed is the same history
  --members N      how many hosts there are
  --scenario NAME  what happens to them (${DEFAULTS.scenario}):
${Object.entries(stories)
  .map(([name, { says }]) => `                     ${name.padEnd(10)} ${says}`)
  .join('\n')}
  --minutes M      how long it goes on before all is mended (${String(DEFAULTS.minutes)})
  --seeds K        tells K histories, of seed S and those after it, up to the first that breaks a law (1)
  --plot FILE.svg  draws how many members each believed alive, over virtual time
  --trace          prints every line of the history

Exit codes: 0 all laws held, 1 a law was broken, 2 wrong usage.
`

const wanted = usage('simulate', () => parse(process.argv.slice(2)))
if (wanted === undefined) process.stdout.write(HELP)
else if ('suite' in wanted) measureIt(wanted)
else tellThem(wanted)

function parse(args: readonly string[]): Wanted | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      members: { type: 'string' },
      scenario: { type: 'string', default: DEFAULTS.scenario },
      minutes: { type: 'string', default: String(DEFAULTS.minutes) },
      seeds: { type: 'string', default: '1' },
      plot: { type: 'string' },
      suite: { type: 'string' },
      report: { type: 'string' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  if (values.suite !== undefined) return { suite: named(values.suite), report: values.report }
  const { scenario } = values
  const story = Object.hasOwn(stories, scenario) ? stories[scenario] : undefined
  if (story === undefined)
    throw new Error(`no scenario is called ${JSON.stringify(scenario)}; there are: ${Object.keys(stories).join(', ')}`)
  const seed = number('--seed', values.seed, { least: 0, most: SEED_MOST })
  const members = number('--members', values.members, { least: story.least, most: MEMBERS_MOST })
  const minutes = number('--minutes', values.minutes, { least: 0.01, most: MINUTES_MOST, whole: false })
  const seeds = number('--seeds', values.seeds, { least: 1, most: SEEDS_MOST })
  if (seeds > 1 && values.plot !== undefined) throw new Error('--plot draws one history: leave out --seeds')
  // Written once before the history, which may take minutes, is told: a place that takes no file is known at once.
  if (values.plot !== undefined) writeFileSync(values.plot, '')
  return { ask: { scenario, seed, members, minutes }, traced: values.trace, seeds, picture: values.plot }
}

function named(suite: string): string {
  if (Object.hasOwn(suites, suite)) return suite
  throw new Error(`no suite is called ${JSON.stringify(suite)}; there are: ${Object.keys(suites).join(', ')}`)
}

function measureIt({ suite, report }: Extract<Wanted, { suite: string }>): void {
  const chosen = suites[suite]
  if (chosen === undefined) return
  if (report !== undefined) writeFileSync(report, '')
  const commit = execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const machine = `${String(availableParallelism())} cores ${cpus()[0]?.model.trim() ?? ''}, Node ${process.version}`
  const lines: string[] = []
  const tell = (line: string) => {
    lines.push(line)
    console.log(line)
    // It takes long, and what ends it early leaves what was measured.
    if (report !== undefined) writeFileSync(report, `${lines.join('\n')}\n`)
  }
  tell(`\`./scripts/simulate --suite ${suite}\`, ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine}`)
  measure(chosen, tell)
}

function tellThem({ ask, traced, seeds, picture }: Extract<Wanted, { ask: Ask }>): void {
  for (let told = 0; told < seeds; told++) {
    if (told > 0) console.log()
    const trace = new Trace(traced ? (line) => process.stdout.write(`${line}\n`) : undefined)
    const broken = tellIt({ ...ask, seed: ask.seed + told, trace }, picture)
    if (broken === undefined) continue
    console.log(`\n${broken}`)
    process.exitCode = 1
    return
  }
}

/** Tells one history, and why it ended early if it did. */
function tellIt(ask: Ask, picture: string | undefined): string | undefined {
  const telling = attempt(() => begin(ask), ask)
  if ('broken' in telling) return telling.broken
  const { cluster, tell } = telling.value
  const filmed = picture === undefined ? undefined : film(cluster)
  const told = attempt(tell, ask)
  const broken = 'broken' in told ? told.broken : undefined
  const outcome = broken === undefined ? 'all laws held' : (broken.split('\n')[0] ?? '')
  const number = new Intl.NumberFormat('en')
  const rows = {
    history: `${ask.scenario}, seed ${String(ask.seed)}, ${String(ask.members)} members, ${String(ask.minutes)} min of trouble`,
    'virtual time': `${(cluster.now / 1000).toFixed(3)} s`,
    faults: number.format(cluster.faults.all.length),
    steps: number.format(cluster.laws.steps),
    'trace hash': cluster.trace.digest,
  }
  for (const [name, value] of Object.entries(rows)) console.log(`${name.padEnd(14)}${value}`)
  if (picture !== undefined && filmed !== undefined) draw(picture, filmed(replayOf(ask), outcome))
  if (broken === undefined) console.log(outcome)
  return broken
}

/** What comes of a part of a history, or why it ended there, with the lines that led to it. */
function attempt<Value>(part: () => Value, ask: Ask): { readonly value: Value } | { readonly broken: string } {
  try {
    return { value: part() }
  } catch (error) {
    if (error instanceof LawBroken) return { broken: error.message }
    const thrown = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const broken = `the protocol threw: ${thrown}\n${ask.trace?.account(replayOf(ask)) ?? ''}`
    return { broken }
  }
}

function draw(path: string, film: Film): void {
  writeFileSync(path, plot(film))
  console.log(`${'picture'.padEnd(14)}${path}`)
}
