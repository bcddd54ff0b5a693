/**
 * Where members may be, by the word of whoever is on the LAN. Nobody is let in by it: a candidate is dialled, and becomes a
 * link if its certificate admits it, as what is at a seed does. Whatever is shouted there, the list stays short, no
 * single host fills it, and dials are few.
 */
import {
  after,
  family,
  instant,
  milliseconds,
  seconds,
  type ControlAddress,
  type Instant,
  type IpAddress,
  type PeerId,
  type Random,
} from '@vxmesh/core'
import type { State } from './state.ts'
import { evictionOf, openLinks } from './turn.ts'

/** Where a member may be, as a multiaddr that names it. */
export type Place = string

/** A member, and where it listens. */
export type Announcement = { readonly peer: PeerId; readonly at: ControlAddress }

/** An announcement, and who made it. */
export type Sighting = Announcement & { readonly source: IpAddress }

/** Who speaks, of which places, and how many new ones it may name now, as of when. */
type Source = { readonly places: Map<Place, Candidate>; credit: number; since: Instant }

type Candidate = Sighting & { heard: Instant; tries: number; next: Instant }

export const CANDIDATES_MOST = 256
export const A_SOURCE_MOST = 8

/** How often a source may name one place more, after as many as it may have. */
const NEW_EVERY = seconds(1)

/** Dials at once, and how often another: together twenty in no minute more. */
const DIALS_AT_ONCE = 5
const DIAL_EVERY = seconds(4)

/** A candidate that was not heard again for this long is forgotten. */
const KEPT = seconds(600)

/** The pauses between dials to one candidate: that after the first, doubled with each up to the other. */
const PAUSE = seconds(5)
const LONGEST_PAUSE = seconds(300)

/** Who has links leaves it to a newcomer to dial, and to gossip to tell of it: this long, and at random as much again. */
const COURTESY = seconds(2)

/** What is to be dialled now, if anything, and when to ask again at the latest. */
export type Choice = { readonly dial: Place | undefined; readonly wake: Instant }

export function placeOf({ peer, at: { address, port } }: Announcement): Place {
  return `/ip${family(address) === 'ipv6' ? '6' : '4'}/${address}/tcp/${String(port)}/p2p/${peer}`
}

/** Written in place, since thousands may be heard in a second; no sighting costs more for how many there were before. */
export class Candidates {
  readonly #random: Random
  readonly #places = new Map<Place, Candidate>()
  readonly #sources = new Map<IpAddress, Source>()
  /** The sources by how many places they have, of each number the one that was silent longest first. */
  readonly #shares: readonly Set<IpAddress>[] = Array.from({ length: A_SOURCE_MOST + 1 }, () => new Set<IpAddress>())
  #credit = DIALS_AT_ONCE
  #since: Instant

  constructor(now: Instant, random: Random) {
    this.#since = now
    this.#random = random
  }

  get size(): number {
    return this.#places.size
  }

  has(place: Place): boolean {
    return this.#places.has(place)
  }

  /** How many places one source has at most. */
  get greatestShare(): number {
    return this.#shares.findLastIndex((sources) => sources.size > 0)
  }

  /** Somebody was heard of. `linked`: we have links, and are in no hurry. */
  note(sighting: Sighting, { linked, now }: { readonly linked: boolean; readonly now: Instant }): void {
    const place = placeOf(sighting)
    const known = this.#places.get(place)
    if (known !== undefined) {
      known.heard = now
      return this.#account(known.source)
    }
    const source = this.#sources.get(sighting.source) ?? { places: new Map<Place, Candidate>(), credit: A_SOURCE_MOST, since: now }
    source.credit = Math.min(A_SOURCE_MOST, source.credit + (now - source.since) / NEW_EVERY)
    source.since = now
    if (source.credit < 1) return
    source.credit -= 1
    this.#makeRoom(source)
    const next = linked ? after(now, milliseconds(COURTESY * (1 + this.#random()))) : now
    const candidate = { ...sighting, heard: now, tries: 0, next }
    this.#places.set(place, candidate)
    source.places.set(place, candidate)
    this.#sources.set(sighting.source, source)
    this.#account(sighting.source)
  }

  /** Of the candidates that are due, one that was tried least, by chance: nobody can make us try his first. */
  choose(wanted: (peer: PeerId) => boolean, now: Instant): Choice {
    for (const [place, { heard }] of this.#places) if (now - heard >= KEPT) this.#forget(place)
    this.#credit = Math.min(DIALS_AT_ONCE, this.#credit + (now - this.#since) / DIAL_EVERY)
    this.#since = now
    const open = [...this.#places].filter(([, { peer }]) => wanted(peer))
    const due = open.filter(([, { next }]) => next <= now)
    const least = Math.min(...due.map(([, { tries }]) => tries))
    const untried = due.filter(([, { tries }]) => tries === least)
    const chosen = untried[Math.floor(this.#random() * untried.length)]
    if (chosen === undefined) return { dial: undefined, wake: instant(Math.min(...open.map(([, { next }]) => next))) }
    if (this.#credit < 1) return { dial: undefined, wake: after(now, milliseconds((1 - this.#credit) * DIAL_EVERY)) }
    const [dial, candidate] = chosen
    const pause = Math.min(LONGEST_PAUSE, PAUSE * 2 ** candidate.tries) * (0.75 + this.#random() / 2)
    candidate.tries += 1
    candidate.next = after(now, milliseconds(pause))
    this.#credit -= 1
    return { dial, wake: now }
  }

  /** Of a source that has its share one goes; else, of a full list, one of the source that has most. */
  #makeRoom(source: Source): void {
    if (source.places.size === A_SOURCE_MOST) return this.#forget(leastPromising(source.places))
    if (this.#places.size < CANDIDATES_MOST) return
    const [greedy] = this.#shares[this.greatestShare] ?? []
    const theirs = greedy === undefined ? undefined : this.#sources.get(greedy)
    if (theirs !== undefined) this.#forget(leastPromising(theirs.places))
  }

  #forget(place: Place): void {
    const gone = this.#places.get(place)
    if (gone === undefined) return
    this.#places.delete(place)
    this.#sources.get(gone.source)?.places.delete(place)
    this.#account(gone.source)
  }

  /** Puts a source, just heard or changed, where it belongs among the shares. */
  #account(source: IpAddress): void {
    const share = this.#sources.get(source)?.places.size ?? 0
    for (const sources of this.#shares) sources.delete(source)
    if (share === 0) this.#sources.delete(source)
    else this.#shares[share]?.add(source)
  }
}

/** Of some, the one that was tried most, and of these the one that was not heard for longest. */
function leastPromising(places: ReadonlyMap<Place, Candidate>): Place {
  const [first, ...rest] = places
  let [worst, least] = first!
  for (const [place, each] of rest) {
    if (each.tries > least.tries || (each.tries === least.tries && each.heard < least.heard)) [worst, least] = [place, each]
  }
  return worst
}

/** Whether a link to a peer that was sighted would be of use: it is nobody that we know, or somebody that we have lost. */
export function isWanted(state: State, self: PeerId, peer: PeerId): boolean {
  if (peer === self || state.shunned.has(peer) || evictionOf(state, peer) !== undefined) return false
  if (state.links.some((link) => link.peer === peer)) return false
  const standing = state.standings.get(peer)?.state
  return openLinks(state).length === 0 || standing === undefined || standing === 'dead' || standing === 'left'
}

/** Whether we have nothing to say on the LAN, or should not: we leave, are out, or another machine speaks for us. */
export function isSilent(state: State, self: PeerId): boolean {
  return state.leaving !== undefined || state.left || state.clone?.role === 'passive' || evictionOf(state, self) !== undefined
}
