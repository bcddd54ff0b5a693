import { instant, parseIncarnation, sure } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { ALLOWANCE, leftOf } from './allowance.ts'
import { a, b, c, d, mesh, recordOf, start, Stepped } from './libp2p/stepped.ts'
import { sealAccusation, type Frame } from './message.ts'

/** A member that is linked to two others. */
const linked = (): Stepped => new Stepped(a).meet(1, b).meet(2, c)
const left = (member: Stepped, peer = b.peer): number => leftOf(member.state, peer, instant(member.now))
const later = (by: number) => sure(parseIncarnation(start + by))

/** Says as many frames in as many milliseconds. Returns after how many it was cut off. */
function say(member: Stepped, count: number, frame: (index: number) => Frame): number | undefined {
  for (let index = 0; index < count; index++) {
    member.frame(1, frame(index))
    if (!member.state.links.has(1)) return index + 1
  }
  return undefined
}

describe('a thousand times a second', () => {
  test.each<[string, (index: number) => Frame]>([
    ['nothing', () => ({})],
    ['the root of a view', () => ({ root: new Uint8Array(16) })],
    ['its own record, as it is known', () => ({ records: [recordOf(b).bytes] })],
    ['its own record, each time a later one', (index) => ({ records: [recordOf(b, later(index)).bytes] })],
    ['an old record of somebody else', () => ({ records: [recordOf(c, sure(parseIncarnation(start - 1))).bytes] })],
    ['wishes', () => ({ wants: [a.peer, c.peer] })],
    ['questions', (nonce) => ({ questions: [{ nonce, subject: c.peer }] })],
    ['answers to what nobody asked', (nonce) => ({ answers: [{ nonce, age: 1 }] })],
    ['accusations of whoever refutes them', (index) => ({ accusations: [sealAccusation(mesh, b, c.peer, later(index), 'silent').bytes] })],
  ])('%s: it is cut off before two seconds are over', (_what, frame) => {
    const member = linked()
    const cut = say(member, 2000, frame)
    expect(cut).toBeLessThan(1500)
    expect(member.state.shunned.has(b.peer)).toBe(true)
    expect(member.state.links.has(2)).toBe(true)
    expect(left(member, c.peer)).toBeGreaterThan(ALLOWANCE / 2)
  })
})

test('whoever comes back at once has no more left than before, and is cut off sooner', () => {
  const member = linked()
  say(member, 900, () => ({}))
  member.take({ kind: 'unlinked', link: 1 }).meet(1, b)
  expect(say(member, 2000, () => ({}))).toBeLessThan(400)
})

test('an allowance is full again after some seconds, and is forgotten then', () => {
  const member = linked()
  say(member, 900, () => ({}))
  expect(left(member)).toBeLessThan(ALLOWANCE / 3)
  expect(member.state.allowances.has(b.peer)).toBe(true)
  member.take({ kind: 'tick' }, 12_000).take({ kind: 'tick' }, 300)
  expect(left(member)).toBe(ALLOWANCE)
  member.take({ kind: 'unlinked', link: 1 }).take({ kind: 'tick' }, 300)
  expect(member.state.allowances.has(b.peer)).toBe(false)
})

test('copies of what is new to us cost nobody anything, whoever brought it', () => {
  const member = linked()
  const news = Array.from({ length: 1200 }, (_, index) => recordOf(d, later(index)).bytes)
  for (const bytes of news) member.frame(2, { records: [bytes] })
  for (const bytes of news) member.frame(1, { records: [bytes] })
  expect([...member.state.links.keys()]).toEqual([1, 2])
  expect(left(member)).toBeGreaterThan(ALLOWANCE / 2)
})

test('what news added is not kept for long', () => {
  const member = linked()
  for (let index = 0; index < 1000; index++) member.frame(2, { records: [recordOf(d, later(index)).bytes] })
  expect(left(member)).toBeGreaterThan(2 * ALLOWANCE)
  member.take({ kind: 'tick' }, 300).take({ kind: 'tick' }, 10_000)
  expect(left(member)).toBeLessThan(1.1 * ALLOWANCE)
})

test('of one frame with more than may be verified in vain only so much is', () => {
  const member = linked()
  const old = Array.from({ length: 1000 }, (_, index) => sealAccusation(mesh, b, c.peer, later(1000 + index), 'silent').bytes)
  member.frame(1, { accusations: old })
  expect(member.state.shunned.has(b.peer)).toBe(true)
  expect(left(member)).toBeGreaterThan(-64)
})
