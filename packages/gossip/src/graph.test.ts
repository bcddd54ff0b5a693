import { createHash } from 'node:crypto'
import { parsePeerId, type PeerId } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { FULL_MESH_MOST, linksOf, neighbours, observersOf, places, ringsOf, ringsWith } from './graph.ts'

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

function members(count: number): readonly PeerId[] {
  return Array.from({ length: count }, (_, index) => {
    const digest = createHash('sha512').update(String(index)).digest()
    const peer = parsePeerId(`12D3KooW${[...digest.subarray(0, 44)].map((byte) => ALPHABET[byte % 58]).join('')}`)
    if (!peer.ok) throw new Error(peer.reason)
    return peer.value
  })
}

type Choose = (of: PeerId, among: readonly PeerId[]) => ReadonlySet<PeerId>

function graphOf(choose: Choose, mesh: readonly PeerId[]): ReadonlyMap<PeerId, ReadonlySet<PeerId>> {
  return new Map(mesh.map((member) => [member, choose(member, mesh)]))
}

/** The same links, found at once for all of a large mesh: who is before and after each on rings in order. */
function ringed(mesh: readonly PeerId[]): ReadonlyMap<PeerId, ReadonlySet<PeerId>> {
  const graph = new Map(mesh.map((member) => [member, new Set<PeerId>()]))
  for (const ring of places(mesh[0]!).keys()) {
    const order = mesh.toSorted((a, b) => places(a)[ring]! - places(b)[ring]!)
    for (const [index, member] of order.entries()) for (const by of [1, -1]) graph.get(member)!.add(order.at((index + by) % order.length)!)
  }
  return graph
}

/** How many hops it takes from one member to the farthest, or undefined when one is out of reach. */
function reach(graph: ReadonlyMap<PeerId, ReadonlySet<PeerId>>, from: PeerId): number | undefined {
  const reached = new Set([from])
  for (let hops = 0, edge: readonly PeerId[] = [from]; edge.length > 0; hops++) {
    if (reached.size === graph.size) return hops
    edge = edge.flatMap((member) => [...(graph.get(member) ?? [])].filter((next) => !reached.has(next) && reached.add(next)))
  }
  return undefined
}

describe.each([
  [1, 0, 0, 0],
  [2, 1, 1, 1],
  [11, 10, 10, 1],
  [12, 11, 11, 1],
  [32, 31, 31, 1],
  [33, 5, 10, 3],
  [100, 5, 10, 4],
  [1000, 5, 10, 6],
  [10_000, 5, 10, 8],
])('links among %i members', (count, least, most, hops) => {
  const mesh = members(count)
  const graph = count <= FULL_MESH_MOST ? graphOf(linksOf, mesh) : ringed(mesh)

  test('are what each finds by itself', () => {
    const every = Math.ceil(count / 100)
    for (const member of mesh.filter((_, index) => index % every === 0)) expect(linksOf(member, mesh)).toEqual(graph.get(member))
  })

  test(`are ${String(least)} to ${String(most)} for each, never to oneself`, () => {
    for (const [member, links] of graph) {
      expect(links.size).toBeGreaterThanOrEqual(least)
      expect(links.size).toBeLessThanOrEqual(most)
      expect(links.has(member)).toBe(false)
    }
  })

  test('go both ways', () => {
    for (const [member, links] of graph) for (const other of links) expect(graph.get(other)?.has(member)).toBe(true)
  })

  test(`reach everybody within ${String(hops)} hops`, () => {
    expect(reach(graph, mesh[0]!)).toBeLessThanOrEqual(hops)
  })

  test('are the same whatever the order in which members are known', () => {
    expect(linksOf(mesh[0]!, mesh.toReversed())).toEqual(graph.get(mesh[0]!))
  })
})

test('a graph that follows as members come is the one that is made at once', () => {
  const [self, ...others] = members(200)
  let rings = ringsOf(self!, [])
  for (const [index, member] of others.entries()) {
    rings = ringsWith(rings, member)
    expect(neighbours(rings)).toEqual(neighbours(ringsOf(self!, others.slice(0, index + 1).toReversed())))
  }
})

test('a large mesh stays connected without any tenth of its members', () => {
  const mesh = members(1000)
  const whole = graphOf(linksOf, mesh)
  for (let gone = 0; gone < 10; gone++) {
    const rest = new Set(mesh.filter((_, index) => index % 10 !== gone))
    const graph = new Map([...rest].map((member) => [member, new Set([...(whole.get(member) ?? [])].filter((other) => rest.has(other)))]))
    expect(reach(graph, mesh[gone === 0 ? 1 : 0]!)).toBeDefined()
  }
})

test('up to eleven everybody observes everybody; above, those observe a member that are linked to it', () => {
  const eleven = members(11)
  expect(observersOf(eleven[0]!, eleven).size).toBe(10)
  const many = members(100)
  for (const member of many) expect(observersOf(member, many)).toEqual(linksOf(member, many))
  const twelve = members(12)
  for (const [member, observers] of graphOf(observersOf, twelve)) {
    expect(observers.size).toBeGreaterThanOrEqual(3)
    for (const observer of observers) expect(observersOf(observer, twelve).has(member)).toBe(true)
  }
})
