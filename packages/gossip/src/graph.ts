/**
 * Who is linked to whom, as a pure function of the members: everybody computes the same graph and nobody negotiates it.
 * Up to 32 members everybody links to everybody. Above, each links to its successor and predecessor on five rings, the
 * order on each being that of a hash: about ten links, an expander, connected as long as any one ring is.
 * (Sparse graphs disseminate faster than a full mesh from about 64 members on, since nobody sends N - 1 copies in a row.)
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { PeerId } from '@vxmesh/core'

export const FULL_MESH_MOST = 32

/** Up to here everybody observes everybody; above, a member's ring neighbours do. */
export const OBSERVED_BY_ALL_MOST = 11

const RINGS = 5

type Place = { readonly peer: PeerId; readonly place: number }

/** A member's place on one ring and its neighbours there; undefined while it is alone. */
type Ring = { readonly own: Place; readonly next: Place | undefined; readonly previous: Place | undefined }

/** What one member sees of every ring. */
export type Rings = readonly Ring[]

/** The members that `of` keeps a link to. */
export function linksOf(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return members.length <= FULL_MESH_MOST ? others(of, members) : neighbours(ringsOf(of, members))
}

/** The members that observe `of`, which are the same that `of` observes: they exchange heartbeats and may accuse. */
export function observersOf(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return members.length <= OBSERVED_BY_ALL_MOST ? others(of, members) : neighbours(ringsOf(of, members))
}

function others(of: PeerId, members: readonly PeerId[]): ReadonlySet<PeerId> {
  return new Set(members.filter((member) => member !== of))
}

export function neighbours(rings: Rings): ReadonlySet<PeerId> {
  return new Set(rings.flatMap(({ next, previous }) => (next === undefined || previous === undefined ? [] : [next.peer, previous.peer])))
}

export function ringsOf(of: PeerId, members: Iterable<PeerId>): Rings {
  let rings: Rings = places(of).map((place) => ({ own: { peer: of, place }, next: undefined, previous: undefined }))
  for (const member of members) rings = ringsWith(rings, member)
  return rings
}

/** The rings with one more member; the same object where it is nobody's neighbour. */
export function ringsWith(rings: Rings, member: PeerId): Rings {
  const on = places(member)
  let changed: Ring[] | undefined
  for (const [index, { own, next, previous }] of rings.entries()) {
    if (own.peer === member) return rings
    const place: Place = { peer: member, place: on[index]! }
    const follows = next === undefined || isBetween(own, place, next)
    const leads = previous === undefined || isBetween(previous, place, own)
    if (!follows && !leads) continue
    changed ??= [...rings]
    changed[index] = { own, next: follows ? place : next, previous: leads ? place : previous }
  }
  return changed ?? rings
}

/** Whether, going round a ring from one place, another comes before a third. */
function isBetween(from: Place, place: Place, to: Place): boolean {
  return precedes(from, to) ? precedes(from, place) && precedes(place, to) : precedes(from, place) || precedes(place, to)
}

function precedes(a: Place, b: Place): boolean {
  return a.place === b.place ? a.peer < b.peer : a.place < b.place
}

/** Places never change; the memo is only bounded so that a stream of strangers cannot fill it. */
const known = new Map<PeerId, readonly number[]>()
const KNOWN_MOST = 40_000

/** A member's place on each ring: 48 bits of the hash of its id. */
export function places(member: PeerId): readonly number[] {
  const made = known.get(member)
  if (made !== undefined) return made
  if (known.size >= KNOWN_MOST) known.clear()
  const bytes = new DataView(sha256(utf8ToBytes(member)).buffer)
  const found = Array.from({ length: RINGS }, (_, ring) => bytes.getUint32(6 * ring) * 2 ** 16 + bytes.getUint16(6 * ring + 4))
  known.set(member, found)
  return found
}
