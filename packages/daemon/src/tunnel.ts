/** What status says of tunnels: their devices, what the kernel holds and should hold of entries, and who is in them. */
import {
  family,
  holds,
  isForwarded,
  isOfGuard,
  limitOf,
  sameTunnel,
  slot,
  ZERO_MAC,
  type Entry,
  type MemberName,
  type MemberRecord,
  type PeerId,
  type TunnelClaim,
  type TunnelName,
  type TunnelSpec,
} from '@vxmesh/core'
import type { State } from '@vxmesh/gossip'
import { describe, describeTarget } from '@vxmesh/kernel-adapter'
import type { CarriedRow, TunnelRow } from './answers.ts'
import { guardRow, guardTrouble } from './guard.ts'
import { listed } from './report.ts'
import type { Decision, Picture } from './reconciler.ts'

/** How many refusals are told one by one. */
const REFUSALS_MOST = 6

/** One of our tunnels, and what its kernel looks like now. */
export type Shown = { readonly tunnel: TunnelName & Pick<TunnelSpec, 'device' | 'mtu' | 'master' | 'guard'>; readonly picture: Picture }

/** What is told of. */
export type Told = { readonly self: PeerId; readonly state: State; readonly tunnels: readonly Shown[] }

export function tunnelRow({ tunnel, picture }: Shown, self: MemberName): TunnelRow {
  const { reading, decision, foreign, repairs, writes, room } = picture
  const wanted = [...decision.desired.table.values()].filter((entry) => !isOfGuard(entry))
  const present = wanted.filter((entry) => holds(reading?.entries, entry))
  const counts = (kind: Entry['kind']) => {
    const [all, some] = [wanted, present].map((entries) => entries.filter((entry) => entry.kind === kind).length)
    return { wanted: all ?? 0, present: some ?? 0 }
  }
  return {
    device: tunnel.device,
    mode: tunnel.mode,
    id: tunnel.id ?? null,
    port: reading?.device.port ?? null,
    mtu: reading?.device.mtu ?? null,
    mtu_room: room ?? null,
    mtu_smallest: reading === undefined ? null : smallest({ name: self, mtu: limitOf(tunnel.mtu, reading.device.mtu, room) }, decision),
    master: reading?.device.master ?? null,
    local: reading?.device.local ?? null,
    addresses: reading?.device.addresses ?? [],
    origin: reading?.device.origin ?? null,
    entries: {
      wanted: wanted.length,
      present: present.length,
      foreign,
      kinds: {
        flood: counts('flood'),
        fdb: counts('fdb'),
        neighbour: counts('neighbour'),
        ...(tunnel.mode === 'gre' ? { route: counts('route'), unreachable: counts('unreachable') } : {}),
      },
    },
    guard: guardRow(decision.desired.table, reading),
    repairs,
    writes,
  }
}

type Carried = Omit<CarriedRow, 'note'> & { readonly notes: readonly string[] }

/** What a member has of one of our tunnels; undefined when it does not carry it. */
export function carriedRow(told: Told, shown: Shown, record: MemberRecord): Carried | undefined {
  const claim = claimOn(shown, record)
  if (claim === undefined) return undefined
  const { overlay, underlay, port = null, mac, mtu, mtuLimit } = claim
  const rest = {
    mac: mac === ZERO_MAC ? null : mac,
    mtu,
    mtu_limit: mtuLimit,
    entry: entryOf(shown, record.peer),
    notes: notesOn(told, shown, record, claim),
  }
  return { device: shown.tunnel.device, overlay, underlay, port, ...rest }
}

/** What is to be said of a member in our tunnels: where there are several, each in its own name. */
export function tunnelNotes(told: Told, record: MemberRecord): readonly string[] {
  const { self, tunnels } = told
  const noted = tunnels.flatMap((shown) => {
    const claim = claimOn(shown, record)
    return claim === undefined ? [] : [{ device: shown.tunnel.device, notes: notesOn(told, shown, record, claim) }]
  })
  if (tunnels.length === 1 && noted.length === 1) return noted.flatMap(({ notes }) => notes)
  if (noted.length > 0) return noted.flatMap(({ device, notes }) => notes.map((note) => `${device}: ${note}`))
  const elsewhere = tunnels.every(({ picture }) => isElsewhere(picture, record.peer))
  return record.peer === self || !elsewhere ? [] : [tunnels.length === 1 ? 'does not carry this tunnel' : 'carries none of these tunnels']
}

function isElsewhere({ decision }: Picture, peer: PeerId): boolean {
  const verdict = decision.desired.verdicts.get(peer)
  return verdict?.kind === 'unwanted' && verdict.why === 'elsewhere'
}

function claimOn({ tunnel }: Shown, { tunnels }: MemberRecord): TunnelClaim | undefined {
  return tunnels.find((each) => sameTunnel(each, tunnel))
}

function entryOf({ picture }: Shown, peer: PeerId): CarriedRow['entry'] {
  const verdict = picture.decision.desired.verdicts.get(peer)
  if (verdict?.kind !== 'wanted') return 'none'
  return verdict.entries.every((entry) => holds(picture.reading?.entries, entry)) ? 'present' : 'missing'
}

function notesOn(told: Told, { picture }: Shown, record: MemberRecord, claim: TunnelClaim): readonly string[] {
  const { desired } = picture.decision
  const conflict = desired.conflicts.get(record.peer)
  const belongs = conflict && `${conflict.what} belongs to ${nameOf(told, conflict.winner)}`
  if (record.peer === told.self) return belongs === undefined ? [] : [`${belongs}: change --address here`]
  const verdict = desired.verdicts.get(record.peer)
  const own = picture.reading?.device
  return [
    ...(belongs === undefined ? [] : [belongs]),
    ...(conflict === undefined && verdict?.kind === 'refused' ? [`not programmed: ${verdict.reason}`] : []),
    ...(own !== undefined && !record.leaving && claim.port !== own.port
      ? [`port ${String(claim.port)} there, ${String(own.port)} here`]
      : []),
    ...picture.obstacles.flatMap(({ wanted }) =>
      verdict?.kind === 'wanted' && verdict.entries.includes(wanted) ? [`conflict: somebody else's ${slot(wanted)} is in the way`] : [],
    ),
  ]
}

function nameOf({ state }: Told, peer: PeerId): string {
  return state.view.get(peer)?.signed.record.name ?? peer
}

/** Devices that carry nothing now, and why. */
export function devicesInTrouble({ tunnels }: Told): readonly string[] {
  return tunnels.flatMap(({ tunnel, tunnel: { device, master }, picture: { reading, homeless, rejections } }) => [
    ...(reading === undefined ? [`${device} does not exist: whoever made it must make it again`] : []),
    ...(reading !== undefined && homeless
      ? [`${reading.device.local} is no address of this host any more: nothing passes until it is back, or another comes in its place`]
      : []),
    ...(reading === undefined || master === undefined || reading.device.master === master
      ? []
      : [`${device} is not in ${master}: it is put there as soon as there is such a bridge`]),
    ...(reading?.device.up === false ? [`${device} is down, so nothing passes: ip link set dev ${device} up`] : []),
    ...guardTrouble(tunnel, reading, rejections),
  ])
}

export function lostClaims(told: Told): readonly string[] {
  const lost = told.tunnels.flatMap(({ picture }) => [...picture.decision.desired.conflicts.values()])
  return lost.map(
    ({ loser, winner, what }) =>
      `${what} is claimed by ${nameOf(told, winner)} and by ${nameOf(told, loser)}: the claim of ${nameOf(told, loser)} is not programmed`,
  )
}

/** What is wanted in the tunnels and cannot be had. */
export function wanting(told: Told): readonly string[] {
  return told.tunnels.flatMap((shown) => [
    ...divided(told, shown),
    ...strangers(told, shown),
    ...lossesIn(shown),
    ...conflictsIn(shown),
    ...refusals(shown.picture),
  ])
}

/** Some of what the kernel refused, and how much more there is. */
function refusals({ rejections: all }: Picture): readonly string[] {
  const rejections = all.filter(({ operation }) => !isOfGuard(operation.entry))
  const shown = rejections.slice(0, REFUSALS_MOST).map(({ command, reason }) => `the kernel refused "${command}": ${reason}`)
  const more = rejections.length - shown.length
  return more === 0 ? shown : [...shown, `and ${String(more)} more, of ${String(rejections.length)}`]
}

/** Members whose underlay addresses are of both families: between the two no packet passes, ever. All members say the same. */
function divided({ state }: Told, shown: Shown): readonly string[] {
  const carriers = [...state.view.values()].flatMap(({ signed: { record } }) => {
    const standing = state.standings.get(record.peer)
    const claim = standing !== undefined && isForwarded(standing) ? claimOn(shown, record) : undefined
    return claim === undefined ? [] : [{ name: record.name, kind: family(claim.underlay) }]
  })
  const [four, six] = (['ipv4', 'ipv6'] as const).map((kind) => carriers.filter((each) => each.kind === kind).map(({ name }) => name))
  if (four === undefined || six === undefined || four.length === 0 || six.length === 0) return []
  const remedy = 'give all of them underlay addresses of one kind'
  return [
    `${shown.tunnel.device}: ${listed(four.toSorted(order))} on IPv4 and ${listed(six.toSorted(order))} on IPv6 can never talk to each other: ${remedy}`,
  ]
}

/** Pairs that cannot talk for another reason: members that carry the tunnel, and to which nothing can be sent. */
function strangers(told: Told, shown: Shown): readonly string[] {
  const { state, self, tunnels } = told
  const { verdicts, conflicts } = shown.picture.decision.desired
  const own = state.view.get(self)?.signed.record
  const kind = own && claimOn(shown, own)
  const refused = [...verdicts].flatMap(([peer, verdict]) => {
    const record = state.view.get(peer)?.signed.record
    const claim = record && claimOn(shown, record)
    const apart = kind !== undefined && claim !== undefined && family(kind.underlay) !== family(claim.underlay)
    return verdict.kind !== 'refused' || apart || conflicts.has(peer) || conflicts.has(self) ? [] : [record?.name ?? peer]
  })
  const where = tunnels.length === 1 ? 'the tunnel' : shown.tunnel.device
  return refused.length === 0 ? [] : [`this host cannot talk to ${listed(refused.toSorted(order))} inside ${where}: see NOTE`]
}

export function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Whose packets must be the shortest of all, and how long they may be; our own, where nobody else's are shorter. */
function smallest(own: NonNullable<TunnelRow['mtu_smallest']>, { mtus: [first] }: Decision): TunnelRow['mtu_smallest'] {
  return first !== undefined && first.limit < own.mtu ? { mtu: first.limit, name: first.name } : own
}

/** Where packets get lost because they are longer than somebody's device or underlay takes. */
export function lossesIn({ tunnel: { device, mtu: asked }, picture: { reading, decision, room } }: Shown): readonly string[] {
  const mtu = reading?.device.mtu
  if (mtu === undefined) return []
  const remedy = asked === 'mesh' ? '' : '; "--mtu mesh" on every host makes them alike'
  const lesser = decision.mtus.filter((each) => Math.min(each.mtu, each.limit) < mtu)
  const shorter = listed(lesser.map((each) => `${each.name} only ${String(Math.min(each.mtu, each.limit))}`))
  return [
    ...(room === undefined || mtu <= room
      ? []
      : [
          `${device} has mtu ${String(mtu)} and its underlay room for ${String(room)}: longer packets are lost or cut: ip link set dev ${device} mtu ${String(room)}`,
        ]),
    ...(lesser.length === 0 ? [] : [`${device} has mtu ${String(mtu)}, ${shorter}: longer packets to there are lost${remedy}`]),
  ]
}

/** What somebody else has in the kernel where an entry of ours should be, and what to do about it. */
export function conflictsIn({ tunnel: { device }, picture: { obstacles } }: Shown): readonly string[] {
  return obstacles.map(({ wanted, found }) => {
    const [write, remove] = [describe({ kind: 'add', entry: wanted }, device), describe({ kind: 'remove', entry: found }, device)]
    return `conflict: "${write}" is wanted, but somebody else has ${describeTarget(found)} there, which is left alone; to make room: ${remove}`
  })
}
