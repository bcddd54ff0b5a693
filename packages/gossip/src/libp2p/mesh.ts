/** The running protocol: one state, one queue of inputs, one timer, and the effects carried out in order. */
import { randomBytes } from 'node:crypto'
import {
  addressRange,
  instant,
  type Admission,
  type Clock,
  type ControlAddress,
  type Eviction,
  type Evictions,
  type Incarnation,
  type IpAddress,
  type Lineage,
  type MeshId,
  type MemberRecord,
  type PeerId,
  type Random,
  type Reissue,
  type Standing,
  type View,
  type WallTime,
} from '@vxmesh/core'
import type { Clone } from '../clone.ts'
import { begin, step, type Saved, type Step } from '../protocol.ts'
import type { Content, Effect, Environment, Input, Seed, SeedState, State } from '../state.ts'
import { envelopeVerifier, type Identity } from './signer.ts'
import { startTransport, type Transport } from './transport.ts'

/** What the owner of a mesh is told. */
export type MeshListener = {
  /** Must have written the number down, and synced it, when it returns. */
  persist(incarnation: Incarnation): void
  /** Must have written all evictions down, and synced them, when it returns. `eviction` is the one that came. */
  evict(evictions: Evictions, eviction: Eviction): void
  /** Other keys speak for the mesh: must have been written down when it returns. */
  succeed(lineage: Lineage): void
  /** We were certified anew, and `former` is what counts again if the key that did so loses its place; or it has: must have been written down when it returns. */
  admitted(admission: Admission, former: Admission | undefined): void
  /** Two keys were each to be the next of the mesh: this one lost its place, or never got it. */
  contested(key: PeerId): void
  /** The view or a standing changed. */
  changed(): void
  member(record: MemberRecord, was: Standing | undefined, is: Standing): void
  dropped(peer: PeerId, reason: string): void
  /** Another machine runs with our key, or, `undefined`, no longer seems to. */
  cloned(clone: Clone | undefined): void
  /** A seed does not lead to a link, for now; said at every dial of it. */
  trouble(seed: Seed, trouble: NonNullable<SeedState['trouble']>): void
}

export type MeshOptions = {
  readonly identity: Identity
  readonly mesh: MeshId
  readonly admission: Admission
  readonly listen: readonly ControlAddress[]
  /** What we say about ourselves, all but where we listen. */
  readonly content: Omit<Content, 'control'>
  /** The highest incarnation this member may ever have announced. */
  readonly above: Incarnation
  readonly seeds: readonly Seed[]
  /** The port that a seed without one is dialled at. */
  readonly seedPort: number
  readonly saved: Saved
  /** The keys of the mesh after the first, as far as they are known. */
  readonly lineage: Lineage
  /** What we were a member by before a later key certified us anew, if one did. */
  readonly fallback?: Admission | undefined
  readonly clock: Clock
  readonly random: Random
  /** The wall clock. */
  readonly wall: () => WallTime
  readonly listener: MeshListener
}

export type Mesh = {
  readonly listening: readonly ControlAddress[]
  /** The protocol's state, immutable: whoever reads it has a picture of one moment. */
  state(): State
  announce(content: Omit<Content, 'control'>): void
  /** Dials a place where a member may be, once. */
  approach(place: Seed): void
  /** Listens at other addresses of this host from now on, and dials everybody anew. */
  move(addresses: readonly IpAddress[]): Promise<void>
  /** The mesh key says that somebody is a member no more. */
  evict(eviction: Eviction): void
  /** Another key speaks for the mesh. */
  succeed(lineage: Lineage): void
  /** That key certified a member anew. */
  reissue(reissue: Reissue): void
  /** From now on we are a member by this, and say so. */
  renew(admission: Admission): void
  /** Resolves when the signed leave has reached others, or as many as could be waited for. The mesh still has to be stopped. */
  leave(): Promise<void>
  /** Ends every link and tells nobody anything: the others see a member that restarts. */
  stop(): Promise<void>
}

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { identity, mesh, admission, listener, clock, random, wall } = options
  const bootId = randomBytes(8).toString('hex')
  const env: Environment = { trust: { mesh, verifier: envelopeVerifier }, signer: identity, admission, bootId, random, wall }
  const departure = Promise.withResolvers<undefined>()
  const inputs: Input[] = []
  let state: State | undefined
  let busy = false
  let timer: NodeJS.Timeout | undefined

  const feed = (input: Input): void => {
    inputs.push(input)
    if (state !== undefined && !busy) drain()
  }
  const transport = await startTransport(identity, options.listen, options.seedPort, {
    linked: (link, peer, dialled, at) => feed({ kind: 'linked', link, peer, dialled, at }),
    unlinked: (link) => feed({ kind: 'unlinked', link }),
    frame: (link, bytes) => {
      feed({ kind: 'frame', link, bytes })
      if (state?.links.get(link)?.phase === 'open') transport.admitted(link)
    },
    congested: (link) => feed({ kind: 'congested', link }),
    drained: (link) => feed({ kind: 'drained', link }),
    undialled: (target, failure) => feed({ kind: 'undialled', target, failure }),
    knows: (address) => addressRange(address) === 'loopback' || (state !== undefined && membersAt(state).has(address)),
    garbled: (peer, reason) => listener.dropped(peer, reason),
  })

  function drain(): void {
    busy = true
    for (let input = inputs.shift(); input !== undefined && state !== undefined; input = inputs.shift()) {
      advance(step(state, input, clock.now(), env))
    }
    busy = false
    arm()
  }
  function advance(next: Step): void {
    state = next.state
    for (const effect of next.effects) perform(effect, { transport, listener, left: () => departure.resolve(undefined), look })
  }
  function look(peer: PeerId, place: ControlAddress): void {
    void transport.finds(peer, place).then((found) => feed({ kind: 'tried', peer, address: place.address, found }))
  }
  function arm(): void {
    clearTimeout(timer)
    if (state === undefined || state.left) return
    timer = setTimeout(() => feed({ kind: 'tick' }), Math.max(0, Math.ceil(state.due - clock.now())))
  }

  const control = (content: Omit<Content, 'control'>): Content => ({ ...content, control: transport.listening })
  busy = true
  const { above, seeds, saved, lineage, fallback } = options
  advance(begin({ content: control(options.content), above, seeds, saved, lineage, fallback }, clock.now(), env))
  drain()

  return {
    get listening() {
      return transport.listening
    },
    move: async (addresses) => transport.move(addresses),
    state: () => state!,
    announce: (content) => feed({ kind: 'announce', content: control(content) }),
    approach: (place) => feed({ kind: 'approach', place }),
    evict: (eviction) => feed({ kind: 'evict', eviction }),
    succeed: (later) => feed({ kind: 'succeed', lineage: later }),
    reissue: (reissue) => feed({ kind: 'reissue', reissue }),
    renew: (renewed) => feed({ kind: 'renew', admission: renewed }),
    leave: async () => {
      feed({ kind: 'leave' })
      await departure.promise
    },
    stop: async () => {
      clearTimeout(timer)
      state = state === undefined ? undefined : { ...state, left: true, due: instant(Infinity) }
      await transport.stop()
    },
  }
}

const places = new WeakMap<View, Pick<State, 'shunned'> & { readonly at: ReadonlySet<IpAddress> }>()

/** Where members are, by their own word, but for those that are cut off: they would come back as fast as they can. */
function membersAt({ view, shunned }: State): ReadonlySet<IpAddress> {
  const known = places.get(view)
  if (known?.shunned === shunned) return known.at
  const records = [...view].flatMap(([peer, { signed, evicted }]) => (evicted || shunned.has(peer) ? [] : [signed.record]))
  const made = new Set(records.flatMap(({ control }) => control.map(({ address }) => address)))
  places.set(view, { shunned, at: made })
  return made
}

type Means = {
  readonly transport: Transport
  readonly listener: MeshListener
  readonly left: () => void
  readonly look: (peer: PeerId, place: ControlAddress) => void
}

function perform(effect: Effect, { transport, listener, left, look }: Means): void {
  switch (effect.kind) {
    case 'persist':
      return listener.persist(effect.incarnation)
    case 'evict':
      return listener.evict(effect.evictions, effect.eviction)
    case 'succeed':
      return listener.succeed(effect.lineage)
    case 'admitted':
      return listener.admitted(effect.admission, effect.former)
    case 'contested':
      return listener.contested(effect.key)
    case 'send':
      return transport.send(effect.link, effect.bytes)
    case 'dial':
      return transport.dial(effect.target, effect.addresses)
    case 'try':
      return look(effect.peer, effect.place)
    case 'unlink':
      return transport.unlink(effect.link, effect.reason)
    case 'member':
      return listener.member(effect.record, effect.was, effect.is)
    case 'dropped':
      return listener.dropped(effect.peer, effect.reason)
    case 'trouble':
      return listener.trouble(effect.seed, effect.trouble)
    case 'cloned':
      return listener.cloned(effect.clone)
    case 'changed':
      return listener.changed()
    case 'left':
      return left()
    default:
      return effect satisfies never
  }
}
