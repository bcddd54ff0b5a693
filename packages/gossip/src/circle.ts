/** The members around us: whom we link to, whom we observe, and whether we hear anybody at all. */
import { Set } from 'immutable'
import { after, instant, isForwarded, type Change, type Instant, type PeerId, type Surroundings } from '@vxmesh/core'
import { FULL_MESH_MOST, linksOf, neighbours, OBSERVED_BY_ALL_MOST, observersOf, ringsOf, ringsWith, type Rings } from './graph.ts'
import { BEAT, SILENCE, type State, type Watch } from './state.ts'

/** Follows the standings change by change, at the cost of the change. */
export type Circle = {
  readonly links: ReadonlySet<PeerId>
  readonly observed: ReadonlySet<PeerId>
  /** The dead are in neither: they are dialled on their own, for ever. */
  readonly dead: Set<PeerId>
  /** How many members are forwarded to, ourselves included. */
  readonly living: number
  readonly rings: Rings
}

export function loneCircle(self: PeerId): Circle {
  return { links: new globalThis.Set(), observed: new globalThis.Set(), dead: Set(), living: 0, rings: ringsOf(self, []) }
}

/** The circle after some standings changed. */
export function circleAfter(circle: Circle, self: PeerId, standings: State['standings'], changes: readonly Change[]): Circle {
  const turned = changes.filter(({ was, is }) => lives(was) !== lives(is))
  const dead = circle.dead.withMutations((set) => {
    for (const { peer, is } of changes)
      if (is.state === 'dead') set.add(peer)
      else set.delete(peer)
  })
  if (turned.length === 0) return dead === circle.dead ? circle : { ...circle, dead }
  const living = turned.reduce((count, { is }) => count + (lives(is) ? 1 : -1), circle.living)
  const near = neighbours(circle.rings)
  const lost = turned.some(({ peer, is }) => !lives(is) && near.has(peer))
  const rings = lost
    ? ringsOf(self, livingOf(standings))
    : turned.reduce((held, { peer, is }) => (lives(is) ? ringsWith(held, peer) : held), circle.rings)
  if (rings === circle.rings && living > FULL_MESH_MOST && circle.living > FULL_MESH_MOST) return { ...circle, dead, living }
  return circleOf(self, { rings, standings, living, dead })
}

type Surrounded = Pick<Circle, 'rings' | 'living' | 'dead'> & Pick<State, 'standings'>

/** The circle of a member with these neighbours on the rings. */
export function circleOf(self: PeerId, { rings, standings, living, dead }: Surrounded): Circle {
  const few = living <= FULL_MESH_MOST ? livingOf(standings) : []
  const around = neighbours(rings)
  return {
    links: living <= FULL_MESH_MOST ? linksOf(self, few) : around,
    observed: living <= OBSERVED_BY_ALL_MOST ? observersOf(self, few) : around,
    dead,
    living,
    rings,
  }
}

function lives(standing: Change['was']): boolean {
  return standing !== undefined && isForwarded(standing)
}

function livingOf(standings: State['standings']): readonly PeerId[] {
  return [...standings].flatMap(([peer, standing]) => (isForwarded(standing) ? [peer] : []))
}

/** The observers of another member, ourselves among them or not. */
export function observersAround(state: State, subject: PeerId): ReadonlySet<PeerId> {
  return observersOf(subject, [...new globalThis.Set([...livingOf(state.standings), subject])])
}

/** When a member, its daemon or its host, last gave any sign. */
export function lastSign(watch: Watch): Instant {
  return watch.refused !== undefined && watch.refused > watch.spoke ? watch.refused : watch.spoke
}

/** When it was last heard, by us or by another that says so. */
export function lastWord(watch: Watch): Instant {
  return instant(Math.max(lastSign(watch), watch.vouched ?? -Infinity))
}

/** Whether a member's daemon has been heard within the time of silence. */
export function speaks(watch: Watch | undefined, now: Instant): boolean {
  return watch !== undefined && watch.heard && now < after(watch.spoke, SILENCE)
}

/**
 * Whether there are other members and no daemon of theirs is heard: then it may be we who are cut off, or every daemon but
 * ours is gone, whose hosts may still answer. Who knows of no other member at all, not even of one that left or was
 * evicted, has lost everybody too.
 */
export function hearsNobody({ watches, standings }: State, self: PeerId, now: Instant): boolean {
  if (watches.some((watch) => watch.heard && now - watch.spoke < SILENCE + BEAT)) return false
  return (
    standings.size <= 1 || standings.some((standing, peer) => peer !== self && standing.state !== 'left' && standing.state !== 'evicted')
  )
}

/**
 * What decides whether removals must wait. When many die at once the first is dead a moment before the rest are, so
 * those that we do not hear at this moment count as well; by our own ears only, since anybody can accuse. Where every
 * daemon but ours is gone and hosts answer, as after an upgrade that went wrong everywhere, their kernels still work.
 */
export function surroundings(state: State, self: PeerId, now: Instant): Surroundings {
  const { aloneUntil, exchanged, view, watches, standings, circle } = state
  // Only who is observed says something every beat.
  const silent = [...watches].filter(
    ([peer, watch]) =>
      circle.observed.has(peer) && watch.heard && now - lastSign(watch) > 2 * BEAT && standings.get(peer)?.state !== 'dead',
  )
  const deaths = [...state.deaths, ...silent.map(() => now)]
  return {
    now,
    startedAt: aloneUntil,
    exchanged,
    isolated: hearsNobody(state, self, now),
    deaths,
    members: view.size,
    evicted: standings.get(self)?.state === 'evicted',
  }
}
