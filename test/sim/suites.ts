/** Sets of measurements, told as a table that can be kept. */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { falsehoods, healed, percentile, sample, started, type Falsehood, type Sample } from './figures.ts'

type Suite = {
  readonly says: string
  readonly meshes: readonly { readonly members: number; readonly seeds: number }[]
  readonly cuts: readonly { readonly members: number; readonly island: number; readonly seeds: number; readonly lasts: Duration }[]
  readonly starts: readonly { readonly members: number }[]
  readonly falsehoods: readonly { readonly members: number; readonly minutes: number }[]
}

const HOUR = seconds(3600)

export const suites: Readonly<Record<string, Suite>> = {
  figures: {
    says: 'meshes of up to 256, cuts of up to a week, and false removals on bad machines (about an hour)',
    meshes: [
      { members: 3, seeds: 20 },
      { members: 32, seeds: 20 },
      { members: 256, seeds: 20 },
    ],
    cuts: [
      { members: 2, island: 1, seeds: 1, lasts: milliseconds(24 * 7 * HOUR) },
      { members: 3, island: 1, seeds: 20, lasts: seconds(20) },
      { members: 4, island: 2, seeds: 5, lasts: HOUR },
      { members: 32, island: 16, seeds: 20, lasts: seconds(20) },
    ],
    starts: [{ members: 100 }],
    falsehoods: [
      { members: 3, minutes: 20_000 },
      { members: 32, minutes: 60 },
    ],
  },
  large: {
    says: 'meshes of 1,000, 10 seeds, and of 10,000, one seed, cuts of 256 and 1,000, and 1,000 that start at once (about an hour)',
    meshes: [
      { members: 1000, seeds: 10 },
      { members: 10_000, seeds: 1 },
    ],
    cuts: [
      { members: 256, island: 128, seeds: 1, lasts: seconds(20) },
      { members: 1000, island: 10, seeds: 1, lasts: seconds(20) },
    ],
    starts: [{ members: 1000 }],
    falsehoods: [],
  },
}

/** Measures a suite. Each line of the tables is told as soon as it is known. */
export function measure({ meshes, cuts, starts, falsehoods: wrong }: Suite, tell: (line: string) => void): void {
  table(tell, [
    'members',
    'seeds',
    'news at every kernel, ms, p50 / p99',
    'silent crash to removed, ms',
    'one comparison, bytes',
    'idle, kbit/s a member',
  ])
  for (const { members, seeds } of meshes)
    tell(
      rowOf(
        members,
        each(seeds, (seed) => sample(members, seed)),
      ),
    )
  table(tell, ['members', 'on an island', 'seeds', 'for, s', 'healed after its end, ms, p50 / p99'])
  for (const { members, island, seeds, lasts } of cuts) {
    const values = each(seeds, (seed) => healed(members, island, seed, lasts))
    tell(row([String(members), String(island), String(seeds), String(lasts / 1000), both(values, 0)]))
  }
  table(tell, ['members that start at once', 'all know all, ms'])
  for (const { members } of starts) tell(row([String(members), started(members, 1).toFixed(0)]))
  if (wrong.length === 0) return
  table(tell, ['members', 'member-hours', 'members removed though alive', 'kernel entries removed'])
  for (const { members, minutes } of wrong) tell(falsehoodRow(falsehoods(members, 1, seconds(60 * minutes))))
}

function each<Value>(seeds: number, measured: (seed: number) => Value): readonly Value[] {
  return Array.from({ length: seeds }, (_, index) => measured(index + 1))
}

function table(tell: (line: string) => void, columns: readonly string[]): void {
  tell('')
  tell(row(columns))
  tell(`|${columns.map(() => '---').join('|')}|`)
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function both(values: readonly number[], digits: number): string {
  return `${percentile(values, 0.5).toFixed(digits)} / ${percentile(values, 0.99).toFixed(digits)}`
}

function rowOf(members: number, samples: readonly Sample[]): string {
  const of = (pick: (sample: Sample) => number): readonly number[] => samples.map(pick)
  return row([
    String(members),
    String(samples.length),
    both(
      of((each) => each.newsMs),
      1,
    ),
    both(
      of((each) => each.crashMs),
      0,
    ),
    percentile(
      of((each) => each.compared),
      0.5,
    ).toFixed(0),
    (
      percentile(
        of((each) => each.idle),
        0.5,
      ) / 1000
    ).toFixed(1),
  ])
}

function falsehoodRow({ members, hours, deaths, removals }: Falsehood): string {
  return row([String(members), hours.toFixed(0), String(deaths), String(removals)])
}
