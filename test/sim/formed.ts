/**
 * A mesh that has stood for long, without the history that led to it: every member knows every record and has verified
 * it, and what follows from that is computed once and shared, which immutable state allows. The links are made as always.
 */
import { after, instant, parseIncarnation, sure, wallTime, type Duration, type Instant, type PeerId } from '@vxmesh/core'
import { begin, circleOf, places, type Content, type State } from '@vxmesh/gossip'
import type { Host } from './host.ts'
import type { Seals } from './seals.ts'
import { memberName, WALL_START } from './world.ts'

type Rings = State['circle']['rings']

export type Formed = { readonly state: State; readonly rings: ReadonlyMap<PeerId, Rings> }

export const FORMED_BOOT = 'f'

/** What everybody knows when all these hosts are members. */
export function form(hosts: readonly Host[], seals: Seals): Formed {
  const [first] = hosts
  if (first === undefined) throw new Error('a mesh of nobody')
  const introduced = hosts.map((host) => host.introduce())
  const [own, ...others] = introduced.map(({ bytes }) => bytes)
  // The first of them has said what it says already.
  const signer = { peer: first.peer, seal: () => own ?? new Uint8Array() }
  const env = {
    trust: seals.trust,
    signer,
    admission: seals.admit(first.peer),
    bootId: FORMED_BOOT,
    random: () => 0,
    wall: () => wallTime(0),
  }
  const above = sure(parseIncarnation(WALL_START - 1))
  const content = introduced[0]?.content ?? { name: memberName(first.name), enforces: '', control: [], tunnels: [] }
  const { state } = begin({ content, above, seeds: [], saved: { records: others, accusations: [], evictions: [] } }, instant(0), env)
  const reached = state.view.map(({ signed }) => new Set(signed.record.tunnels.map(({ underlay }) => underlay)))
  return { state: { ...state, reached }, rings: ringsOfAll(hosts.map((host) => host.peer)) }
}

/** That, as one of its members knows it. */
export function asSeenBy({ state, rings }: Formed, self: PeerId, content: Content, now: Instant, phase: Duration): State {
  const { living, dead } = state.circle
  return {
    ...state,
    content,
    circle: circleOf(self, { rings: rings.get(self) ?? [], standings: state.standings, living, dead }),
    aloneUntil: now,
    publishedAt: now,
    nextBeat: after(now, phase),
    due: now,
    dials: state.dials.clear(),
    exchanged: true,
    reached: state.reached.delete(self),
  }
}

/** The neighbours of all members at once, by sorting. */
function ringsOfAll(members: readonly PeerId[]): ReadonlyMap<PeerId, Rings> {
  const rings = new Map<PeerId, Rings[number][]>(members.map((member) => [member, []]))
  const count = places(members[0] ?? sure({ ok: false, reason: 'nobody' })).length
  for (let ring = 0; ring < count; ring++) {
    const placed = members.map((peer) => ({ peer, place: places(peer)[ring] ?? 0 }))
    placed.sort((a, b) => a.place - b.place)
    for (const [index, own] of placed.entries()) {
      const beside = (step: number) => (placed.length === 1 ? undefined : placed[(index + step + placed.length) % placed.length])
      rings.get(own.peer)?.push({ own, next: beside(1), previous: beside(-1) })
    }
  }
  return rings
}
