import {
  EMPTY_VIEW,
  FIRST_KEY,
  incarnationAbove,
  NO_EVICTIONS,
  parseIncarnation,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  sure,
  UNBOUND,
  withAccusation,
  withEviction,
  withRecord,
  type Knowledge,
} from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { bucketOf, difference, differingBuckets, bucketsOf, EMPTY_ROOT, rootAfter, rootOf, sameDigest, summarise } from './digest.ts'
import { openEviction, sealEviction } from './certificate.ts'
import { envelopeVerifier, makeIdentity } from './libp2p/signer.ts'
import { sealAccusation, sealRecord } from './message.ts'

const [meshKey, a, b, c] = await Promise.all(Array.from({ length: 4 }, makeIdentity))
const mesh = sure(parseMeshId(meshKey!.peer))
const one = sure(parseIncarnation(1))
const two = incarnationAbove(one)
const content = { bootId: '1', leaving: false, enforces: '', name: sure(parseMemberName('x')), control: [], tunnels: [] }
const record = (of: typeof a, incarnation: typeof one, leaving = false) =>
  sealRecord(
    mesh,
    of!,
    {
      chain: new Uint8Array(0),
      peer: of!.peer,
      invite: meshKey!.peer,
      issuer: { key: mesh, generation: 0 },
      certified: UNBOUND,
      bounds: UNBOUND,
    },
    { ...content, incarnation, leaving },
  )

const a1 = record(a, one)
const b1 = record(b, one)
const b2 = record(b, two)
const accused = (by: typeof a) => sealAccusation(mesh, by!, b!.peer, one, 'silent')
const view = (...records: readonly (typeof a1)[]): Knowledge => ({
  view: records.reduce(withRecord, EMPTY_VIEW),
  evictions: NO_EVICTIONS,
  lineage: FIRST_KEY,
})
const both = view(a1, b1)
const nobody = view()
const accusing = (known: Knowledge, by: typeof a): Knowledge => ({ ...known, view: withAccusation(known.view, accused(by)) })
const evicted = (known: Knowledge, of: typeof a): Knowledge =>
  withEviction(known, sure(openEviction({ mesh, verifier: envelopeVerifier }, sealEviction(meshKey!, of!.peer))))

/** What a member with `ours` offers and wants when shown the summary of `theirs`. */
function compared(ours: Knowledge, theirs: Knowledge): string {
  const { offers, wants } = difference(ours, summarise(theirs))
  const names = new Map([a, b, c].map((each, index) => [each!.peer, 'abc'.charAt(index)]))
  const show = (peers: typeof offers) =>
    Array.from('abc')
      .filter((name) => peers.some((peer) => names.get(peer) === name))
      .join('')
  return `offers ${show(offers) || 'nothing'}, wants ${show(wants) || 'nothing'}`
}

test.each<[string, Knowledge, Knowledge, string]>([
  ['equal views', both, view(b1, a1), 'offers nothing, wants nothing'],
  ['a view that lacks a member', both, view(a1), 'offers b, wants nothing'],
  ['a view that has one more', view(a1), both, 'offers nothing, wants b'],
  ['a view with an older record', view(a1, b2), both, 'offers b, wants nothing'],
  ['a view with a newer record', both, view(a1, b2), 'offers nothing, wants b'],
  ['an empty view', both, nobody, 'offers ab, wants nothing'],
  ['a view with another accusation', accusing(both, a), accusing(both, c), 'offers b, wants b'],
  ['a view in which one is evicted', both, evicted(both, b), 'offers nothing, wants b'],
  ['a view in which one is not evicted yet', evicted(both, b), both, 'offers b, wants nothing'],
  ['a view that knows another record of an evicted one', evicted(both, b), evicted(view(a1, b2), b), 'offers nothing, wants nothing'],
  ['a view that knows no record of an evicted one', evicted(both, b), evicted(view(a1), b), 'offers nothing, wants nothing'],
  ['a view with the accusation of an evicted one', evicted(accusing(both, a), a), evicted(both, a), 'offers nothing, wants nothing'],
  ['a view in which another is evicted', evicted(both, a), evicted(both, b), 'offers a, wants b'],
  ['a view with another record of the same incarnation', both, view(a1, record(b, one, true)), 'offers b, wants b'],
])('beside %s', (_name, ours, theirs, expected) => {
  expect(compared(ours, theirs)).toBe(expected)
  expect(sameDigest(rootOf(ours), rootOf(theirs))).toBe(expected === 'offers nothing, wants nothing')
})

test('a root does not depend on the order of what was heard', () => {
  const first = accusing(accusing(both, a), c)
  const second = accusing(accusing(view(b1, a1), c), a)
  expect(rootOf(first)).toEqual(rootOf(second))
  expect(rootOf(first)).not.toEqual(rootOf(both))
  expect(rootOf(nobody)).toEqual(new Uint8Array(16))
})

test('a root that follows each change is the one that is made at once', () => {
  const views = [nobody, view(a1), both, accusing(both, a), view(a1, b2), view(b2)]
  let root = EMPTY_ROOT
  for (const [index, next] of views.entries()) {
    const before = views[index - 1] ?? nobody
    for (const { peer } of [a!, b!]) root = rootAfter(root, before.view.get(peer), next.view.get(peer))
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
