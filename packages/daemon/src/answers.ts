/** What a daemon answers on its control socket, version 1. Fields may be added to a version; none changes its meaning. */
import { SUCCESSIONS_MOST } from '@vxmesh/core'
import { z } from 'zod'

/** How many places an invite, and those before it, may name. */
export const SEEDS_MOST = 16

export const MEMBER_STATES = ['alive', 'suspect', 'restarting', 'dead', 'left', 'evicted'] as const

/** How many certificates made anew one request may bring. */
export const REISSUES_MOST = 16

/** What a member has of one of our tunnels. */
const carried = z.object({
  /** Ours. */
  device: z.string(),
  overlay: z.array(z.string()).readonly(),
  underlay: z.string(),
  port: z.number().nullable(),
  mac: z.string().nullable(),
  mtu: z.number(),
  mtu_limit: z.number().nullable().default(null),
  /** As that of the member, in this tunnel. */
  entry: z.enum(['present', 'missing', 'none']),
  note: z.string().nullable(),
})

const member = z.object({
  name: z.string(),
  peer: z.string(),
  self: z.boolean(),
  state: z.enum(MEMBER_STATES),
  /** This and what follows up to `mtu`: in the first of our tunnels that it carries. */
  overlay: z.array(z.string()).readonly(),
  underlay: z.string().nullable(),
  port: z.number().nullable(),
  /** Of its device; daemons of before do not tell. */
  mac: z.string().nullable().default(null),
  mtu: z.number().nullable(),
  /** The longest packet that may be sent to it whatever the others do: more than \`mtu\` where its device follows the mesh; daemons of before do not tell. */
  mtu_limit: z.number().nullable().default(null),
  incarnation: z.number(),
  /** The key of the invite that it came by; daemons of before do not tell. */
  invite: z.string().nullable().default(null),
  /** The key of the mesh that certified that invite; daemons of before do not tell. */
  issuer: z.string().nullable().default(null),
  /** When its membership ends, as 2027-01-31T12:00:00.000Z; null: never, and from daemons of before. */
  expires: z.string().nullable().default(null),
  /** Milliseconds since the member was heard by this host itself; null where it never was, and for oneself. */
  seen_ms: z.number().nullable(),
  /** Whether the kernel has the entries for this member, in all tunnels: `none` where it should have none. */
  entry: z.enum(['present', 'missing', 'none']),
  note: z.string().nullable(),
  /** Those of our tunnels that it carries; daemons of before, which have one, do not tell. */
  tunnels: z.array(carried.readonly()).readonly().optional(),
})

const count = z.object({ wanted: z.number(), present: z.number() }).readonly()

const tunnel = z.object({
  device: z.string(),
  mode: z.enum(['vxlan', 'gre']),
  /** The VXLAN id, or the key of GRE; null: GRE without a key. */
  id: z.number().nullable(),
  port: z.number().nullable(),
  mtu: z.number().nullable(),
  /** The longest packet that its underlay has room for; null while that is unknown, and from daemons of before. */
  mtu_room: z.number().nullable().default(null),
  /** The longest packet that all members and their underlays take, and one that takes no longer; daemons of before do not tell. */
  mtu_smallest: z.object({ mtu: z.number(), name: z.string() }).readonly().nullable().default(null),
  /** The bridge that it is a port of; null: none, and from daemons of before. */
  master: z.string().nullable().default(null),
  local: z.string().nullable(),
  addresses: z.array(z.string()).readonly(),
  /** Made by a daemon, or by somebody else and adopted; null while there is no such device. */
  origin: z.enum(['made', 'adopted']).nullable(),
  /** `foreign`: entries that are not ours. */
  entries: z
    .object({
      wanted: z.number(),
      present: z.number(),
      foreign: z.number(),
      /** Wanted and present, by kind; daemons of before do not tell. */
      kinds: z.object({ flood: count, fdb: count, neighbour: count }).catchall(count).readonly().optional(),
    })
    .readonly(),
  /** Null: none was asked for. Whether it stands, with all members that it should admit, and how many those are; daemons of before have none. */
  guard: z.object({ standing: z.boolean(), wanted: z.number(), admitted: z.number() }).readonly().nullable().default(null),
  /** How often entries were put right that somebody else had changed. */
  repairs: z.number(),
  /** How many changes of entries the kernel was told; daemons of before do not tell. */
  writes: z.number().default(0),
})

/** Answer to `GET /v1/status`, and what `vxmesh status --json` prints. */
export const statusAnswer = z.object({
  version: z.literal(1),
  mesh: z.string(),
  self: z.object({ peer: z.string(), name: z.string(), incarnation: z.number() }).readonly(),
  members: z.array(member.readonly()).readonly(),
  tunnels: z.array(tunnel.readonly()).readonly(),
  /** The key that speaks for the mesh since it was rotated, until when certificates by the one before hold, and at how many of the live members it is in force; null: it never was rotated, and from daemons of before. */
  rotation: z.object({ key: z.string(), until: z.string(), living: z.number(), in_force: z.number() }).readonly().nullable().default(null),
  /** What an operator should know, most important first; empty when all is well. */
  health: z.array(z.string()).readonly(),
  /** What was received and not believed, by reason. */
  dropped: z.record(z.string(), z.number()).readonly(),
  /** Where members are looked for on the LAN, how many places of some are known from there, and how often one was dialled; daemons of before do not tell. */
  discovery: z
    .object({ interfaces: z.array(z.string()).readonly(), candidates: z.number(), dials: z.number() })
    .readonly()
    .default({ interfaces: [], candidates: 0, dials: 0 }),
  /** Comparisons of views that this daemon began, and the bytes it sent for any; daemons of before do not tell. */
  anti_entropy: z.object({ comparisons: z.number(), bytes: z.number() }).readonly().default({ comparisons: 0, bytes: 0 }),
  /** How late the daemon got to what it had to do, over the last ten seconds; null: it has not run for as long yet, and from daemons of before. */
  event_loop_lag: z.object({ p50_ms: z.number(), p99_ms: z.number(), max_ms: z.number() }).readonly().nullable().default(null),
})

/** Answer to `POST /v1/leave`. */
export const leaveAnswer = z.object({
  version: z.literal(1),
  device: z.string(),
  /** How many of our own entries were removed from it. */
  removed: z.number(),
  /** The same of every device, of that one as well; daemons of before had one only. */
  devices: z
    .array(z.object({ device: z.string(), removed: z.number() }).readonly())
    .readonly()
    .default([]),
})

/** What `POST /v1/evict` takes. */
export const evictRequest = z.object({ eviction: z.base64() })

/** What `POST /v1/renew` takes: certificates by another invite, and those that it names to begin with. */
export const renewRequest = z.object({
  chain: z.base64(),
  seeds: z.array(z.string()).max(SEEDS_MOST),
  successions: z.array(z.base64()).max(SUCCESSIONS_MOST).default([]),
})

/** What `POST /v1/rotate` takes: all the successions of the mesh, and certificates that the last key made anew, some at a time. */
export const rotateRequest = z.object({
  successions: z.array(z.base64()).max(SUCCESSIONS_MOST),
  reissues: z.array(z.base64()).max(REISSUES_MOST),
})

/** Answer to `POST /v1/rotate` and to `GET /v1/rotation`. */
export const rotationAnswer = z.object({
  version: z.literal(1),
  mesh: z.string(),
  /** The key that speaks for the mesh: its first, or one that came later. */
  key: z.string(),
  successions: z.array(z.string()).readonly(),
  /** Until when certificates by the key before hold; null: there was none. */
  until: z.string().nullable(),
  /** Members that packets are sent to, this one included. */
  living: z.number(),
  /** How many of them are certified by that key, and say so. */
  under: z.number(),
  /** The others, or some of them. */
  waiting: z.array(z.object({ name: z.string(), peer: z.string(), state: z.string() }).readonly()).readonly(),
})

/** Answer to `GET /v1/certificates`: what everybody who is known is a member by. */
export const certificatesAnswer = z.object({
  version: z.literal(1),
  members: z.array(z.object({ name: z.string(), peer: z.string(), chain: z.base64() }).readonly()).readonly(),
})

/** Answer to `POST /v1/renew`: the member comes by that invite now, until then. */
export const renewAnswer = z.object({ version: z.literal(1), invite: z.string(), expires: z.string().nullable() })

/** Answer to `POST /v1/evict` and to `GET /v1/evictions`. */
export const evictionAnswer = z.object({
  version: z.literal(1),
  /** How many keys the mesh key has evicted. */
  evictions: z.number(),
  /** Members that packets are sent to, this one included. */
  living: z.number(),
  /** How many of them say that all evictions hold there: written down, and followed by the kernel. */
  enforcing: z.number(),
  /** The others, or some of them. */
  waiting: z.array(z.object({ name: z.string(), peer: z.string(), state: z.string() }).readonly()).readonly(),
})

/** Answer to `GET /v1/plan`: what would be done to the kernel now. */
export const planAnswer = z.object({
  version: z.literal(1),
  device: z.string(),
  /** All devices that were looked at; daemons of before had one only. */
  devices: z.array(z.string()).readonly().default([]),
  /** In order, as a person would type them. `held`: not now, for the reason in `hold`. */
  commands: z.array(z.object({ command: z.string(), held: z.boolean() }).readonly()).readonly(),
  hold: z.string().nullable(),
})

export function leaveReport(devices: LeaveReport['devices']): LeaveReport {
  return { version: 1, ...(devices[0] ?? { device: '', removed: 0 }), devices }
}

export type PlanReport = Readonly<z.infer<typeof planAnswer>>
export type CarriedRow = Readonly<z.infer<typeof carried>>
export type MemberRow = Readonly<z.infer<typeof member>>
export type TunnelRow = Readonly<z.infer<typeof tunnel>>
export type StatusReport = Readonly<z.infer<typeof statusAnswer>>
export type RotationReport = Readonly<z.infer<typeof rotationAnswer>>
export type CertificatesReport = Readonly<z.infer<typeof certificatesAnswer>>
export type RenewReport = Readonly<z.infer<typeof renewAnswer>>
export type EvictionReport = Readonly<z.infer<typeof evictionAnswer>>
export type LeaveReport = Readonly<z.infer<typeof leaveAnswer>>
