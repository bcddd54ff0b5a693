import {
  EMPTY_VIEW,
  incarnationAbove,
  parseIncarnation,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  withAccusation,
  withRecord,
  type Result,
  type View,
} from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { bucketOf, difference, differingBuckets, bucketsOf, EMPTY_ROOT, rootAfter, rootOf, sameDigest, summarise } from './digest.ts'
import { makeIdentity } from './libp2p/signer.ts'
import { sealAccusation, sealRecord } from './message.ts'

function sure<Value>(result: Result<Value>): Value {
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

const [meshKey, a, b, c] = await Promise.all(Array.from({ length: 4 }, makeIdentity))
const mesh = sure(parseMeshId(meshKey!.peer))
const one = sure(parseIncarnation(1))
const two = incarnationAbove(one)
const content = { bootId: '1', leaving: false, name: sure(parseMemberName('x')), control: [], tunnels: [] }
const record = (of: typeof a, incarnation: typeof one, leaving = false) =>
  sealRecord(mesh, of!, new Uint8Array(0), { ...content, incarnation, leaving })

const a1 = record(a, one)
const b1 = record(b, one)
const b2 = record(b, two)
const accused = (by: typeof a) => sealAccusation(mesh, by!, b!.peer, one, 'silent')
const view = (...records: readonly (typeof a1)[]): View => records.reduce(withRecord, EMPTY_VIEW)
const both = view(a1, b1)

/** What a member with `ours` offers and wants when shown the summary of `theirs`. */
function compared(ours: View, theirs: View): string {
  const { offers, wants } = difference(ours, summarise(theirs))
  const names = new Map([a, b, c].map((each, index) => [each!.peer, 'abc'.charAt(index)]))
  const show = (peers: typeof offers) =>
    Array.from('abc')
      .filter((name) => peers.some((peer) => names.get(peer) === name))
      .join('')
  return `offers ${show(offers) || 'nothing'}, wants ${show(wants) || 'nothing'}`
}

test.each<[string, View, View, string]>([
  ['equal views', both, view(b1, a1), 'offers nothing, wants nothing'],
  ['a view that lacks a member', both, view(a1), 'offers b, wants nothing'],
  ['a view that has one more', view(a1), both, 'offers nothing, wants b'],
  ['a view with an older record', view(a1, b2), both, 'offers b, wants nothing'],
  ['a view with a newer record', both, view(a1, b2), 'offers nothing, wants b'],
  ['an empty view', both, EMPTY_VIEW, 'offers ab, wants nothing'],
  ['a view with another accusation', withAccusation(both, accused(a)), withAccusation(both, accused(c)), 'offers b, wants b'],
  ['a view with another record of the same incarnation', both, view(a1, record(b, one, true)), 'offers b, wants b'],
])('beside %s', (_name, ours, theirs, expected) => {
  expect(compared(ours, theirs)).toBe(expected)
  expect(sameDigest(rootOf(ours), rootOf(theirs))).toBe(expected === 'offers nothing, wants nothing')
})

test('a root does not depend on the order of what was heard', () => {
  const first = withAccusation(withAccusation(both, accused(a)), accused(c))
  const second = withAccusation(withAccusation(view(b1, a1), accused(c)), accused(a))
  expect(rootOf(first)).toEqual(rootOf(second))
  expect(rootOf(first)).not.toEqual(rootOf(both))
  expect(rootOf(EMPTY_VIEW)).toEqual(new Uint8Array(16))
})

test('a root that follows each change is the one that is made at once', () => {
  const views = [EMPTY_VIEW, view(a1), both, withAccusation(both, accused(a)), view(a1, b2), view(b2)]
  let root = EMPTY_ROOT
  for (const [index, next] of views.entries()) {
    const before = views[index - 1] ?? EMPTY_VIEW
    for (const { peer } of [a!, b!]) root = rootAfter(root, before.get(peer), next.get(peer))
    expect(root).toEqual(rootOf(next))
  }
})

describe('buckets', () => {
  const others = view(a1, b2)

  test('differ where a member does, and nowhere else', () => {
    expect(differingBuckets(both, bucketsOf(others))).toEqual(new Set([bucketOf(b!.peer)]))
    expect(differingBuckets(both, bucketsOf(view(b1, a1))).size).toBe(0)
  })

  test('whose summaries are shown lead to what differs in them, and to nothing else', () => {
    const covered = new Set([bucketOf(b!.peer)])
    expect(summarise(both, covered).map(({ peer }) => peer)).toEqual([b!.peer])
    expect(difference(both, summarise(others, covered), covered)).toEqual({ offers: [], wants: [b!.peer] })
    expect(difference(both, [], covered)).toEqual({ offers: [b!.peer], wants: [] })
  })

  test('are evenly filled', () => {
    const counts = new Map<number, number>()
    for (let index = 0; index < 10_000; index++) {
      const bucket = bucketOf(sure(parsePeerId(`12D3KooW${String(index).padStart(44, 'A').replaceAll('0', 'z')}`)))
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
    }
    expect(counts.size).toBe(256)
    expect(Math.max(...counts.values())).toBeLessThan(100)
  })
})
