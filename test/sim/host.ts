/**
 * One simulated host: a machine, a disk, clocks, and a daemon that is the real protocol driven through `begin` and `step`
 * and the real decision about the kernel. What the project's daemon does with promises and timers happens here on the
 * schedule: a tick when the state is due, a turn of the reconciler when anything wakes it, each when the processor is free.
 */
import {
  after,
  milliseconds,
  parseIncarnation,
  parseWallTime,
  sameTunnel,
  slot,
  sure,
  unreachable,
  wallTime,
  type Bytes,
  type Device,
  type Duration,
  type Instant,
  type IpAddress,
  type PeerId,
  type Signer,
  type TunnelClaim,
  type TunnelName,
} from '@vxmesh/core'
import {
  BEAT,
  begin,
  evictionsDigest,
  sealRecord,
  step,
  type Content,
  type Effect,
  type Environment,
  type Input,
  type LinkId,
  type Seed,
  type State,
  type Step,
} from '@vxmesh/gossip'
import type { MemoryHost } from '@vxmesh/kernel-adapter'
import { Attention, type Costs } from './attention.ts'
import { HostClock } from './clock.ts'
import { asSeenBy, FORMED_BOOT, type Formed } from './formed.ts'
import { Disk, envelopes, type Files } from './disk.ts'
import { Machine, type MachineOptions } from './machine.ts'
import type { Station } from './network.ts'
import { carryOutTurn, decideTurn, withdraw, type Turn } from './reconcile.ts'
import { Reconciler } from './reconciler.ts'
import { peerNamed } from './seals.ts'
import { describe, describeEffect } from './trace.ts'
import { CONTROL_PORT, memberName, WALL_START, type World } from './world.ts'

export type HostOptions = MachineOptions & {
  readonly name: string
  /** Told apart in every world, so that the order of peer ids differs from seed to seed. */
  readonly identity: string
  readonly seeds: readonly Seed[]
  /** Where it stands: between sites it is far. */
  readonly site: string
  readonly costs: Costs
  /** Whether there is a kernel to keep, or only the time that it takes. */
  readonly kernel: 'simulated' | 'imagined'
}

export type StartOptions = {
  /** It has run for long: this is what everybody knows. */
  readonly formed?: Formed
  /** The state file is gone. */
  readonly withoutState?: boolean
  /** The state file is what it was at the last `backUp`. */
  readonly fromBackup?: boolean
  /** The wall clock is behind the truth by this much. */
  readonly clockBehind?: Duration
  /** Its user no longer says where others are. */
  readonly withoutSeeds?: boolean
}

type Daemon = {
  readonly env: Environment
  readonly attention: Attention
  /** One for each tunnel. */
  readonly reconcilers: readonly Reconciler[]
  /** How many envelopes the step under way has opened. */
  readonly opened: () => number
  /** What it claims in each tunnel, in the order of its reconcilers. */
  claims: readonly TunnelClaim[]
  /** The evictions that its kernel is known to have followed. */
  enforces: string
  state: State
  tickAt: Instant | undefined
  saving: boolean
}

/** The view is on disk this long after it changed. */
const SAVE_AFTER = milliseconds(500)

/** How late timers are, at most. */
const TIMER_LAG = milliseconds(2)

const NO_TIME = milliseconds(0)

export class Host implements Station {
  readonly name: string
  readonly peer: PeerId
  readonly signer: Signer
  readonly site: string
  readonly clock: HostClock
  readonly disk = new Disk()
  life = 0
  /** Whom its reconciler took out of the flood, for whatever reason. */
  readonly removals: { readonly at: Instant; readonly underlay: IpAddress }[] = []
  /** Every frame that arrives is shown here. */
  overheard: ((bytes: Bytes) => void) | undefined
  /** Is told when a turn of its reconciler is over: its kernel has followed what it believes. */
  followed: (() => void) | undefined
  /** What one that defies its eviction hears of a frame. */
  deafened: ((bytes: Bytes) => Bytes) | undefined
  /** What a liar lets out of a frame that an honest daemon would have sent. */
  censor: ((bytes: Bytes) => Bytes) | undefined
  readonly #world: World
  readonly #machine: Machine
  readonly #seeds: readonly Seed[]
  readonly #costs: Costs
  readonly #kernel: HostOptions['kernel']
  #daemon: Daemon | undefined
  #power = true
  #links = 0

  constructor(world: World, options: HostOptions) {
    this.name = options.name
    this.peer = peerNamed(options.identity)
    this.signer = world.seals.signer(this.peer)
    this.site = options.site
    this.clock = new HostClock(world.dice)
    this.#world = world
    this.#seeds = options.seeds
    this.#costs = options.costs
    this.#kernel = options.kernel
    this.#machine = new Machine(options, world.seals.mesh, () => this.#daemon?.reconcilers.forEach((reconciler) => reconciler.hint()))
  }

  get condition(): Station['condition'] {
    if (!this.#power) return 'off'
    if (this.#daemon === undefined) return 'idle'
    return this.#daemon.attention.paused ? 'paused' : 'listening'
  }

  get address(): IpAddress {
    return this.#machine.address
  }

  get kernel(): MemoryHost {
    return this.#machine.kernel
  }

  /** What is wrong with writing to its kernel. */
  get writing(): Machine['writing'] {
    return this.#machine.writing
  }

  set writing(how: Machine['writing']) {
    this.#machine.writing = how
  }

  /** The protocol's state; undefined while no daemon runs. */
  get state(): State | undefined {
    return this.#daemon?.state
  }

  get env(): Environment | undefined {
    return this.#daemon?.env
  }

  carries(tunnel: TunnelName): boolean {
    return this.#machine.specs.some((spec) => sameTunnel(spec, tunnel))
  }

  has(address: string): boolean {
    return this.#machine.has(address)
  }

  nextLink(): LinkId {
    this.#links++
    return this.#links
  }

  /** What its daemon says of itself in a mesh that is formed. */
  introduce(): { readonly content: Content; readonly bytes: Bytes } {
    const { seals } = this.#world
    this.#keep({ claimedAt: this.disk.known.claimedAt ?? WALL_START })
    const content = this.#content(this.#establish())
    const record = { ...content, bootId: FORMED_BOOT, leaving: false, incarnation: sure(parseIncarnation(WALL_START)) }
    return { content, bytes: sealRecord(seals.mesh, this.signer, seals.admit(this.peer), record).bytes }
  }

  start({
    formed,
    withoutState = false,
    fromBackup = false,
    withoutSeeds = false,
    clockBehind = milliseconds(0),
  }: StartOptions = {}): void {
    if (!this.#power || this.#daemon !== undefined) return
    const { schedule, dice, seals } = this.#world
    this.clock.start(schedule.now)
    const wall = this.clock.wall(schedule.now) - clockBehind
    this.disk.open(withoutState ? 'lost' : fromBackup ? 'restored' : 'as they are')
    this.#keep({ claimedAt: this.disk.known.claimedAt ?? wall })
    this.life++
    this.#note('starts')
    const claims = this.#establish()
    const bootId = formed === undefined ? dice.below(2 ** 31).toString(16) : FORMED_BOOT
    const { trust, opened } = seals.counted()
    const env = {
      trust,
      signer: this.signer,
      admission: this.disk.known.admission ?? seals.admit(this.peer),
      bootId,
      random: () => dice.next(),
      wall: () => wallTime(this.clock.wall(schedule.now)),
    }
    const above = sure(parseIncarnation(Math.max(this.disk.known.incarnation, wall)))
    const seeds = withoutSeeds ? [] : this.#seeds
    const { lineage, former: fallback } = this.disk.known
    const beginning = { content: this.#content(claims), above, seeds, saved: envelopes(this.disk.known), lineage, fallback }
    const attention = new Attention(schedule)
    const reconcilers = claims.map(
      (_, tunnel) =>
        new Reconciler({
          schedule,
          attention,
          costs: this.#costs,
          slowness: () => (this.writing.kind === 'slow' ? this.writing.each : NO_TIME),
          decide: () => this.#decide(daemon, tunnel),
          carryOut: (turn) => this.#daemon !== daemon || this.#write(turn),
          done: () => {
            this.#enforce(daemon)
            this.followed?.()
          },
        }),
    )
    const now = this.clock.now(schedule.now)
    const first =
      formed === undefined
        ? begin(beginning, now, env)
        : resumed(asSeenBy(formed, this.peer, beginning.content, now, milliseconds(dice.between(0, BEAT))))
    const daemon: Daemon = {
      env,
      attention,
      reconcilers,
      opened,
      claims,
      enforces: '',
      state: first.state,
      tickAt: undefined,
      saving: false,
    }
    this.#daemon = daemon
    attention.take(() => {
      const spent = this.#stepped(daemon, undefined, first, NO_TIME)
      for (const reconciler of reconcilers) reconciler.wake()
      return spent
    })
  }

  /** The daemon is gone, without a word. */
  stop(how: 'killed' | 'left' | 'without power'): void {
    const { network } = this.#world
    this.#note(`is ${how}`)
    if (how === 'without power') {
      network.forget(this)
      this.#power = false
    } else network.reset(this)
    this.life++
    this.#daemon?.attention.end()
    this.#daemon = undefined
  }

  powerOn(): void {
    if (this.#power) return
    this.#power = true
    this.#machine.reboot()
  }

  backUp(): void {
    this.disk.backUp(this.#daemon?.state.view ?? this.disk.known.view)
  }

  pause(): void {
    this.#daemon?.attention.pause()
  }

  resume(): void {
    this.#daemon?.attention.resume()
  }

  /** Its daemon collects garbage. */
  collect(duration: Duration): void {
    this.#daemon?.attention.occupy(duration)
  }

  leave(): void {
    this.take({ kind: 'leave' })
  }

  move(address: IpAddress): void {
    this.#machine.move(address)
    const daemon = this.#daemon
    if (daemon === undefined) return
    daemon.claims = this.#establish()
    this.claim(address)
    for (const reconciler of daemon.reconcilers) reconciler.wake()
  }

  /** Tells the others to send here, true or not. */
  claim(underlay: IpAddress): void {
    const daemon = this.#daemon
    if (daemon === undefined) return
    const claims = daemon.claims.map((claim) => ({ ...claim, underlay }))
    this.take({ kind: 'announce', content: this.#content(claims, daemon.enforces) })
  }

  /** One input for the protocol, now or when its daemon gets to it. */
  take(input: Input): void {
    const daemon = this.#daemon
    daemon?.attention.take(() => this.#step(daemon, input))
  }

  /** One step of the protocol. Returns how long it takes the processor. */
  #step(daemon: Daemon, input: Input): Duration {
    if (this.#daemon !== daemon) return NO_TIME
    if (input.kind === 'frame') this.overheard?.(input.bytes)
    const heard: Input = input.kind === 'frame' && this.deafened !== undefined ? { ...input, bytes: this.deafened(input.bytes) } : input
    const { schedule, trace } = this.#world
    if (input.kind === 'frame' || input.kind === 'tick') trace.count(schedule.now, `${this.name} ${describe(input)}`)
    else this.#note(`< ${describe(input)}`)
    const before = daemon.state
    const taken = step(before, heard, this.clock.now(schedule.now), daemon.env)
    daemon.state = taken.state
    return this.#stepped(daemon, before, taken, input.kind === 'frame' ? this.#costs.receive : NO_TIME)
  }

  /** Carries out what a step asks for. What it says leaves once it is thought through, one frame after the other. */
  #stepped(daemon: Daemon, before: State | undefined, { effects }: Step, received: Duration): Duration {
    this.#world.laws.stepped(this, before, daemon.state, effects)
    let spent = received + daemon.opened() * this.#costs.verify
    for (const effect of effects) {
      if (this.#daemon !== daemon) break
      if (effect.kind === 'send') spent += this.#costs.send
      this.#carryOut(daemon, effect, milliseconds(spent))
    }
    if (this.#daemon === daemon) this.#aim(daemon)
    return milliseconds(spent)
  }

  #carryOut(daemon: Daemon, effect: Effect, spent: Duration): void {
    const { schedule, network } = this.#world
    if (effect.kind !== 'send' && effect.kind !== 'changed') this.#note(`> ${describeEffect(effect)}`)
    switch (effect.kind) {
      case 'persist':
        return this.#keep({ incarnation: effect.incarnation })
      case 'evict':
        return this.#keep({ evictions: effect.evictions })
      case 'succeed':
        return this.#keep({ lineage: effect.lineage })
      case 'admitted':
        return this.#keep({ admission: effect.admission, former: effect.former })
      case 'send':
        return network.send(this, effect.link, this.censor?.(effect.bytes) ?? effect.bytes, after(schedule.now, spent))
      case 'dial':
        return network.dial(this, effect.target, effect.addresses)
      case 'try':
        return network.seek(this, effect.peer, effect.place)
      case 'unlink':
        return network.unlink(this, effect.link)
      case 'changed':
        this.#save(daemon)
        return daemon.reconcilers.forEach((reconciler) => reconciler.wake())
      case 'left':
        for (const spec of this.#machine.specs)
          for (const place of withdraw(this.kernel, spec, this.disk.known.written)) this.#note(`withdraws ${place}`)
        this.#keep({ written: new Set() })
        this.disk.saveView(daemon.state.view)
        return this.stop('left')
      case 'contested':
      case 'member':
      case 'dropped':
      case 'trouble':
      case 'cloned':
        return
      default:
        return unreachable(effect)
    }
  }

  /** The tick at which the protocol asked to be woken, a little late as timers are. */
  #aim(daemon: Daemon): void {
    const { due } = daemon.state
    if (daemon.tickAt === due) return
    daemon.tickAt = due
    const { schedule, dice } = this.#world
    const wait = this.clock.until(due, schedule.now) + dice.between(0, TIMER_LAG)
    daemon.attention.soon(milliseconds(wait), () => {
      if (daemon.tickAt !== due) return NO_TIME
      daemon.tickAt = undefined
      return this.#step(daemon, { kind: 'tick' })
    })
  }

  #save(daemon: Daemon): void {
    if (daemon.saving) return
    daemon.saving = true
    daemon.attention.soon(SAVE_AFTER, () => {
      daemon.saving = false
      if (!this.disk.saveView(daemon.state.view)) this.#note('cannot write its view: the disk is full')
      return NO_TIME
    })
  }

  #keep(parts: Partial<Omit<Files, 'view'>>): void {
    if (!this.disk.keep(parts)) this.#note('cannot write its state: the disk is full')
  }

  /** What the reconcilers would do now. */
  turns(): readonly Turn[] {
    return (this.#daemon?.claims ?? []).flatMap((_, tunnel) => this.#turn(tunnel) ?? [])
  }

  #turn(tunnel: number): Turn | undefined {
    const now = this.clock.now(this.#world.schedule.now)
    const [spec, claim] = [this.#machine.specs[tunnel], this.#daemon?.claims[tunnel]]
    if (this.#daemon === undefined || spec === undefined || claim === undefined) return undefined
    return decideTurn(this.kernel, spec, this.#daemon, claim, this.disk.known.written, now)
  }

  #decide(daemon: Daemon, tunnel: number): Turn | undefined {
    const turn = this.#daemon === daemon && this.#kernel === 'simulated' ? this.#turn(tunnel) : undefined
    if (turn !== undefined) this.#world.laws.planned(this, turn)
    return turn
  }

  /** Says which evictions hold here, once they are written down and its kernel has followed. */
  #enforce(daemon: Daemon): void {
    const { evictions } = daemon.state
    if (this.#daemon !== daemon || evictions.isEmpty() || this.disk.known.evictions.size !== evictions.size) return
    const enforces = evictionsDigest(daemon.state)
    const turns = enforces === daemon.enforces ? [] : this.turns()
    if (turns.length < daemon.claims.length) return
    if (turns.some(({ operations, desired }) => operations.some(({ entry }) => desired.evicted.has(slot(entry))))) return
    daemon.enforces = enforces
    this.take({ kind: 'announce', content: this.#content(daemon.claims, enforces) })
  }

  /** True when the kernel took all of it. */
  #write(turn: Turn): boolean {
    const { schedule, laws } = this.#world
    const before = this.kernel.readNow(turn.spec)
    const { written, rejections } = carryOutTurn(this.#machine, this.disk.known.written, turn)
    const refused = new Set(rejections.map(({ operation }) => operation))
    for (const operation of turn.operations) {
      const { kind, entry } = operation
      this.#note(`${kind}s ${slot(entry)}${refused.has(operation) ? ': refused' : ''}`)
      if (kind === 'remove' && entry.kind === 'flood' && !refused.has(operation))
        this.removals.push({ at: schedule.now, underlay: entry.underlay })
    }
    if (written !== this.disk.known.written) this.#keep({ written })
    laws.applied(this, turn, { before, after: this.kernel.readNow(turn.spec), refused })
    return refused.size === 0
  }

  #note(what: string): void {
    this.#world.trace.note(this.#world.schedule.now, this.name, what)
  }

  #establish(): readonly TunnelClaim[] {
    return this.#machine.specs.map((spec) => this.#claim(this.kernel.establishNow(spec)))
  }

  #claim({ id, local: underlay, port, mac, mtu, addresses: overlay }: Device): TunnelClaim {
    const claimedAt = sure(parseWallTime(this.disk.known.claimedAt ?? 0))
    return { mode: 'vxlan', id, underlay, port, mac, mtu, mtuLimit: mtu, overlay, claimedAt }
  }

  #content(tunnels: readonly TunnelClaim[], enforces = ''): Content {
    return { name: memberName(this.name), enforces, control: [{ address: this.address, port: CONTROL_PORT }], tunnels }
  }
}

/** A daemon that has written down what it says, and has nothing else to do. */
function resumed(state: State): Step {
  return { state, effects: [{ kind: 'persist', incarnation: state.incarnation }] }
}
