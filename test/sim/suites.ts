/** Sets of measurements, told as a table that can be kept. */
import { seconds } from '@vxmesh/core'
import { falsehoods, percentile, sample, type Falsehood, type Sample } from './figures.ts'

type Row = { readonly members: number; readonly seeds: number; readonly heal: boolean }
type Suite = {
  readonly says: string
  readonly rows: readonly Row[]
  readonly falsehoods: readonly { readonly members: number; readonly minutes: number }[]
}

export const suites: Readonly<Record<string, Suite>> = {
  figures: {
    says: 'meshes of 3, 32 and 256, a cut of a week, and false removals on bad machines (about an hour)',
    rows: [
      { members: 3, seeds: 20, heal: true },
      { members: 32, seeds: 20, heal: true },
      { members: 256, seeds: 20, heal: true },
    ],
    falsehoods: [
      { members: 3, minutes: 20_000 },
      { members: 32, minutes: 60 },
    ],
  },
  large: {
    says: 'meshes of 1,000, 10 seeds, and of 10,000, one seed (about a quarter of an hour)',
    rows: [
      { members: 1000, seeds: 10, heal: false },
      { members: 10_000, seeds: 1, heal: false },
    ],
    falsehoods: [],
  },
}

/** Measures a suite. Each line of the table is told as soon as it is known. */
export function measure({ rows, falsehoods: wrong }: Suite, tell: (line: string) => void): void {
  tell(
    '| members | seeds | news at every kernel, ms, p50 / p99 | silent crash to removed, ms | cut healed, ms | one comparison, bytes | idle, kbit/s a member |',
  )
  tell('|---|---|---|---|---|---|---|')
  for (const { members, seeds, heal } of rows) {
    const samples = Array.from({ length: seeds }, (_, index) => sample(members, index + 1, { heal }))
    tell(rowOf(members, samples))
  }
  if (wrong.length === 0) return
  tell('')
  tell('| members | member-hours | members removed though alive | kernel entries removed |')
  tell('|---|---|---|---|')
  for (const { members, minutes } of wrong) tell(falsehoodRow(falsehoods(members, 1, seconds(60 * minutes))))
}

function rowOf(members: number, samples: readonly Sample[]): string {
  const both = (pick: (sample: Sample) => number | undefined, digits: number) => {
    const values = samples.flatMap((each) => pick(each) ?? [])
    return values.length === 0 ? 'not measured' : `${percentile(values, 0.5).toFixed(digits)} / ${percentile(values, 0.99).toFixed(digits)}`
  }
  const cells = [
    String(members),
    String(samples.length),
    both((each) => each.newsMs, 1),
    both((each) => each.crashMs, 0),
    both((each) => each.healMs, 0),
    percentile(
      samples.map((each) => each.compared),
      0.5,
    ).toFixed(0),
    (
      percentile(
        samples.map((each) => each.idle),
        0.5,
      ) / 1000
    ).toFixed(1),
  ]
  return `| ${cells.join(' | ')} |`
}

function falsehoodRow({ members, hours, deaths, removals }: Falsehood): string {
  return `| ${String(members)} | ${hours.toFixed(0)} | ${String(deaths)} | ${String(removals)} |`
}
