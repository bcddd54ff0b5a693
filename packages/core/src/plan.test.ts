import { describe, expect, test } from 'vitest'
import { applied, obstacles, passable, plan, type Operation } from './plan.ts'
import { claim, ip } from './samples.ts'
import { parseInterfaceAddress, parsePort, sure } from './values.ts'
import { slot, table, type Entry, type Slot, type Table } from './table.ts'

const flood = (number: number) => ({ kind: 'flood', underlay: ip(`10.0.0.${String(number)}`) }) as const
const entries = [1, 2, 3].map(flood)
const [one, two] = entries
const fdb = (of: string, number: number): Entry => ({ kind: 'fdb', mac: claim(of).mac, underlay: ip(`10.0.0.${String(number)}`) })
const neighbour = (number: number, of: string): Entry => ({
  kind: 'neighbour',
  overlay: ip(`192.168.234.${String(number)}`),
  mac: claim(of).mac,
})
const tableOf = (some: readonly (Entry | undefined)[]): Table => table(some.filter((entry) => entry !== undefined))

function show(operations: readonly Operation[]): readonly string[] {
  return operations.map(({ kind, entry }) => `${kind} ${slot(entry).replace(/^flood /, '')}`)
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

describe('with GRE', () => {
  const leads = (number: number, overlay = `192.168.234.${String(number)}`): Entry => ({
    kind: 'neighbour',
    overlay: ip(overlay),
    underlay: ip('10.0.0.9'),
  })
  const way = (number: number): Entry => ({ kind: 'route', overlay: ip(`192.168.234.${String(number)}`) })
  const network: Entry = { kind: 'unreachable', network: sure(parseInterfaceAddress('192.168.234.0/24')) }
  const member = [leads(2), way(2)]

  test('a network becomes unreachable when its members have their ways, and is so until they are gone', () => {
    const there = table([network, ...member])
    expect(show(plan(there, { entries: new Map(), ours: new Set() }))).toEqual([
      'add neighbour 192.168.234.2',
      'add route 192.168.234.2',
      'add unreachable 192.168.234.0/24',
    ])
    expect(show(plan(new Map(), { entries: there, ours: new Set(there.keys()) }))).toEqual([
      'remove route 192.168.234.2',
      'remove neighbour 192.168.234.2',
      'remove unreachable 192.168.234.0/24',
    ])
  })

  test.each<[string, readonly Entry[], readonly Entry[], readonly Entry[], readonly string[]]>([
    ['each neighbour that somebody else has there keeps a way', [network, ...member], [leads(7)], [], ['route 192.168.234.7']],
    ['one that he has elsewhere needs none', [network], [leads(7, '10.9.9.9')], [], []],
    ['one of ours that goes needs none', [network, ...member], [leads(7)], [leads(7)], []],
    ['nobody needs one where nothing is unreachable', member, [leads(7)], [], []],
  ])('%s', (_name, desired, there, ours, added) => {
    const all = passable(table(desired), { entries: table(there), ours: new Set(ours.map(slot)) })
    expect([...all.keys()].filter((place) => !table(desired).has(place))).toEqual(added)
  })
})

test('a foreign entry satisfies what is desired and is never removed', () => {
  const present = tableOf([one, two])
  expect(plan(tableOf([one]), { entries: present, ours: new Set() })).toEqual([])
})

describe.each<[string, Entry, Entry, string]>([
  ['an fdb entry', fdb('b', 1), fdb('b', 2), 'fdb 02:00:00:00:00:62'],
  ['a neighbour', neighbour(2, 'b'), neighbour(2, 'c'), 'neighbour 192.168.234.2'],
])('%s', (_name, wanted, found, place) => {
  const actual = (ours: readonly Entry[]) => ({ entries: table([found]), ours: new Set(ours.map(slot)) })

  test('of ours that leads elsewhere is replaced, and gives way at once', () => {
    expect(plan(table([wanted]), actual([found]))).toEqual([{ kind: 'replace', entry: wanted, was: found }])
    expect(obstacles(table([wanted]), actual([found]))).toEqual([])
    expect(place).toBe(slot(wanted))
  })

  test('of somebody else in the same place is left to lead where it does, and is in the way', () => {
    expect(plan(table([wanted]), actual([]))).toEqual([])
    expect(obstacles(table([wanted]), actual([]))).toEqual([{ wanted, found }])
  })

  test('of somebody else that is the wanted one is as good as ours, and stays when it is no longer wanted', () => {
    const same = { entries: table([wanted]), ours: new Set<Slot>() }
    expect([plan(table([wanted]), same), obstacles(table([wanted]), same), plan(table([]), same)]).toEqual([[], [], []])
  })
})

test('everything is written in the order in which packets will need it, and removed in the reverse', () => {
  const member = (of: string, number: number) => [neighbour(number, of), fdb(of, number), flood(number)]
  const present = tableOf(member('c', 3))
  expect(show(plan(tableOf(member('b', 2)), { entries: present, ours: new Set(present.keys()) }))).toEqual([
    'add 10.0.0.2',
    'add fdb 02:00:00:00:00:62',
    'add neighbour 192.168.234.2',
    'remove neighbour 192.168.234.3',
    'remove fdb 02:00:00:00:00:63',
    'remove 10.0.0.3',
  ])
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
  return applied({ entries: actual, marked: new Set() }, operations).entries
}

test('what was written carries our mark where entries have one, and what was removed has none', () => {
  const [ours, gone] = [neighbour(2, 'b'), neighbour(3, 'c')]
  const before = { entries: table([gone]), marked: new Set([slot(gone)]) }
  const after = applied(before, [
    { kind: 'add', entry: ours },
    { kind: 'add', entry: flood(1) },
    { kind: 'remove', entry: gone },
  ])
  expect(after).toEqual({ entries: table([ours, flood(1)]), marked: new Set([slot(ours)]) })
})

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
