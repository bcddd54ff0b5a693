import { EMPTY_VIEW, FIRST_KEY, instant, judge, NO_EVICTIONS, NOBODY_JUDGED, parseIncarnation, sure } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { a, b, recordOf, start, Stepped } from './libp2p/stepped.ts'
import { makeIdentity } from './libp2p/signer.ts'
import { rootOf } from './digest.ts'
import { tombstonesMost } from './tombstones.ts'

test('of those who left, only so many are remembered, and the oldest are forgotten first', async () => {
  const most = tombstonesMost(2)
  const gone = await Promise.all(Array.from({ length: most + 20 }, makeIdentity))
  const number = (index: number) => sure(parseIncarnation(start + 1 + index))
  const member = new Stepped(a).meet(1, b)
  for (let from = 0; from < gone.length; from += 100) {
    const records = gone.slice(from, from + 100).map((each, index) => recordOf(each, number(from + index), true).bytes)
    member.frame(1, { records })
  }
  const { view, standings, heard, seen, root, members } = member.state
  expect(view.size).toBe(most + 2)
  expect([standings.size, seen.size, members]).toEqual([view.size, view.size, 2])
  expect(gone.slice(0, 20).some(({ peer }) => view.has(peer))).toBe(false)
  expect(gone.slice(20).every(({ peer }) => view.has(peer))).toBe(true)
  expect(root).toEqual(rootOf({ view, evictions: NO_EVICTIONS, lineage: FIRST_KEY }))
  const anew = judge(NOBODY_JUDGED, { view, before: EMPTY_VIEW, changed: view.keySeq(), heard, now: instant(member.now) })
  expect(Object.fromEntries(standings)).toEqual(Object.fromEntries(anew.judgement.standings))
})
