/**
 * The laws, checked after every step of every host against what really is: who signed what, who
 * could be heard by whom. A law that breaks ends the simulation with its seed, the time, the host and the last lines.
 */
import {
  issuerIn,
  mergeLineages,
  elapsed,
  holds,
  isHeld,
  hostOf,
  isForwarded,
  seconds,
  type Instant,
  plan,
  sameTunnel,
  slot,
  tunnelWords,
  type Entry,
  type Operation,
  type Reading,
  type PeerId,
  type Slot,
  type TunnelClaim,
} from '@vxmesh/core'
import { ALLOWANCE, evictionsDigest, parseFrame, rootOf, type Effect, type State } from '@vxmesh/gossip'
import type { Host } from './host.ts'
import type { Turn } from './reconcile.ts'
import type { World } from './world.ts'
import { Truth } from './truth.ts'

/** What the kernel held before and after a turn, and which operations it refused. */
type Written = {
  readonly before: Reading | undefined
  readonly after: Reading | undefined
  readonly refused: ReadonlySet<Operation>
}

export class LawBroken extends Error {
  override readonly name = 'LawBroken'
}

/** Members left alone at the door, or with one dial each, and what else a member may have to remember of one other. */
const LINKS_A_PEER = 4
const LINKS_AT_THE_DOOR = 256
const REASONS_MOST = 40

/** What a member remembers, but for its watches, of which there is a new one with every frame. */
const SIZED = ['links', 'dials', 'shunned', 'dropped', 'seeds', 'view', 'heard'] as const

/** How often the standing or the place of an identity that runs twice may change for one other member, and within what. */
const FLAPS_MOST = 20
const FLAPS_WITHIN = seconds(60)

/** In how many steps allowances are looked at once. */
const ALLOWANCES_EVERY = 64

/** No record fits into a frame this short. */
const HEARTBEAT_MOST = 150

export class Laws {
  readonly #replay: string
  readonly #hosts: readonly Host[]
  readonly #every: number
  readonly truth: Truth
  /** What each host's reconciler ever added: on a device that somebody else made, nothing else is its own. */
  readonly #added = new Map<Host, Set<Slot>>()
  /** How many steps of the protocol were looked at. */
  steps = 0
  #world: World | undefined
  /** Identities that two hosts have, and when each member saw one of them change its standing or its place. */
  readonly #clones = new Set<PeerId>()
  readonly #flaps = new Map<Host, readonly Instant[]>()
  /** The mesh key was rotated, and who is a member was certified anew. */
  rotated = false
  /** Whom the mesh key evicted. */
  readonly #evicted = new Set<PeerId>()

  /**
   * @param replay how the same history is had again
   * @param every looks at one step of the protocol in so many: in a large mesh a look costs more than the step
   */
  constructor(replay: string, hosts: readonly Host[], every = 1) {
    this.#every = every
    this.#replay = replay
    this.#hosts = hosts
    this.truth = new Truth(hosts)
  }

  over(world: World): void {
    this.#world = world
    this.truth.over(world)
  }

  #of(): World {
    if (this.#world === undefined) throw new Error('laws without a world')
    return this.#world
  }

  /** Two hosts have this identity: nobody else may suffer from it. */
  cloned(peer: PeerId): void {
    this.#clones.add(peer)
    for (const host of this.#hosts) if (host.peer === peer) this.truth.lies(host)
  }

  /** From now on the mesh key says that this one is a member no more: nobody has to spare it. */
  evicted(host: Host): void {
    this.#evicted.add(host.peer)
    this.truth.lies(host)
  }

  /** After every step of the protocol. */
  stepped(host: Host, before: State | undefined, state: State, effects: readonly Effect[]): void {
    this.steps++
    if (this.steps % this.#every !== 0) return
    if (this.#clones.size > 0) this.#calm(host, effects)
    if (before === undefined || before.view !== state.view) this.#beliefs(host, before, state)
    if (before !== undefined && before.evictions !== state.evictions && before.evictions.some((_, key) => !state.evictions.has(key)))
      this.broken(host, 'law 1', 'forgot an eviction')
    if (before !== undefined && mergeLineages(state.lineage, before.lineage) !== state.lineage)
      this.broken(host, 'law 1', 'went back to an earlier key of the mesh')
    if (before === undefined || SIZED.some((part) => before[part] !== state[part]) || before.watches.size !== state.watches.size)
      this.#sizes(host, state)
    // What a peer used up comes back slowly: looking now and then misses none of it.
    if (this.steps % ALLOWANCES_EVERY === 0) this.#allowances(host, state)
    this.#greetings(host, before, state, effects)
    this.#words(host, before, state, effects)
  }

  /** What two hosts with one identity do to each other is their affair: the others see it change seldom. */
  #calm(host: Host, effects: readonly Effect[]): void {
    for (const effect of effects) if (effect.kind === 'member') this.#flap(host, effect.record.peer)
  }

  #flap(host: Host, peer: PeerId | undefined): void {
    if (peer === undefined || !this.#clones.has(peer) || host.peer === peer) return
    const { now } = this.#of().schedule
    const flaps = [...(this.#flaps.get(host) ?? []), now].filter((at) => elapsed(at, now) < FLAPS_WITHIN)
    this.#flaps.set(host, flaps)
    if (flaps.length > FLAPS_MOST)
      this.broken(host, 'law 3', `saw a member that runs twice change ${String(flaps.length)} times in a minute`)
  }

  /** Law 2: nothing believed goes back, and nobody is believed at what they never signed. */
  #beliefs(host: Host, before: State | undefined, state: State): void {
    const { seals } = this.#of()
    let kept = 0
    let hashes = state.evictions.size
    state.view.forEach((belief, peer) => {
      const held = before?.view.get(peer)
      if (held !== undefined) kept++
      hashes += 1 + belief.accusations.size + Number(belief.reissue !== undefined)
      if (held === belief) return
      const { record, hash } = belief.signed
      if (record.peer !== peer || !seals.sealed(peer, hash)) this.broken(host, 'law 2', `believes what ${peer} never signed`)
      // What a key certified that has lost its place to another was never said, as far as all others know.
      const founded = held !== undefined && issuerIn(seals.mesh, state.lineage, held.signed.admission.issuer.key).generation >= 0
      if (founded && record.incarnation < held.signed.record.incarnation) this.broken(host, 'law 2', `went back on ${record.name}`)
      for (const [observer, accusation] of belief.accusations) {
        const own = accusation.observer === observer && accusation.subject === peer && accusation.incarnation === record.incarnation
        if (!own || !seals.sealed(observer, accusation.hash))
          this.broken(host, 'law 3', `believes an accusation of ${record.name} that is not one`)
      }
    })
    if (before !== undefined && kept < before.view.size) this.broken(host, 'law 2', 'forgot a member')
    if (state.seen.size > hashes) this.broken(host, 'law 7', `remembers ${String(state.seen.size)} hashes for ${String(hashes)} envelopes`)
  }

  /** Law 7: what a member remembers is bounded by how many members and seeds there are, whatever it is sent. */
  #sizes(host: Host, state: State): void {
    const { links, dials, watches, shunned, allowances, dropped, seeds, view, heard } = state
    const known = view.size + seeds.size
    const bounds = {
      'links at the door': [links.count(({ phase }) => phase === 'greeting'), LINKS_A_PEER * known + LINKS_AT_THE_DOOR],
      'open links': [links.count(({ phase }) => phase === 'open'), new Set([...links.values()].map(({ peer }) => peer)).size],
      dials: [dials.size, known],
      watches: [watches.size, view.size + links.size],
      shunned: [shunned.size, view.size],
      allowances: [allowances.size, view.size + links.size],
      heard: [heard.size, view.size],
      'dropped reasons': [dropped.size, REASONS_MOST],
    } as const
    for (const [what, [size, most]] of Object.entries(bounds)) {
      if (size > most) this.broken(host, 'law 7', `${String(size)} ${what}, where ${String(most)} are enough`)
    }
  }

  /** Nobody honest is near to being cut off for all that it says: see `allowance.ts`. */
  #allowances(host: Host, state: State): void {
    for (const [peer, { left }] of state.allowances) {
      if (left < ALLOWANCE / 2 && this.truth.isHonest(peer) && this.truth.isHonest(host.peer))
        this.broken(
          host,
          'law 3',
          `hears so much of ${state.view.get(peer)?.signed.record.name ?? peer} that ${left.toFixed(0)} is left to it`,
        )
    }
  }

  /** A peer that is not admitted is told nothing. */
  #greetings(host: Host, before: State | undefined, state: State, effects: readonly Effect[]): void {
    for (const effect of effects) {
      const held = effect.kind === 'send' ? state.links.get(effect.link) : undefined
      if (held?.phase !== 'greeting') continue
      const frames = effects.filter((each) => each.kind === 'send' && each.link === held.id).length
      if (held.dialled === undefined || frames > 1 || before?.links.has(held.id) === true)
        this.broken(host, 'admission', 'spoke to a stranger')
    }
  }

  /** Law 2: what a member says of itself is on its disk before anybody hears it, and what it says of others it verified. */
  #words(host: Host, before: State | undefined, state: State, effects: readonly Effect[]): void {
    const said = state.view.get(host.peer)?.signed
    if (said !== undefined && said.bytes !== before?.view.get(host.peer)?.signed.bytes) {
      const written = effects.findIndex((effect) => effect.kind === 'persist' && effect.incarnation === said.record.incarnation)
      const heard = effects.findIndex((effect) => effect.kind === 'send' && Buffer.from(effect.bytes).includes(said.bytes))
      if (written === -1 || (heard !== -1 && heard < written)) this.broken(host, 'law 2', 'announced what was not written down')
    }
    const { seals } = this.#of()
    for (const effect of effects) {
      if (effect.kind !== 'send' || effect.bytes.length < HEARTBEAT_MOST) continue
      const frame = parseFrame(effect.bytes)
      const { records = [], accusations = [], evictions = [], successions = [], reissues = [] } = frame.ok ? frame.value : {}
      if (![...records, ...accusations, ...evictions, ...successions, ...reissues].every((envelope) => seals.genuine(envelope)))
        this.broken(host, 'law 2', 'passes on what nobody signed')
    }
  }

  /** Before a turn of the reconciler is carried out. */
  planned(host: Host, { state, claim, operations, reading, ours, hold }: Turn): void {
    if (operations.some(({ kind }) => kind === 'remove')) this.truth.witness()
    for (const { kind, entry } of operations) {
      const place = slot(entry)
      if (this.#clones.size > 0 && entry.kind === 'flood') this.#flap(host, this.#hosts.find((each) => each.has(entry.underlay))?.peer)
      const added = this.#added.get(host) ?? new Set()
      if (kind !== 'add') {
        const adopted = reading.device.origin === 'adopted'
        if (adopted && !added.has(place)) this.broken(host, 'law 4', `${kind}s ${place}, which somebody else added`)
        if (!ours.has(place) || !reading.entries.has(place)) this.broken(host, 'law 4', `${kind}s ${place}, which is foreign`)
      }
      if (kind === 'remove') {
        const condemned = this.#isCondemned(host, state, entry, claim)
        if (hold !== undefined && !condemned) this.broken(host, 'law 4', `removes ${place} although ${hold.reason}`)
        if (!condemned) this.#mayRemove(host, state, entry, claim)
      } else {
        if (kind === 'replace' && hold?.replacements === true && !this.#isCondemned(host, state, entry, claim))
          this.broken(host, 'law 4', `replaces ${place} although ${hold.reason}`)
        this.#mayWrite(host, state, entry, claim)
        this.#added.set(host, added.add(place))
      }
    }
  }

  /** Law 1. */
  #mayWrite(host: Host, state: State, entry: Entry, own: TunnelClaim): void {
    const place = slot(entry)
    const itself =
      'underlay' in entry
        ? host.has(entry.underlay)
        : 'overlay' in entry && own.overlay.some((address) => hostOf(address) === entry.overlay)
    if (itself) this.broken(host, 'law 1', `adds its own address: ${place}`)
    const claimed = state.view.some(
      ({ signed }, peer) =>
        peer !== host.peer &&
        !state.evictions.has(peer) &&
        this.#of().seals.sealed(peer, signed.hash) &&
        signed.record.tunnels.some((tunnel) => isClaimed(entry, tunnel, own)) &&
        isForwarded(state.standings.get(peer) ?? { state: 'left' }),
    )
    if (!claimed) this.broken(host, 'law 1', `adds ${place}, which no living member claims`)
  }

  /** Whether a host may remove an entry because an eviction, its own perhaps, says so. */
  #isCondemned(host: Host, state: State, entry: Entry, own: TunnelClaim): boolean {
    return state.view.some(
      ({ signed }, peer) =>
        state.evictions.has(peer) && (peer === host.peer || signed.record.tunnels.some((tunnel) => isClaimed(entry, tunnel, own))),
    )
  }

  /** Law 3: see `truth.ts` for who is blameless. */
  #mayRemove(host: Host, state: State, entry: Entry, own: TunnelClaim): void {
    const place = slot(entry)
    for (const [peer, { signed }] of state.view) {
      const claims = signed.record.tunnels.some((tunnel) => isClaimed(entry, tunnel, own))
      if (!claims || state.standings.get(peer)?.state !== 'dead') continue
      const subject = this.#hosts.find((each) => each.peer === peer)
      if (subject !== undefined && this.truth.isBlameless(subject, host)) {
        this.broken(
          host,
          'law 3',
          `removes ${place} of ${subject.name}, which everybody else could hear for ${String(this.truth.bound / 1000)} s`,
        )
      }
    }
    const stranger = this.#hosts.find((each) => 'underlay' in entry && each.address === entry.underlay && !state.view.has(each.peer))
    if (stranger !== undefined && this.truth.isBlameless(stranger, host))
      this.broken(host, 'law 3', `removes ${place} of ${stranger.name}, of which it has not even heard`)
    // Whom all others have told that they leave waits for nobody.
    const expects =
      state.view.size <= 1 ||
      state.view.some(({ signed }, peer) => peer !== host.peer && !signed.record.leaving && !state.evictions.has(peer))
    if (expects && !this.truth.couldHear(host)) this.broken(host, 'law 4', `removes ${place} though it hears nobody`)
  }

  /** Laws 4 and 6: after a turn was carried out, but for what the kernel refused. */
  applied(host: Host, { state, claim, desired, hold, reading, ours }: Turn, { before, after, refused }: Written): void {
    if (after === undefined) return this.broken(host, 'law 6', 'lost its device')
    for (const [place, entry] of before?.entries ?? []) {
      if (!ours.has(place) && !holds(after.entries, entry)) this.broken(host, 'law 4', `changed ${place}, which is foreign`)
    }
    // Somebody else wrote to the kernel while it took its time: the next turn sees that.
    if (!sameSlots(before?.entries, reading.entries)) return
    const left = new Set([...refused].map(({ entry }) => slot(entry)))
    const rest = plan(desired.table, { entries: after.entries, ours })
    const undone = rest.filter((each) => !left.has(slot(each.entry)) && !isHeld(each, hold, desired.evicted, false))
    if (undone.length > 0) this.broken(host, 'law 6', `a second plan of ${String(undone.length)} operations`)
    for (const place of after.entries.keys()) {
      const wanted = desired.table.has(place)
      if (!wanted && ours.has(place) && !left.has(place)) this.#mayStay(host, state, place, claim)
      const kept = !ours.has(place) || hold !== undefined || left.has(place)
      if (!wanted && !kept) this.broken(host, 'law 6', `${place} is there and not desired`)
    }
  }

  /** Law 1: whoever knows that one is evicted has no entry for it, whatever else holds. */
  #mayStay(host: Host, state: State, place: Slot, own: TunnelClaim): void {
    for (const [peer, { signed }] of state.view) {
      const claims = signed.record.tunnels.some(
        (tunnel) => sameTunnel(tunnel, own) && slot({ kind: 'flood', underlay: tunnel.underlay }) === place,
      )
      if (claims && state.evictions.has(peer)) this.broken(host, 'law 1', `keeps ${place}, which an evicted member claims`)
    }
  }

  /** Law 5: once faults have stopped for long enough. */
  converged(): void {
    const [first] = this.disagreements()
    if (first !== undefined) this.broken(first.host, 'law 5', first.what)
  }

  /** What is still to come until all agree. */
  *disagreements(): Generator<{ readonly host: Host; readonly what: string }> {
    const running = this.#hosts.filter(
      (host) => host.condition === 'listening' && !this.#clones.has(host.peer) && !this.#evicted.has(host.peer),
    )
    const [first] = running
    for (const host of running) {
      const { state } = host
      if (state === undefined || first?.state === undefined) continue
      if (digest(state) !== digest(first.state))
        yield { host, what: `does not see what ${first.name} sees\n${contrast(state, first.state)}` }
      for (const { operations, desired, claim, hold } of host.turns()) {
        if (hold !== undefined && running.length > 1) yield { host, what: `still removes nothing: ${hold.reason}` }
        if (operations.length > 0) yield { host, what: `still has ${String(operations.length)} operations to do` }
        const expected = running.filter((other) => other !== host && other.carries(claim)).map((other) => other.address)
        const held = new Set([...desired.table.values()].flatMap((entry) => (entry.kind === 'flood' ? [entry.underlay] : [])))
        const missing = expected.filter((address) => !held.has(address))
        if (missing.length > 0) yield { host, what: `does not want ${missing.join(', ')} for ${tunnelWords(claim)}` }
      }
      const unknown = [...this.#evicted].filter((peer) => !state.evictions.has(peer))
      if (unknown.length > 0) yield { host, what: `does not know that ${unknown.join(', ')} is evicted` }
      const former = running.filter((other) => state.view.get(other.peer)?.signed.admission.issuer.generation !== state.lineage.length)
      if (this.rotated && former.length > 0)
        yield { host, what: `knows ${former.map(({ name }) => name).join(', ')} by a former key of the mesh` }
      const silent = running.filter((other) => state.view.get(other.peer)?.signed.record.enforces !== evictionsDigest(state))
      if (this.#every === 1 && silent.length > 0)
        yield { host, what: `does not know that ${silent.map(({ name }) => name).join(', ')} enforces all evictions` }
    }
  }

  broken(host: Host, law: string, what: string): never {
    const { schedule, trace } = this.#of()
    const at = (schedule.now / 1000).toFixed(3)
    throw new LawBroken(`${law} is broken by ${host.name} at ${at} s: ${what}\n${trace.account(this.#replay)}`)
  }
}

function sameSlots(one: ReadonlyMap<Slot, unknown> | undefined, other: ReadonlyMap<Slot, unknown>): boolean {
  return one?.size === other.size && [...other.keys()].every((place) => one.has(place))
}

/** Whether an entry is what a claim calls for, in our tunnel. */
function isClaimed(entry: Entry, claim: TunnelClaim, own: TunnelClaim): boolean {
  const { underlay, mac, overlay } = claim
  return (
    sameTunnel(claim, own) &&
    (!('underlay' in entry) || underlay === entry.underlay) &&
    (!('mac' in entry) || mac === entry.mac) &&
    (!('overlay' in entry) || overlay.some((address) => hostOf(address) === entry.overlay))
  )
}

function digest(state: State): string {
  return Buffer.from(rootOf(state)).toString('hex')
}

function contrast(one: State, other: State): string {
  const lines = (state: State) =>
    new Set(
      [...state.view.values()].map(({ signed: { record, hash }, accusations }) => {
        const accusers = [...accusations.values()].map((each) => `${each.observer.slice(8, 14)} ${each.testimony}`).toSorted()
        return `${record.name} ${String(record.incarnation)} ${hash.slice(0, 8)} accused by ${accusers.join(', ') || 'nobody'}`
      }),
    )
  const [ours, theirs] = [lines(one), lines(other)]
  return [
    ...[...ours].filter((line) => !theirs.has(line)).map((line) => `- ${line}`),
    ...[...theirs].filter((line) => !ours.has(line)).map((line) => `+ ${line}`),
  ].join('\n')
}
