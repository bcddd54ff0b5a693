/** What `vxmesh status` shows, as one object: who is a member and why, what the kernel holds and what it should hold. */
import {
  holds,
  quorum,
  sameTunnel,
  slot,
  ZERO_MAC,
  type MemberRecord,
  type PeerId,
  type SignedRecord,
  type TunnelClaim,
} from '@vxmesh/core'
import type { Clone, Seed, SeedState, State } from '@vxmesh/gossip'
import type { MemberRow, StatusReport } from './answers.ts'
import { overusedInvites } from './progress.ts'
import type { Picture } from './reconciler.ts'
import { conflictsIn, tunnelRow, type Tunnel } from './tunnel.ts'

/** How many members a line names. */
const NAMES_MOST = 6

export type StatusInput = {
  readonly mesh: string
  readonly self: PeerId
  readonly state: State
  readonly picture: Picture
  readonly tunnel: Tunnel
  /** Now, on the clock that the state was made with, in milliseconds. */
  readonly now: number
}

export function statusReport(input: StatusInput): StatusReport {
  const { state, self, mesh, picture, tunnel } = input
  const { content, incarnation, dropped, comparisons } = state
  return {
    version: 1,
    mesh,
    self: { peer: self, name: content.name, incarnation },
    members: memberRows(input),
    tunnels: [tunnelRow(tunnel, picture)],
    health: health(input, picture),
    dropped: dropped.toObject(),
    anti_entropy: { comparisons: comparisons.begun, bytes: comparisons.bytes },
  }
}

function memberRows(input: StatusInput): readonly MemberRow[] {
  const rows = [...input.state.view.values()].map(({ signed }) => memberRow(input, signed))
  return rows.sort((a, b) => Number(b.self) - Number(a.self) || order(a.name, b.name) || order(a.peer, b.peer))
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function memberRow(input: StatusInput, { record, admission }: SignedRecord): MemberRow {
  const { state, self, tunnel, now } = input
  const claim = record.tunnels.find((each) => sameTunnel(each, tunnel))
  const watch = state.watches.get(record.peer)
  const notes = record.peer === self ? ownNotes(input) : notesOn(input, record, claim)
  return {
    name: record.name,
    peer: record.peer,
    self: record.peer === self,
    state: state.standings.get(record.peer)?.state ?? 'alive',
    overlay: claim?.overlay ?? [],
    underlay: claim?.underlay ?? null,
    port: claim?.port ?? null,
    mac: claim === undefined || claim.mac === ZERO_MAC ? null : claim.mac,
    mtu: claim?.mtu ?? null,
    incarnation: record.incarnation,
    invite: admission.invite,
    seen_ms: watch?.heard === true && record.peer !== self ? Math.max(0, Math.round(now - watch.spoke)) : null,
    entry: entryOf(input, record.peer),
    note: notes.length === 0 ? null : notes.join('; '),
  }
}

function entryOf({ picture }: StatusInput, peer: PeerId): MemberRow['entry'] {
  const verdict = picture.decision.desired.verdicts.get(peer)
  if (verdict?.kind !== 'wanted') return 'none'
  return verdict.entries.every((entry) => holds(picture.reading?.entries, entry)) ? 'present' : 'missing'
}

function ownNotes(input: StatusInput): readonly string[] {
  const lost = input.picture.decision.desired.conflicts.get(input.self)
  return lost === undefined ? [] : [`${lost.what} belongs to ${nameOf(input, lost.winner)}: change --address here`]
}

function notesOn(input: StatusInput, record: MemberRecord, claim: TunnelClaim | undefined): readonly string[] {
  const { state, picture, now } = input
  const { desired } = picture.decision
  const standing = state.standings.get(record.peer)
  const verdict = desired.verdicts.get(record.peer)
  const conflict = desired.conflicts.get(record.peer)
  const own = picture.reading?.device
  return [
    ...(standing?.state === 'suspect'
      ? [`accused of silence by ${String(standing.accusers)} of the ${String(quorum(state.members))} it takes`]
      : []),
    ...(standing?.state === 'restarting'
      ? [`its host answers, its daemon does not, for ${String(Math.round((now - standing.since) / 1000))}s`]
      : []),
    ...(standing?.state === 'evicted' ? ['the mesh key says that it is a member no more'] : []),
    ...(standing?.state === 'dead' ? [`dead by ${standing.because}`] : []),
    ...(conflict === undefined ? [] : [`${conflict.what} belongs to ${nameOf(input, conflict.winner)}`]),
    ...(conflict === undefined && verdict?.kind === 'refused' ? [`not programmed: ${verdict.reason}`] : []),
    ...(verdict?.kind === 'unwanted' && verdict.why === 'elsewhere' ? ['does not carry this tunnel'] : []),
    ...(claim !== undefined && own !== undefined && !record.leaving && claim.port !== own.port
      ? [`port ${String(claim.port)} there, ${String(own.port)} here`]
      : []),
    ...picture.obstacles.flatMap(({ wanted }) =>
      verdict?.kind === 'wanted' && verdict.entries.includes(wanted) ? [`conflict: somebody else's ${slot(wanted)} is in the way`] : [],
    ),
    ...namesakes(input, record),
  ]
}

function namesakes({ state }: StatusInput, record: MemberRecord): readonly string[] {
  const isThere = (peer: PeerId): boolean => !['left', 'evicted'].includes(state.standings.get(peer)?.state ?? '')
  const others = state.view.some(({ signed }, peer) => peer !== record.peer && signed.record.name === record.name && isThere(peer))
  return others && isThere(record.peer) ? ['another member has this name'] : []
}

function nameOf({ state }: StatusInput, peer: PeerId): string {
  return state.view.get(peer)?.signed.record.name ?? peer
}

function health(input: StatusInput, { reading, decision, rejections }: Picture): readonly string[] {
  const { device } = input.tunnel
  const lost = [...decision.desired.conflicts.values()]
  const { state, self } = input
  const { clone } = state
  return [
    ...(reading === undefined ? [`${device} does not exist: whoever made it must make it again`] : []),
    ...(state.standings.get(self)?.state === 'evicted' ? [EVICTED] : []),
    ...(clone === undefined || clone.role === 'suspected' ? [] : [cloneTrouble(clone)]),
    ...overusedInvites(state),
    ...lost.map(
      ({ loser, winner, what }) =>
        `${what} is claimed by ${nameOf(input, winner)} and by ${nameOf(input, loser)}: the claim of ${nameOf(input, loser)} is not programmed`,
    ),
    ...(reading !== undefined && input.picture.homeless
      ? [`${reading.device.local} is no address of this host any more: nothing passes until it is back, or another comes in its place`]
      : []),
    ...(reading?.device.up === false ? [`${device} is down, so nothing passes: ip link set dev ${device} up`] : []),
    ...[...input.state.seeds].flatMap(([seed, { trouble }]) => (trouble === undefined ? [] : [seedTrouble(seed, trouble)])),
    ...(decision.hold === undefined || nothingToRemove(input) ? [] : [`${decision.hold}; nothing is removed meanwhile`]),
    ...strangers(input),
    ...conflictsIn(input.picture, device),
    ...rejections.map(({ command, reason }) => `the kernel refused "${command}": ${reason}`),
  ]
}

const EVICTED =
  'the mesh key says that this host is a member no more: its entries are removed and nobody speaks to it; to come back, with a new invite: stop it, delete identity.key and member.json in its state directory, start it with --invite'

/** Pairs that cannot talk: members that carry the tunnel, and to which nothing can be sent. */
function strangers({ state, picture, self }: StatusInput): readonly string[] {
  const { verdicts, conflicts } = picture.decision.desired
  const refused = [...verdicts].filter(([peer, { kind }]) => kind === 'refused' && !conflicts.has(peer) && !conflicts.has(self))
  const names = refused.map(([peer]) => state.view.get(peer)?.signed.record.name ?? peer).sort(order)
  if (names.length === 0) return []
  const shown = `${names.slice(0, NAMES_MOST).join(', ')}${names.length > NAMES_MOST ? ` and ${String(names.length - NAMES_MOST)} more` : ''}`
  return [`this host cannot talk to ${shown} inside the tunnel: see NOTE`]
}

/** Why a seed leads nowhere, for now. Every seed is tried again for ever. */
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

/** The first host of a mesh, alone with an empty table, has nothing to be held. */
function nothingToRemove({ state, picture }: StatusInput): boolean {
  return state.view.size <= 1 && (picture.reading?.entries.size ?? 0) === 0
}
