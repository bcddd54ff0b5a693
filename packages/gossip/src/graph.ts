/**
 * Who is linked to whom, as a pure function of the members: everybody computes the same graph and nobody negotiates it.
 * Up to 32 members everybody links to everybody. Above, each links to its successor and predecessor on five rings, the
 * order on each being that of a hash: about ten links, an expander, connected as long as any one ring is.
 * (Sparse graphs disseminate faster than a full mesh from about 64 members on, since nobody sends N - 1 copies in a row.)
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { PeerId } from '@vxmesh/core'

const FULL_MESH_MOST = 32

/** Up to here everybody observes everybody; above, a member's ring neighbours do. */
const OBSERVED_BY_ALL_MOST = 11

const RINGS = 5

/** The members that `of` keeps a link to. */
export function linksOf(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return members.length <= FULL_MESH_MOST ? others(of, members) : ringNeighbours(of, members)
}

/** The members that observe `of`, which are the same that `of` observes: they exchange heartbeats and may accuse. */
export function observersOf(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return members.length <= OBSERVED_BY_ALL_MOST ? others(of, members) : ringNeighbours(of, members)
}

function others(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return new Set(members.filter((member) => member !== of))
}

function ringNeighbours(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  const neighbours = Array.from({ length: RINGS }, (_, ring) => {
    const own = position(ring, of)
    const placed = members.filter((member) => member !== of).map((member) => ({ member, place: position(ring, member) }))
    // The ring closes on itself: whoever has nobody ahead is followed by the first of all, and likewise behind.
    const ahead = placed.filter(({ place }) => place > own)
    const behind = placed.filter(({ place }) => place < own)
    return [first(ahead.length > 0 ? ahead : placed), last(behind.length > 0 ? behind : placed)]
  })
  return new Set(neighbours.flat().flatMap((neighbour) => (neighbour === undefined ? [] : [neighbour])))
}

type Placed = { readonly member: PeerId; readonly place: string }

function first(placed: readonly Placed[]): PeerId | undefined {
  return placed.reduce<Placed | undefined>((least, each) => (least === undefined || each.place < least.place ? each : least), undefined)
    ?.member
}

function last(placed: readonly Placed[]): PeerId | undefined {
  return placed.reduce<Placed | undefined>((most, each) => (most === undefined || each.place > most.place ? each : most), undefined)?.member
}

/** Positions never change; the memo is only bounded so that a stream of strangers cannot fill it. */
const positions = new Map<string, string>()
const POSITIONS_MOST = 100_000

function position(ring: number, member: PeerId): string {
  const key = `${String(ring)} ${member}`
  const known = positions.get(key)
  if (known !== undefined) return known
  if (positions.size >= POSITIONS_MOST) positions.clear()
  const made = bytesToHex(sha256(utf8ToBytes(key)))
  positions.set(key, made)
  return made
}
