import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { instant, type Instant, type IpAddress, type PeerId, type Port } from '@vxmesh/core'
import { A_SOURCE_MOST, Candidates, CANDIDATES_MOST, placeOf, type Sighting } from './candidates.ts'

const START = instant(1000)
const anybody = (): boolean => true

function sighting(host: number, port: number, source = host): Sighting {
  const at = { address: `10.0.${String(host >> 8)}.${String(host & 255)}` as IpAddress, port: port as Port }
  return {
    source: `10.0.${String(source >> 8)}.${String(source & 255)}` as IpAddress,
    peer: `P${String(host)}.${String(port)}` as PeerId,
    at,
  }
}

/** Candidates of which these were heard at the start. */
function having(...seen: readonly Sighting[]): Candidates {
  const candidates = new Candidates(START, () => 0.5)
  for (const each of seen) hear(candidates, each)
  return candidates
}

function hear(candidates: Candidates, seen: Sighting, now: Instant = START, linked = false): void {
  candidates.note(seen, { linked, now })
}

/** Every dial that is made from one moment to another, when nothing is heard meanwhile, and every dial fails. */
function dialsIn(candidates: Candidates, from: number, until: number): readonly { at: number; place: string }[] {
  const made: { at: number; place: string }[] = []
  for (let now = from; now <= until;) {
    const { dial, wake } = candidates.choose(anybody, instant(now))
    made.push(...(dial === undefined ? [] : [{ at: now, place: dial }]))
    now = dial === undefined ? Math.max(wake, now + 1) : now
  }
  return made
}

describe('a place', () => {
  test('is a multiaddr that names the peer', () => {
    expect(placeOf(sighting(5, 4788))).toBe('/ip4/10.0.0.5/tcp/4788/p2p/P5.4788')
    expect(placeOf({ peer: 'P' as PeerId, at: { address: 'fd00::5' as IpAddress, port: 1 as Port } })).toBe('/ip6/fd00::5/tcp/1/p2p/P')
  })

  test('is dialled at once by who has no link, and by who has some after a moment', () => {
    expect(having(sighting(5, 1)).choose(anybody, START).dial).toContain('10.0.0.5')
    const patient = having()
    hear(patient, sighting(5, 1), START, true)
    expect(patient.choose(anybody, START)).toEqual({ dial: undefined, wake: START + 3000 })
  })

  test('is dialled again later and later, and forgotten when nobody speaks of it any more', () => {
    const candidates = having(sighting(5, 1))
    expect(dialsIn(candidates, START, 3_600_000).map(({ at }) => at - START)).toEqual([0, 5000, 15_000, 35_000, 75_000, 155_000, 315_000])
    expect(candidates.size).toBe(0)
  })

  test('is not dialled while nobody wants it', () => {
    expect(having(sighting(5, 1)).choose(() => false, START)).toEqual({ dial: undefined, wake: Infinity })
  })

  test('keeps its turn when it is heard again, from whomever, and is kept for that', () => {
    const candidates = having(sighting(5, 1))
    hear(candidates, sighting(5, 1, 9), instant(500_000))
    expect(candidates.choose(anybody, instant(700_000)).dial).toBe(placeOf(sighting(5, 1)))
    expect([candidates.size, candidates.greatestShare]).toEqual([1, 1])
  })
})

describe('whatever is heard', () => {
  const anything = fc.array(
    fc.record({ host: fc.nat(600), port: fc.integer({ min: 1, max: 40 }), source: fc.nat(600), wait: fc.nat(2000) }),
    { maxLength: 1200, size: 'max' },
  )

  test('the list is short, none of those who filled it has more than its share, and no minute has more than twenty dials', () => {
    fc.assert(
      fc.property(anything, fc.double({ min: 0, max: 0.99, noNaN: true }), (all, dice) => {
        const candidates = new Candidates(START, () => dice)
        const dials: number[] = []
        let now = START
        for (const { host, port, source, wait } of all) {
          now = instant(now + wait)
          hear(candidates, sighting(host, port, source), now)
          while (candidates.choose(anybody, now).dial !== undefined) dials.push(now)
          expect(candidates.size).toBeLessThanOrEqual(CANDIDATES_MOST)
          expect(candidates.greatestShare).toBeLessThanOrEqual(A_SOURCE_MOST)
        }
        expect(dials.filter((at, index) => (dials[index + 20] ?? Infinity) - at < 60_000)).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  test('a real place outlives a flood from other sources, as long as there is a slot for every source', () => {
    const candidates = having(sighting(5, 4788))
    for (let shout = 1; shout < 20_000; shout++) hear(candidates, sighting((shout % 250) + 300, shout), instant(START + shout))
    expect(candidates.size).toBe(CANDIDATES_MOST)
    expect(candidates.has(placeOf(sighting(5, 4788)))).toBe(true)
  })

  test('a source names eight places at once, and then one more in a second: what is heard costs no more than that', () => {
    const candidates = having(...Array.from({ length: 20 }, (_, port) => sighting(5, port + 1)))
    expect([8, 9].map((port) => candidates.has(placeOf(sighting(5, port))))).toEqual([true, false])
    for (const [port, at] of [
      [21, 1500],
      [22, 2000],
      [23, 2500],
    ] as const)
      hear(candidates, sighting(5, port), instant(at))
    expect([21, 22, 23].map((port) => candidates.has(placeOf(sighting(5, port))))).toEqual([false, true, false])
  })

  test('one that is silent goes before one that is heard again, when there are more sources than slots', () => {
    const candidates = having(sighting(5, 4788), sighting(6, 4788))
    for (let host = 300; host < 300 + CANDIDATES_MOST - 1; host++) {
      hear(candidates, sighting(6, 4788))
      hear(candidates, sighting(host, 1))
    }
    expect([5, 6].map((host) => candidates.has(placeOf(sighting(host, 4788))))).toEqual([false, true])
  })
})

test('of those that are due one that was tried least is dialled, by chance', () => {
  const four = [1, 2, 3, 4].map((host) => sighting(host, 1))
  expect(
    dialsIn(having(...four), START, START + 1000)
      .map(({ place }) => place)
      .toSorted(),
  ).toEqual(four.map(placeOf))
  const first = (dice: number): string | undefined => {
    const candidates = new Candidates(START, () => dice)
    for (const each of four) hear(candidates, each)
    return candidates.choose(anybody, START).dial
  }
  expect([first(0), first(0.99)]).toEqual([placeOf(four[0]!), placeOf(four[3]!)])
})
