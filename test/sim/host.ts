/**
 * One simulated host: a kernel in memory, a disk, and a daemon that is the real protocol driven through `begin` and
 * `step` and the real decision about the kernel. What the project's daemon does with promises and timers happens here
 * on the schedule: a tick when the state is due, a turn of the reconciler soon after anything wakes it.
 */
import {
  after,
  EMPTY_VIEW,
  milliseconds,
  parseIncarnation,
  parseWallTime,
  seconds,
  unreachable,
  type Bytes,
  type Device,
  type Duration,
  type Instant,
  type InterfaceAddress,
  type IpAddress,
  type PeerId,
  type Signer,
  type Slot,
  type TunnelClaim,
  type TunnelSpec,
  type View,
} from '@vxmesh/core'
import { begin, step, type Content, type Effect, type Environment, type Input, type LinkId, type Saved, type Seed, type State, type Step } from '@vxmesh/gossip'
import { MemoryHost, type MemoryAddress } from '@vxmesh/kernel-adapter'
import type { Station } from './network.ts'
import { carryOutTurn, decideTurn, withdraw, type Turn } from './reconcile.ts'
import { peerNamed } from './seals.ts'
import { describe, describeEffect } from './trace.ts'
import { CONTROL_PORT, DEVICE, memberName, trusted, VXLAN_ID, VXLAN_PORT, WALL_START, type World } from './world.ts'

export type HostOptions = {
  readonly name: string
  /** Told apart in every world, so that the order of peer ids differs from seed to seed. */
  readonly identity: string
  readonly address: IpAddress
  readonly overlay: InterfaceAddress
  readonly seeds: readonly Seed[]
  /** The device was made by somebody else. */
  readonly adopted: boolean
}

export type StartOptions = {
  /** The state file is gone. */
  readonly withoutState?: boolean
  /** The state file is what it was at the last `backUp`. */
  readonly fromBackup?: boolean
  /** The wall clock is behind the truth by this much. */
  readonly clockBehind?: Duration
}

/** What survives a crash. */
type Disk = { readonly incarnation: number; readonly view: View; readonly written: ReadonlySet<Slot>; readonly claimedAt: number | undefined }

const EMPTY_DISK: Disk = { incarnation: 0, view: EMPTY_VIEW, written: new Set(), claimedAt: undefined }

type Daemon = {
  readonly env: Environment
  claim: TunnelClaim
  state: State
  tickAt: Instant | undefined
  woken: boolean
  saving: boolean
}

/** The floor under everything that wakes the reconciler, and how often held removals are looked at again. */
const FULL_READ = seconds(60)
const HELD_PAUSE = seconds(1)

/** The view is on disk this long after it changed. */
const SAVE_AFTER = milliseconds(500)

/** How late timers are, and how soon a woken reconciler runs, at most. */
const TIMER_LAG = milliseconds(2)
const WAKING = milliseconds(10)

export class Host implements Station {
  readonly name: string
  readonly peer: PeerId
  readonly signer: Signer
  kernel: MemoryHost
  life = 0
  /** What its reconciler removed, of whatever. */
  readonly removals: { readonly at: Instant; readonly underlay: IpAddress }[] = []
  /** Every frame that arrives is shown here. */
  overheard: ((bytes: Bytes) => void) | undefined
  readonly #world: World
  readonly #options: HostOptions
  readonly #addresses: IpAddress[]
  #disk = EMPTY_DISK
  #backup = EMPTY_DISK
  #daemon: Daemon | undefined
  #power = true
  #frozen: (() => void)[] | undefined
  #links = 0

  constructor(world: World, options: HostOptions) {
    this.name = options.name
    this.peer = peerNamed(options.identity)
    this.signer = world.seals.signer(this.peer)
    this.#world = world
    this.#options = options
    this.#addresses = [options.address]
    this.kernel = this.#boot()
  }

  get condition(): Station['condition'] {
    if (!this.#power) return 'off'
    if (this.#daemon === undefined) return 'idle'
    return this.#frozen === undefined ? 'listening' : 'paused'
  }

  /** Where others send to: the newest of its addresses. */
  get address(): IpAddress {
    return this.#addresses.at(-1) ?? this.#options.address
  }

  /** The protocol's state; undefined while no daemon runs. */
  get state(): State | undefined {
    return this.#daemon?.state
  }

  get env(): Environment | undefined {
    return this.#daemon?.env
  }

  has(address: string): boolean {
    return this.#addresses.some((each) => each === address)
  }

  nextLink(): LinkId {
    this.#links++
    return this.#links
  }

  start({ withoutState = false, fromBackup = false, clockBehind = milliseconds(0) }: StartOptions = {}): void {
    if (!this.#power || this.#daemon !== undefined) return
    const { schedule, dice, seals, trace } = this.#world
    const wall = Math.round(WALL_START + schedule.now - clockBehind)
    const disk = withoutState ? EMPTY_DISK : fromBackup ? this.#backup : this.#disk
    this.#disk = { ...disk, claimedAt: disk.claimedAt ?? wall }
    this.life++
    trace.note(schedule.now, `${this.name} starts`)
    const spec = this.#spec()
    const claim = this.#claim(this.kernel.establishNow(spec))
    const bootId = dice.below(2 ** 31).toString(16)
    const env = { trust: seals.trust, signer: this.signer, chain: seals.admit(this.peer), bootId, random: () => dice.next() }
    const above = trusted(parseIncarnation(Math.max(this.#disk.incarnation, wall)))
    const beginning = { content: this.#content(claim), above, seeds: this.#options.seeds, saved: envelopes(this.#disk.view) }
    const first = begin(beginning, schedule.now, env)
    const daemon = { env, claim, state: first.state, tickAt: undefined, woken: false, saving: false }
    this.#daemon = daemon
    this.#stepped(daemon, undefined, first)
    this.#wake()
  }

  /** The daemon is gone, without a word. */
  stop(how: 'killed' | 'left' | 'without power'): void {
    const { schedule, network, trace } = this.#world
    trace.note(schedule.now, `${this.name} is ${how}`)
    if (how === 'without power') network.forget(this)
    else network.reset(this)
    if (how === 'without power') this.#power = false
    this.life++
    this.#daemon = undefined
    this.#frozen = undefined
  }

  powerOn(): void {
    if (this.#power) return
    this.#power = true
    this.kernel = this.#boot()
  }

  backUp(): void {
    this.#disk = { ...this.#disk, view: this.#daemon?.state.view ?? this.#disk.view }
    this.#backup = this.#disk
  }

  /** As after SIGSTOP: what comes, and what falls due, waits. */
  pause(): void {
    if (this.condition === 'listening') this.#frozen = []
  }

  resume(): void {
    const waiting = this.#frozen
    this.#frozen = undefined
    if (waiting === undefined) return
    // The timers of an event loop come before what waits in its sockets.
    this.take({ kind: 'tick' })
    for (const each of waiting) each()
  }

  leave(): void {
    this.take({ kind: 'leave' })
  }

  /** Another address to send from. The old one still leads here. */
  move(address: IpAddress): void {
    this.#addresses.push(address)
    this.kernel.renumber(this.#interfaces())
    const daemon = this.#daemon
    if (daemon === undefined) return
    daemon.claim = this.#claim(this.kernel.establishNow(this.#spec()))
    this.take({ kind: 'announce', content: this.#content(daemon.claim) })
    this.#wake()
  }

  /** One input for the protocol, now or when it is awake. */
  take(input: Input): void {
    const daemon = this.#daemon
    if (daemon === undefined) return
    if (this.#frozen !== undefined) {
      this.#frozen.push(() => this.take(input))
      return
    }
    if (input.kind === 'frame') this.overheard?.(input.bytes)
    const { schedule, trace } = this.#world
    if (input.kind === 'frame' || input.kind === 'tick') trace.count(schedule.now, `${this.name} ${describe(input)}`)
    else trace.note(schedule.now, `${this.name} < ${describe(input)}`)
    const before = daemon.state
    const taken = step(before, input, schedule.now, daemon.env)
    daemon.state = taken.state
    this.#stepped(daemon, before, taken)
  }

  #stepped(daemon: Daemon, before: State | undefined, { effects }: Step): void {
    this.#world.laws.stepped(this, before, daemon.state, effects)
    for (const effect of effects) if (this.#daemon === daemon) this.#carryOut(daemon, effect)
    if (this.#daemon === daemon) this.#aim(daemon)
  }

  #carryOut(daemon: Daemon, effect: Effect): void {
    const { schedule, network, trace } = this.#world
    if (effect.kind !== 'send' && effect.kind !== 'changed') trace.note(schedule.now, `${this.name} > ${describeEffect(effect)}`)
    switch (effect.kind) {
      case 'persist':
        this.#disk = { ...this.#disk, incarnation: effect.incarnation }
        return
      case 'send':
        return network.send(this, effect.link, effect.bytes)
      case 'dial':
        return network.dial(this, effect.target, effect.addresses)
      case 'unlink':
        return network.unlink(this, effect.link)
      case 'changed':
        this.#save(daemon)
        return this.#wake()
      case 'left':
        for (const place of withdraw(this.kernel, this.#spec(), this.#disk.written)) trace.note(schedule.now, `${this.name} withdraws ${place}`)
        this.#disk = { ...this.#disk, view: daemon.state.view, written: new Set() }
        return this.stop('left')
      case 'member':
      case 'dropped':
      case 'unwelcome':
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
    schedule.at(after(due, milliseconds(dice.between(0, TIMER_LAG))), () => {
      if (this.#daemon !== daemon || daemon.tickAt !== due) return
      daemon.tickAt = undefined
      this.take({ kind: 'tick' })
      if (this.#frozen === undefined) this.#aim(daemon)
    })
  }

  #save(daemon: Daemon): void {
    if (daemon.saving) return
    daemon.saving = true
    this.#soon(SAVE_AFTER, () => {
      daemon.saving = false
      this.#disk = { ...this.#disk, view: daemon.state.view }
    })
  }

  /** Something may have changed: a turn of the reconciler follows. */
  #wake(): void {
    const daemon = this.#daemon
    if (daemon === undefined || daemon.woken) return
    daemon.woken = true
    this.#soon(milliseconds(this.#world.dice.between(0, WAKING)), () => {
      daemon.woken = false
      this.#reconcile()
    })
  }

  /** What the reconciler would do now. */
  turn(): Turn | undefined {
    return this.#daemon && decideTurn(this.kernel, this.#spec(), this.#daemon, this.#disk.written, this.#world.schedule.now)
  }

  #reconcile(): void {
    const { schedule, laws, trace } = this.#world
    const turn = this.turn()
    this.#soon(turn?.hold === undefined ? FULL_READ : HELD_PAUSE, () => this.#wake())
    if (turn === undefined) return
    laws.planned(this, turn)
    for (const { kind, entry } of turn.operations) {
      trace.note(schedule.now, `${this.name} ${kind}s ${entry.underlay}`)
      if (kind === 'remove') this.removals.push({ at: schedule.now, underlay: entry.underlay })
    }
    this.#disk = { ...this.#disk, written: carryOutTurn(this.kernel, this.#spec(), this.#disk.written, turn) }
    laws.applied(this, turn, this.kernel.readNow(this.#spec()))
  }

  /** Runs an action of this daemon's life later, or when it is awake again. */
  #soon(wait: Duration, action: () => void): void {
    const daemon = this.#daemon
    const run = () => {
      if (this.#daemon !== daemon) return
      if (this.#frozen === undefined) action()
      else this.#frozen.push(run)
    }
    this.#world.schedule.in(wait, run)
  }

  #boot(): MemoryHost {
    const kernel = new MemoryHost({ addresses: this.#interfaces() })
    const { address } = this
    if (this.#options.adopted) kernel.plant(DEVICE, { kind: 'vxlan', id: VXLAN_ID, local: address, port: VXLAN_PORT })
    kernel.onChange(() => this.#wake())
    return kernel
  }

  #interfaces(): readonly MemoryAddress[] {
    return this.#addresses.map((address) => ({ address, interface: 'eth0', mtu: 1500 }))
  }

  #spec(): TunnelSpec {
    const alias = `vxmesh:${this.#world.seals.mesh}:${String(VXLAN_ID)}`
    return { device: DEVICE, mode: 'vxlan', id: VXLAN_ID, local: this.address, port: undefined, addresses: [this.#options.overlay], alias }
  }

  #claim({ id, local: underlay, port, mac, mtu, addresses: overlay }: Device): TunnelClaim {
    const claimedAt = trusted(parseWallTime(this.#disk.claimedAt ?? 0))
    return { mode: 'vxlan', id, underlay, port, mac, mtu, overlay, claimedAt }
  }

  #content(claim: TunnelClaim): Content {
    return { name: memberName(this.name), control: [{ address: this.address, port: CONTROL_PORT }], tunnels: [claim] }
  }
}

function envelopes(view: View): Saved {
  return {
    records: view.valueSeq().map((belief) => belief.signed.bytes).toArray(),
    accusations: view.valueSeq().flatMap((belief) => belief.accusations.valueSeq().map((accusation) => accusation.bytes)).toArray(),
  }
}
