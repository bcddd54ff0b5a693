import { describe, expect, test } from 'vitest'
import { orphans, ownEntries, reclaimed, unmarked } from './ownership.ts'
import type { Reading } from './ports.ts'
import { claim, ip } from './samples.ts'
import { slot, table, type Entry } from './table.ts'

const [A, B] = [claim('a'), claim('b')]
const FLOOD: Entry = { kind: 'flood', underlay: B.underlay }
const FDB: Entry = { kind: 'fdb', mac: B.mac, underlay: B.underlay }
const NEIGHBOUR: Entry = { kind: 'neighbour', overlay: ip('192.168.234.98'), mac: B.mac }
const ROUTE: Entry = { kind: 'route', overlay: ip('192.168.234.7') }
const MEMBER: Entry = { kind: 'route', overlay: ip('192.168.234.98') }
const ALL = [FLOOD, FDB, NEIGHBOUR]

function reading(origin: 'made' | 'adopted', entries: readonly Entry[], marked: readonly Entry[] = []): Reading {
  const { id, underlay: local, port, mac, mtu, overlay: addresses } = A
  const device = { name: DEVICE, id, local, port, mac, mtu, addresses, up: true, master: undefined, origin }
  return { device, entries: table(entries), marked: new Set(marked.map(slot)) }
}

const DEVICE = 'provider0' as Reading['device']['name']

describe('ours are', () => {
  test.each<[string, Reading, readonly Entry[], readonly Entry[]]>([
    ['all entries of a device that we made', reading('made', ALL), [], ALL],
    ['but for the routes of others', reading('made', [ROUTE, MEMBER], [MEMBER]), [], [MEMBER]],
    ['none on one that somebody else made, when nothing tells them', reading('adopted', ALL), [], []],
    ['those written down there', reading('adopted', ALL), [FLOOD, FDB], [FLOOD, FDB]],
    ['those that carry our mark there', reading('adopted', ALL, [NEIGHBOUR]), [], [NEIGHBOUR]],
  ])('%s', (_name, read, written, ours) => {
    expect([...ownEntries(read, new Set(written.map(slot)))]).toEqual(ours.map(slot))
  })

  test('those written down, wherever they lead by now', () => {
    const moved = reading('adopted', [{ ...FDB, underlay: ip('10.9.9.9') }])
    expect(ownEntries(moved, new Set([slot(FDB)]))).toContain(slot(FDB))
  })
})

test('what is written is to be written down, but for neighbours, which carry a mark, and for what goes', () => {
  const operations = ALL.flatMap((entry) => [{ kind: 'add', entry } as const, { kind: 'replace', entry, was: entry } as const])
  expect(unmarked([...operations, { kind: 'remove', entry: FLOOD }])).toEqual([FLOOD, FLOOD, FDB, FDB])
})

describe('when the state was lost', () => {
  const found = orphans(reading('adopted', ALL, [NEIGHBOUR]), false)

  test.each<[string, Reading, boolean]>([
    ['a device that we made', reading('made', ALL, [NEIGHBOUR]), false],
    ['a device of which there are notes', reading('adopted', ALL, [NEIGHBOUR]), true],
    ['a device where no daemon of ours has been', reading('adopted', ALL), false],
  ])('%s has no orphans', (_name, read, noted) => {
    expect(orphans(read, noted)).toEqual(new Map())
  })

  test('what is found and wanted is ours again', () => {
    expect(reclaimed(found, reading('adopted', ALL), table(ALL))).toEqual([FLOOD, FDB])
  })

  test.each<[string, readonly Entry[], readonly Entry[]]>([
    ['is wanted but was not found', ALL, [{ kind: 'flood', underlay: ip('10.0.0.99') }]],
    ['was found but is not wanted', ALL, []],
    ['was found and has gone since', [], ALL],
    ['was found and leads elsewhere than wanted', ALL, [{ ...FDB, underlay: ip('10.9.9.9') }]],
  ])('what %s is not', (_name, there, wanted) => {
    expect(reclaimed(found, reading('adopted', there), table(wanted))).toEqual([])
  })
})
