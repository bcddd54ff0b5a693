import { describe, expect, test } from 'vitest'
import { plan, type Operation } from './plan.ts'
import { claim, ip, sure } from './samples.ts'
import { parsePort } from './values.ts'
import { slot, table, type Entry, type Slot, type Table } from './table.ts'

const entries = [1, 2, 3].map((number): Entry => ({ kind: 'flood', underlay: ip(`10.0.0.${String(number)}`) }))
const [one, two] = entries
const tableOf = (some: readonly (Entry | undefined)[]): Table => table(some.filter((entry) => entry !== undefined))

function show(operations: readonly Operation[]): readonly string[] {
  return operations.map(({ kind, entry }) => `${kind} ${entry.underlay}`)
}

test.each<[string, readonly (Entry | undefined)[], readonly (Entry | undefined)[], readonly string[]]>([
  ['nothing wanted, nothing there', [], [], []],
  ['a new member is added', [one], [], ['add 10.0.0.1']],
  ['a departed member is removed', [], [one], ['remove 10.0.0.1']],
  ['converged means an empty plan', [one, two], [two, one], []],
  ['additions come before removals, as when a member moves', [one], [two], ['add 10.0.0.1', 'remove 10.0.0.2']],
])('%s', (_name, desired, actual, expected) => {
  const present = tableOf(actual)
  expect(show(plan(tableOf(desired), { entries: present, ours: new Set(present.keys()) }))).toEqual(expected)
})

test('while removals are held only additions are planned', () => {
  const present = tableOf([two])
  expect(show(plan(tableOf([one]), { entries: present, ours: new Set(present.keys()) }, 'held'))).toEqual(['add 10.0.0.1'])
})

test('a foreign entry satisfies what is desired and is never removed', () => {
  const present = tableOf([one, two])
  expect(plan(tableOf([one]), { entries: present, ours: new Set() })).toEqual([])
})

describe('an fdb entry', () => {
  const mac = claim('b').mac
  const to = (number: number): Entry => ({ kind: 'fdb', mac, underlay: ip(`10.0.0.${String(number)}`) })
  const planned = (ours: readonly Entry[]) =>
    plan(table([to(1)]), { entries: table([to(2)]), ours: new Set(ours.map(slot)) }).map(({ kind, entry }) => `${kind} ${slot(entry)}`)

  test('of ours is moved: the new one is written first, the old one is gone by then', () => {
    expect(planned([to(2)])).toEqual(['add fdb 02:00:00:00:00:62 10.0.0.1', 'remove fdb 02:00:00:00:00:62 10.0.0.2'])
  })

  test('of somebody else for the same MAC address is left to lead where it does', () => {
    expect(planned([])).toEqual([])
  })
})

test('two ports at one address are two places, and a change of port puts the new one first', () => {
  const at = (number: number): Entry => ({ kind: 'flood', underlay: ip('10.0.0.1'), port: sure(parsePort(number)) })
  const operations = plan(table([at(8472)]), { entries: table([at(9000)]), ours: new Set([slot(at(9000))]) })
  expect(operations).toEqual([
    { kind: 'add', entry: at(8472) },
    { kind: 'remove', entry: at(9000) },
  ])
})

test('an entry written down as ours and gone is not removed again', () => {
  expect(plan(tableOf([]), { entries: tableOf([]), ours: new Set(['flood 10.0.0.1']) })).toEqual([])
})

function subsets<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  return items.reduce<readonly (readonly Item[])[]>((some, item) => [...some, ...some.map((each) => [...each, item])], [[]])
}

function apply(actual: Table, operations: readonly Operation[]): Table {
  const after = new Map(actual)
  for (const { kind, entry } of operations) {
    if (kind === 'add') after.set(slot(entry), entry)
    else after.delete(slot(entry))
  }
  return after
}

describe('for every pair of small tables, whichever entries are ours', () => {
  const tables = subsets(entries).map(tableOf)
  const owned: readonly ReadonlySet<Slot>[] = subsets(entries.map(slot)).map((slots) => new Set(slots))
  const cases = tables.flatMap((desired) =>
    tables.flatMap((actual) => owned.map((ours) => ({ desired, actual: { entries: actual, ours } }))),
  )

  test('the plan leads to what is desired and what is foreign, and a second plan is empty', () => {
    expect(cases).toHaveLength(512)
    for (const { desired, actual } of cases) {
      const after = apply(actual.entries, plan(desired, actual))
      const foreign = [...actual.entries.keys()].filter((place) => !actual.ours.has(place))
      expect(new Set(after.keys())).toEqual(new Set([...desired.keys(), ...foreign]))
      expect(plan(desired, { entries: after, ours: actual.ours })).toEqual([])
    }
  })

  test('no desired entry is missing at any moment of it that was there before', () => {
    const missing = cases.flatMap(({ desired, actual }) => {
      const operations = plan(desired, actual)
      const moments = [0, ...operations.keys()].map((done) => apply(actual.entries, operations.slice(0, done + 1)))
      const steady = [...desired.keys()].filter((place) => actual.entries.has(place))
      return moments.flatMap((during) => steady.filter((place) => !during.has(place)))
    })
    expect(missing).toEqual([])
  })
})
