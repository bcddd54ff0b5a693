import { instant, parseIp, sure, type IpAddress } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { makeDoor } from './door.ts'

const ip = (text: string): IpAddress => sure(parseIp(text))

test('from one address few come in at once, and others as they go', () => {
  const door = makeDoor()
  const inside = Array.from({ length: 8 }, () => door.enter(ip('10.0.0.1'), instant(0)))
  expect(inside.every((leave) => leave !== undefined)).toBe(true)
  expect(door.enter(ip('10.0.0.1'), instant(60_000))).toBeUndefined()
  inside[0]?.()
  inside[0]?.()
  expect(door.enter(ip('10.0.0.1'), instant(60_000))).toBeDefined()
  expect(door.enter(ip('10.0.0.1'), instant(60_000))).toBeUndefined()
})

test('whoever is gone at once comes back at a slow pace, and takes it from nobody else', () => {
  const door = makeDoor()
  const come = (address: string, at: number): boolean => {
    const leave = door.enter(ip(address), instant(at))
    leave?.()
    return leave !== undefined
  }
  const knocks = Array.from({ length: 10_000 }, (_, at) => come('10.0.0.1', at))
  expect(knocks.filter(Boolean)).toHaveLength(8 + 39)
  expect(come('10.0.0.2', 10_000)).toBe(true)
})

test.each([
  ['2001:db8::1', '2001:db8:0:0:ffff::9', true],
  ['2001:db8:1::1', '2001:db8:1:0:1:2:3:4', true],
  ['2001:db8::1', '2001:db8:0:1::1', false],
  ['::1:0:0:0:1', '::2:0:0:0:1', false],
])('%s and %s are at one place: %s', (one, other, same) => {
  const door = makeDoor()
  for (let count = 0; count < 8; count++) door.enter(ip(one), instant(0))
  expect(door.enter(ip(other), instant(0)) === undefined).toBe(same)
})

test('to ask whether it is open takes nothing, and tells what would come of entering', () => {
  const door = makeDoor()
  for (let count = 0; count < 100; count++) expect(door.isOpen(ip('10.0.0.1'), instant(0))).toBe(true)
  for (let count = 0; count < 8; count++) expect(door.enter(ip('10.0.0.1'), instant(0))).toBeDefined()
  expect(door.isOpen(ip('10.0.0.1'), instant(60_000))).toBe(false)
  expect(door.isOpen(ip('10.0.0.2'), instant(60_000))).toBe(true)
})
