/**
 * What the protocol knows, hears and asks for. The protocol is `step(state, input, now) -> { state, effects }`: it
 * holds no timer, opens no socket and rolls no dice of its own, so that the daemon and the simulator drive the same code.
 */
import type { Map, Set } from 'immutable'
import {
  milliseconds,
  parsePeerId,
  seconds,
  type Admission,
  type Bytes,
  type ControlAddress,
  type Duration,
  type Ended,
  type Eviction,
  type Evictions,
  type Heard,
  type Incarnation,
  type Instant,
  type IpAddress,
  type Judgement,
  type Lineage,
  type MemberRecord,
  type PeerId,
  type Random,
  type Reissue,
  type Signer,
  type Standing,
  type View,
  type WallTime,
} from '@vxmesh/core'
import type { Trust } from './certificate.ts'
import type { Allowance } from './allowance.ts'
import type { Circle } from './circle.ts'
import type { Clone } from './clone.ts'
import type { Draft } from './draft.ts'

/** One long-lived stream to a peer. The shell numbers them; two links to one peer may exist for a moment. */
export type LinkId = number

/** A word for where some member may be found, a user's or one heard on the LAN: host, host:port or multiaddr. */
export type Seed = string & { readonly seed: true }

/** Where a dial goes: to a member that is known, or to a seed. */
export type Target = PeerId | Seed

/** Peer ids and seeds share one key space: `parseSeed` refuses what has the form of a peer id. */
export function isSeed(target: Target): target is Seed {
  return !parsePeerId(target).ok
}

/**
 * Why a dial failed. `refused`: a host answers and no daemon is there. `unusable`: something else is there. `unanswered`:
 * nothing came back. `unresolved`: the name has no address. `untried`: this host could not even send. `self`: it is us.
 */
export type DialFailure = 'refused' | 'unanswered' | 'unusable' | 'unresolved' | 'untried' | 'self'

export type Link = {
  readonly id: LinkId
  /** The peer that the Noise handshake proved to be at the other end. */
  readonly peer: PeerId
  /** The target, where we dialled; undefined where the peer did. */
  readonly dialled: Target | undefined
  /** The address of the other end. */
  readonly at: IpAddress | undefined
  /** Certificates are exchanged first; an `open` link's peer is admitted. */
  readonly phase: 'greeting' | 'open'
  readonly since: Instant
  /** When its view was first seen to differ from ours; undefined while equal. */
  readonly differsSince: Instant | undefined
  readonly summarisedAt: Instant | undefined
  /** The stream takes no more for now. */
  readonly congested: boolean
  /**
   * Whose items wait until it does. Of each only the latest is sent then: what waits is bounded by the number of members,
   * however much happens meanwhile.
   */
  readonly owed: Set<PeerId>
}

/** What is heard of a member that we may have to accuse. */
export type Watch = {
  /** When its daemon was last heard, or when we began to listen. */
  readonly spoke: Instant
  /** When its host last refused a connection. */
  readonly refused: Instant | undefined
  /** When another member last said to have heard it. Hearsay: it buys time, and is never passed on. */
  readonly vouched: Instant | undefined
  /** When a dial to it last went unanswered. */
  readonly unanswered: Instant | undefined
  /** How often it refuted what we said of its silence, and we still do not hear it: the broken way is between us two. */
  readonly rebuffs: number
  /** Whether its daemon was ever heard by this watch. */
  readonly heard: boolean
  /** The longest that it stood still of late and went on, and when it last did. */
  readonly stood: { readonly still: Duration; readonly until: Instant } | undefined
  /** The question to other members whether they hear it, while one is out. */
  readonly inquiry: { readonly nonce: number; readonly asked: Instant } | undefined
}

export type Dialling = {
  readonly next: Instant
  readonly failures: number
  readonly underway: boolean
}

/** What we say about ourselves, all but what the protocol adds. */
export type Content = Pick<MemberRecord, 'name' | 'enforces' | 'control' | 'tunnels'>

/** What became of a seed: the peer it led to, once it did, and what stood in the way of the last dial. */
export type SeedState = { readonly peer: PeerId | undefined; readonly trouble: DialFailure | 'unwelcome' | 'evicted' | undefined }

/** How often a member came back from the dead, and when last: see `detector.ts`. */
export type Flaps = { readonly count: number; readonly at: Instant }

/** What comparing views took so far: how often we began to, and the bytes of digests and summaries that we sent. */
type Comparisons = { readonly begun: number; readonly bytes: number }

export type State = Judgement & {
  /** When this member started, or was last alone: since then it must have exchanged views before it removes anything. */
  readonly aloneUntil: Instant
  readonly content: Content
  /** The highest of ours that was ever seen: that of our record, unless `refutes`. */
  readonly incarnation: Incarnation
  /** When our last record was made, and whether a refutation waits for its turn. */
  readonly publishedAt: Instant
  readonly refutes: boolean
  readonly leaving: { readonly since: Instant; readonly farewells: Set<PeerId> } | undefined
  readonly left: boolean
  readonly view: View
  /** Who is a member no more: these are kept for ever. */
  readonly evictions: Evictions
  /** The keys that speak for the mesh, from the one after the first. */
  readonly lineage: Lineage
  /** One that was to be the next as well, and lost its place to another, or never got one. */
  readonly contested: PeerId | undefined
  /** What admitted us before a later key certified us anew: it does so again should that key lose its place. */
  readonly fallback: Admission | undefined
  readonly heard: Heard
  /** Whose membership has ended, since when we know, and whose entries have stood long enough since. */
  readonly ended: Ended
  readonly lapsed: Set<PeerId>
  /** The digest of view and evictions. */
  readonly root: Bytes
  /** The view that the standings were derived from, and of whom it is not ours any more. */
  readonly judged: View
  readonly unjudged: Set<PeerId>
  readonly circle: Circle
  readonly flaps: Map<PeerId, Flaps>
  /** How late our own timers run: more with each that is, less with every second in which none is. See `strain.ts`. */
  readonly strain: { readonly score: number; readonly at: Instant }
  /** Another machine that runs with our key. */
  readonly clone: Clone | undefined
  readonly comparisons: Comparisons
  readonly links: Map<LinkId, Link>
  readonly watches: Map<PeerId, Watch>
  readonly dials: Map<Target, Dialling>
  /** Where members were found, and the tries to find them: see `reach.ts`. */
  readonly reached: Map<PeerId, ReadonlySet<IpAddress>>
  readonly tries: Map<PeerId, Dialling>
  readonly seeds: Map<Seed, SeedState>
  /** Hashes of the envelopes in the view, and of the evictions, so that what is known is not verified again. */
  readonly seen: Set<string>
  /** Peers that broke the protocol, and until when they are left alone. */
  readonly shunned: Map<PeerId, Instant>
  /** How much was new to us so far, and how much of no use peers may still say: see `allowance.ts`. */
  readonly news: number
  readonly allowances: Map<PeerId, Allowance>
  /** Whether a view has been found equal to some member's since then. */
  readonly exchanged: boolean
  /** When members died, of late. */
  readonly deaths: readonly Instant[]
  readonly nextBeat: Instant
  /** When somebody who stays silent is to be doubted, before the next beat. */
  readonly doubtAt: Instant | undefined
  /** When the shell was asked to wake us: how late it does tells how far our own deadlines can be trusted. */
  readonly due: Instant
  readonly nextNonce: number
  /** How many received things were dropped, by reason. */
  readonly dropped: Map<string, number>
}

/** What never changes while a member lives, and the dice. */
export type Environment = {
  /** Which keys came after the first is part of the state. */
  readonly trust: Omit<Trust, 'lineage'>
  readonly signer: Signer
  /** What admits us when we begin: it may be renewed, see `ownAdmission`. */
  readonly admission: Admission
  readonly bootId: string
  readonly random: Random
  /** The wall clock, by which invites expire. */
  readonly wall: () => WallTime
}

export type Input =
  | ({ readonly kind: 'linked'; readonly link: LinkId } & Pick<Link, 'peer' | 'dialled'> & Partial<Pick<Link, 'at'>>)
  | { readonly kind: 'unlinked'; readonly link: LinkId }
  | { readonly kind: 'frame'; readonly link: LinkId; readonly bytes: Bytes }
  | { readonly kind: 'congested'; readonly link: LinkId }
  | { readonly kind: 'drained'; readonly link: LinkId }
  | { readonly kind: 'undialled'; readonly target: Target; readonly failure: DialFailure }
  /** Whether that very member was found at an address. */
  | { readonly kind: 'tried'; readonly peer: PeerId; readonly address: IpAddress; readonly found: boolean }
  /** A member may be there: see `candidates.ts`. */
  | { readonly kind: 'approach'; readonly place: Seed }
  /** What we say about ourselves has changed. */
  | { readonly kind: 'announce'; readonly content: Content }
  /** We were admitted anew, by another invite. */
  | { readonly kind: 'renew'; readonly admission: Admission }
  | { readonly kind: 'leave' }
  /** The mesh key says that somebody is a member no more: verified. */
  | { readonly kind: 'evict'; readonly eviction: Eviction }
  /** Another key speaks for the mesh: verified. */
  | { readonly kind: 'succeed'; readonly lineage: Lineage }
  /** That key certified a member anew: verified. */
  | { readonly kind: 'reissue'; readonly reissue: Reissue }
  | { readonly kind: 'tick' }

export type Effect =
  /** Write it down, and sync it, before anything after it is carried out. */
  | { readonly kind: 'persist'; readonly incarnation: Incarnation }
  | { readonly kind: 'evict'; readonly evictions: Evictions; readonly eviction: Eviction }
  /** Other keys speak for the mesh: to be written down as well. */
  | { readonly kind: 'succeed'; readonly lineage: Lineage }
  /** We were certified anew: to be written down before it is shown. */
  | { readonly kind: 'admitted'; readonly admission: Admission; readonly former: Admission | undefined }
  /** Two keys were each to be the next. */
  | { readonly kind: 'contested'; readonly key: PeerId }
  | { readonly kind: 'send'; readonly link: LinkId; readonly bytes: Bytes }
  | { readonly kind: 'dial'; readonly target: Target; readonly addresses: readonly ControlAddress[] | undefined }
  /** Find out whether that member is there, and make no link. */
  | { readonly kind: 'try'; readonly peer: PeerId; readonly place: ControlAddress }
  | { readonly kind: 'unlink'; readonly link: LinkId; readonly reason: string }
  /** A member's standing changed; `was` is undefined for a new member. */
  | { readonly kind: 'member'; readonly record: MemberRecord; readonly was: Standing | undefined; readonly is: Standing }
  /** Something received was not believed. */
  | { readonly kind: 'dropped'; readonly peer: PeerId; readonly reason: string }
  /** A seed does not lead to a link, for now. */
  | { readonly kind: 'trouble'; readonly seed: Seed; readonly trouble: NonNullable<SeedState['trouble']> }
  /** Another machine was found to run with our key, or no longer does: `undefined`. */
  | { readonly kind: 'cloned'; readonly clone: Clone | undefined }
  /** The view or a standing changed: the kernel may have to follow. */
  | { readonly kind: 'changed' }
  /** Our leave has reached others, or as many as could be waited for. */
  | { readonly kind: 'left' }

/** One step under way. Local to the step: what leaves it is a new state and a list of effects. */
export type Turn = {
  readonly env: Environment
  readonly now: Instant
  state: State
  readonly effects: Effect[]
  /** Frames being put together, one for each link: what arises in a turn leaves in one frame. */
  readonly drafts: globalThis.Map<LinkId, Draft>
}

/** How often a link between observers carries a frame. */
export const BEAT = milliseconds(250)

/** Silence on a link for this long is worth a question to others: four beats in a row did not come, though one that stood still for a second had its time. */
export const SILENCE = milliseconds(1300)

/**
 * One that stood still for so long and went on may do so again, and then what it says first may be lost on the way to all at
 * once: for a while it gets as long and two beats, twice the usual at most. Who was away for longer stood not still.
 */
export const STILL = milliseconds(750)
export const STILL_COUNTS = seconds(600)

/** A member that this watch never heard gets longer: it may be starting, or we may. */
export const FIRST_SILENCE = seconds(5)

/** A host that refused connections and no longer does gets several dials before it is called silent. */
export const REFUSAL_SILENCE = seconds(5)

/** How long others have to answer a question before it is put again. */
export const INQUIRY = milliseconds(500)

/** How long both ends of a connection have to show certificates. */
export const GREETING = seconds(3)

/** How long a leave waits for others to have heard it. */
export const LEAVE_WAIT = milliseconds(200)

/** Views found different for this long, with news on the way having had its time, are compared. */
export const COMPARE_AFTER = milliseconds(300)

/** How often one link compares views, at most. */
export const COMPARE_EVERY = seconds(1)

/** Links that carry no heartbeat carry the root this often. */
export const ANTI_ENTROPY = seconds(10)

/** Later than this and our own clock is the suspect: all deadlines start anew. */
export const OWN_LAG = milliseconds(250)

/** How long a peer that broke the protocol is left alone. */
export const SHUN = seconds(60)
