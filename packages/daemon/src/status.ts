/** What `vxmesh status` shows, as one object: who is a member and why, what the kernel holds and what it should hold. */
import { quorum, unreachable, type MemberRecord, type MeshId, type PeerId, type SignedRecord, type WallTime } from '@vxmesh/core'
import type { Clone, Seed, SeedState } from '@vxmesh/gossip'
import type { MemberRow, StatusReport } from './answers.ts'
import { expiryNotes, expiryOf, ownExpiry } from './lifetimes.ts'
import { overusedInvites } from './progress.ts'
import { issuerNotes, rotationStatus } from './succeeding.ts'
import { carriedRow, devicesInTrouble, lostClaims, order, tunnelNotes, tunnelRow, wanting, type Told } from './tunnel.ts'

export type StatusInput = Told & {
  readonly mesh: MeshId
  readonly discovery: StatusReport['discovery']
  readonly lag: StatusReport['event_loop_lag']
  /** The wall clock, by which memberships end. */
  readonly wall: WallTime
  /** Now, on the clock that the state was made with, in milliseconds. */
  readonly now: number
}

export function statusReport(input: StatusInput): StatusReport {
  const { state, self, mesh, tunnels } = input
  const { content, incarnation, dropped, comparisons } = state
  const rotated = rotationStatus(mesh, state, input.wall)
  return {
    version: 1,
    mesh,
    self: { peer: self, name: content.name, incarnation },
    members: memberRows(input),
    tunnels: tunnels.map((shown) => tunnelRow(shown, content.name)),
    rotation: rotated.rotation,
    health: [...health(input), ...rotated.health],
    dropped: dropped.toObject(),
    anti_entropy: { comparisons: comparisons.begun, bytes: comparisons.bytes },
    discovery: input.discovery,
    event_loop_lag: input.lag,
  }
}

function memberRows(input: StatusInput): readonly MemberRow[] {
  const rows = [...input.state.view.values()].map(({ signed }) => memberRow(input, signed))
  return rows.sort((a, b) => Number(b.self) - Number(a.self) || order(a.name, b.name) || order(a.peer, b.peer))
}

function memberRow(input: StatusInput, signed: SignedRecord): MemberRow {
  const { record, admission } = signed
  const { state, self, tunnels, now } = input
  const watch = state.watches.get(record.peer)
  const [standing, names] =
    record.peer === self
      ? [[], []]
      : [
          [...standingNotes(input, record), ...issuerNotes(state, signed), ...expiryNotes(admission.bounds, input.wall)],
          namesakes(input, record),
        ]
  const carried = tunnels.flatMap((shown) => carriedRow(input, shown, record) ?? [])
  const [first] = carried
  const notes = [...standing, ...tunnelNotes(input, record), ...names]
  return {
    name: record.name,
    peer: record.peer,
    self: record.peer === self,
    state: state.standings.get(record.peer)?.state ?? 'alive',
    overlay: first?.overlay ?? [],
    underlay: first?.underlay ?? null,
    port: first?.port ?? null,
    mac: first?.mac ?? null,
    mtu: first?.mtu ?? null,
    mtu_limit: first?.mtu_limit ?? null,
    incarnation: record.incarnation,
    invite: admission.invite,
    issuer: admission.issuer.key,
    expires: expiryOf(admission.bounds),
    seen_ms: watch?.heard === true && record.peer !== self ? Math.max(0, Math.round(now - watch.spoke)) : null,
    entry: (['missing', 'present'] as const).find((each) => carried.some(({ entry }) => entry === each)) ?? 'none',
    note: joined(notes),
    tunnels: carried.map(({ notes: own, ...row }) => ({ ...row, note: joined([...standing, ...own, ...names]) })),
  }
}

function joined(notes: readonly string[]): string | null {
  return notes.length === 0 ? null : notes.join('; ')
}

function standingNotes({ state, now }: StatusInput, { peer }: MemberRecord): readonly string[] {
  const standing = state.standings.get(peer)
  switch (standing?.state) {
    case 'suspect':
      return [`accused of silence by ${String(standing.accusers)} of the ${String(quorum(state.members))} it takes`]
    case 'restarting':
      return [`its host answers, its daemon does not, for ${String(Math.round((now - standing.since) / 1000))}s`]
    case 'evicted':
      return ['the mesh key says that it is a member no more']
    case 'dead':
      return [`dead by ${standing.because}`]
    case 'alive':
    case 'left':
    case undefined:
      return []
    default:
      return unreachable(standing)
  }
}

function namesakes({ state }: StatusInput, record: MemberRecord): readonly string[] {
  const isThere = (peer: PeerId): boolean => !['left', 'evicted'].includes(state.standings.get(peer)?.state ?? '')
  const others = state.view.some(({ signed }, peer) => peer !== record.peer && signed.record.name === record.name && isThere(peer))
  return others && isThere(record.peer) ? ['another member has this name'] : []
}

function health(input: StatusInput): readonly string[] {
  const { state, self, tunnels } = input
  const { clone } = state
  const holds = nothingToRemove(input) ? [] : tunnels.flatMap(({ picture }) => picture.decision.hold ?? []).filter(({ brief }) => !brief)
  const sentences = [
    ...devicesInTrouble(input),
    ...(state.standings.get(self)?.state === 'evicted' ? [EVICTED] : []),
    ...ownExpiry(state.view.get(self)?.signed.admission.bounds, input.wall),
    ...(clone === undefined || clone.role === 'suspected' ? [] : [cloneTrouble(clone)]),
    ...overusedInvites(state),
    ...lostClaims(input),
    ...[...state.seeds].flatMap(([seed, { trouble }]) => (trouble === undefined ? [] : [seedTrouble(seed, trouble)])),
    ...holds.map(({ reason, replacements }) => `${reason}; nothing is ${replacements ? 'taken away' : 'removed'} meanwhile`),
    ...wanting(input),
  ]
  // What concerns several tunnels is said once.
  return [...new Set(sentences)]
}

export const EVICTED =
  'the mesh key says that this host is a member no more: its entries are removed and nobody speaks to it; to come back, with a new invite: stop it, delete identity.key and member.json in its state directory, start it with --invite'

/** What to do about another machine that runs with our key. */
export function cloneTrouble({ control, role }: Clone): string {
  const place = control[0]?.address ?? 'an unknown address'
  const outcome =
    role === 'passive'
      ? 'it speaks for both, this daemon keeps its entries and stays out of the mesh'
      : 'this daemon speaks for both, the other stays out of the mesh'
  return `another machine, at ${place}, runs with this identity: ${outcome}; give one of the two its own: stop it, delete identity.key in its state directory, start it`
}

/** Why a seed leads nowhere, for now. Every seed is tried again for ever. */
export function seedTrouble(seed: Seed, trouble: NonNullable<SeedState['trouble']>): string {
  const why = {
    refused: 'its host answers, but no daemon listens there',
    unanswered: 'nothing answers there',
    unusable: 'something else answers there',
    unresolved: 'the name has no address',
    untried: 'this host cannot even try',
    self: 'it is this host itself',
    evicted: 'what is there was revoked, and is a member no more',
    unwelcome: 'it closed the connection before it admitted us: it is of another mesh, or does not accept our certificate',
  }[trouble]
  return `seed ${seed} is not reached: ${why}; it is tried again for ever`
}

/** The first host of a mesh, alone with empty tables, has nothing to be held. */
function nothingToRemove({ state, tunnels }: StatusInput): boolean {
  return state.view.size <= 1 && tunnels.every(({ picture }) => (picture.reading?.entries.size ?? 0) === 0)
}
