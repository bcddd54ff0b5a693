import { describe, expect, test } from 'vitest'
import { guarded } from './guard.ts'
import { isHeld } from './hold.ts'
import { applied, plan, type Operation } from './plan.ts'
import { slot, table, type Entry, type Table } from './table.ts'
import type { IpAddress, MacAddress, Port } from './values.ts'

const ip = (last: number): IpAddress => `192.0.2.${String(last)}` as IpAddress
const mac = '02:00:00:00:00:05' as MacAddress
const port = 8472 as Port
const flood = (last: number): Entry => ({ kind: 'flood', underlay: ip(last) })
const GUARD = { kind: 'guard', family: 'ipv4', rules: ['keep out'] } as const
const STRICTER = { ...GUARD, rules: ['keep out', 'all of them'] } as const
const read = (entries: Table) => ({ entries, ours: new Set(entries.keys()) })
const words = (operations: readonly Operation[]) => operations.map(({ kind, entry }) => `${kind} ${slot(entry)}`)

test('a guard admits everybody to whom an entry sends, once, and nobody else', () => {
  const entries = table([
    flood(5),
    { kind: 'flood', underlay: ip(6), port },
    { kind: 'fdb', mac, underlay: ip(5) },
    { kind: 'neighbour', overlay: ip(99), mac },
  ])
  const added = [...guarded(entries, GUARD).keys()].filter((place) => !entries.has(place))
  expect(added).toEqual(['guard', 'admitted 192.0.2.5', 'admitted 192.0.2.6'])
})

describe('what is done about a guard', () => {
  const before = guarded(table([flood(5)]), GUARD)

  test('a member is admitted before anything is sent to it, and until nothing is', () => {
    expect(words(plan(guarded(table([flood(6)]), GUARD), read(before)))).toEqual([
      'add admitted 192.0.2.6',
      'add flood 192.0.2.6',
      'remove flood 192.0.2.5',
      'remove admitted 192.0.2.5',
    ])
  })

  test('one that is not as it should be is made anew with all that it holds, who goes from it goes later', () => {
    const operations = plan(guarded(table([flood(6)]), STRICTER), read(before))
    expect(words(operations)).toEqual([
      'replace guard',
      'add admitted 192.0.2.5',
      'add admitted 192.0.2.6',
      'add flood 192.0.2.6',
      'remove flood 192.0.2.5',
      'remove admitted 192.0.2.5',
    ])
    const after = applied({ entries: before, marked: new Set(before.keys()) }, operations).entries
    expect([...after.keys()].toSorted()).toEqual(['admitted 192.0.2.6', 'flood 192.0.2.6', 'guard'])
    expect(plan(guarded(table([flood(6)]), STRICTER), read(after))).toEqual([])
  })

  test('those of the other family are not taken along', () => {
    const other = { kind: 'guard', family: 'ipv6', rules: [] } as const
    expect(words(plan(guarded(new Map(), other), read(before)))).toEqual([
      'replace guard',
      'remove flood 192.0.2.5',
      'remove admitted 192.0.2.5',
    ])
  })

  test('where none is wanted it goes, and all that it held with it, whatever else is held', () => {
    const operations = plan(table([flood(5)]), read(before))
    expect(words(operations)).toEqual(['remove guard'])
    expect([...applied({ entries: before, marked: new Set() }, operations).entries.keys()]).toEqual(['flood 192.0.2.5'])
    const hold = { reason: 'alone', brief: false, replacements: true }
    expect(operations.some((operation) => isHeld(operation, hold, new Set(), false))).toBe(false)
  })

  test('whom it admits stays admitted while removals are held', () => {
    const [admitted] = plan(guarded(new Map(), GUARD), read(before)).filter(({ entry }) => entry.kind === 'admitted')
    expect(isHeld(admitted!, { reason: 'alone', brief: false, replacements: false }, new Set(), false)).toBe(true)
    expect(isHeld(admitted!, { reason: 'alone', brief: false, replacements: false }, new Set(['admitted 192.0.2.5']), false)).toBe(false)
  })
})
