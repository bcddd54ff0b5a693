import { describe, expect, test } from 'vitest'
import type { Verdict } from './desired.ts'
import { leastMtu, limitOf, memberMtus, parseMtu, refit, type Fit, type Mtu } from './mtu.ts'
import { claim, peer, signed, viewOf } from './samples.ts'
import { parseInterfaceAddress, sure, type PeerId } from './values.ts'

test.each([
  ['mesh', 'mesh'],
  ['1400', 1400],
  ['68', 68],
  ['65535', 65_535],
  ['67', 'refused'],
  ['65536', 'refused'],
  ['1e3', 'refused'],
  ['', 'refused'],
  ['MESH', 'refused'],
])('an MTU of "%s" is %s', (text, value) => {
  const mtu = parseMtu(text)
  expect(mtu.ok ? mtu.value : 'refused').toBe(value)
})

const [V4, V6] = [sure(parseInterfaceAddress('192.168.234.1/23')), sure(parseInterfaceAddress('fd00::1/64'))]

test('IPv6 needs 1280 bytes', () => {
  expect([leastMtu([]), leastMtu([V4]), leastMtu([V4, V6])]).toEqual([68, 68, 1280])
})

test.each<[string, Mtu, number, number | undefined, number]>([
  ['as its underlay has room for takes that', undefined, 1450, 1450, 1450],
  ['smaller by hand takes no more', undefined, 1300, 1450, 1300],
  ['larger than there is room for takes what there is', undefined, 1500, 1450, 1450],
  ['of as many bytes as were asked for takes no more', 1300, 1300, 1450, 1300],
  ['that follows the mesh could take what there is room for', 'mesh', 1380, 1450, 1450],
  ['that follows the mesh, whose room is not known, what it has', 'mesh', 1380, undefined, 1380],
  ['of which nothing else is known takes what it has', undefined, 1500, undefined, 1500],
])('a device %s', (_name, asked, mtu, room, limit) => {
  expect(limitOf(asked, mtu, room)).toBe(limit)
})

describe('a device', () => {
  const alone: Fit = { mtu: 1450, room: 1450, smallest: undefined, addresses: [V4] }
  test.each<[string, Mtu, Partial<Fit>, boolean, number | undefined]>([
    ['that was asked for nothing stays', undefined, { smallest: 1300 }, true, undefined],
    ['that was asked for bytes gets them', 1300, {}, true, 1300],
    ['whoever is heard', 1450, { mtu: 1300 }, false, 1450],
    ['and stays with them', 1300, { mtu: 1300, smallest: 1200 }, true, undefined],
    ['alone in the mesh has what its underlay has room for', 'mesh', { mtu: 1500 }, true, 1450],
    ['shrinks to the smallest', 'mesh', { smallest: 1380 }, true, 1380],
    ['shrinks though nobody is heard', 'mesh', { smallest: 1380 }, false, 1380],
    ['that has shrunk stays', 'mesh', { mtu: 1380, smallest: 1380 }, true, undefined],
    ['grows when the smallest has', 'mesh', { mtu: 1380, smallest: 1400 }, true, 1400],
    ['grows no more than there is room for', 'mesh', { mtu: 1380, smallest: 8950 }, true, 1450],
    ['does not grow while others may be there unheard', 'mesh', { mtu: 1380 }, false, undefined],
    ['whose room is not known does not grow', 'mesh', { mtu: 1380, room: undefined }, true, undefined],
    ['with IPv6 shrinks to what IPv6 needs', 'mesh', { smallest: 1200, addresses: [V6] }, true, 1280],
  ])('%s', (_name, asked, parts, mayGrow, mtu) => {
    expect(refit(asked, { ...alone, ...parts }, mayGrow)).toBe(mtu)
  })
})

test('members are told of smallest first, and only those that packets are sent to', () => {
  const limits = { b: 1450, c: 1380, d: 1300 }
  const view = viewOf(Object.entries(limits).map(([of, mtuLimit]) => signed(of, 1, { tunnels: [claim(of, { mtuLimit })] })))
  const wanted: Verdict = { kind: 'wanted', entries: [] }
  const verdicts = new Map<PeerId, Verdict>([
    [peer('b'), wanted],
    [peer('c'), wanted],
    [peer('d'), { kind: 'unwanted', why: 'gone' }],
    [peer('e'), wanted],
  ])
  expect(memberMtus(view, verdicts, claim('a')).map(({ limit, mtu }) => [limit, mtu])).toEqual([
    [1380, 1450],
    [1450, 1450],
  ])
})
