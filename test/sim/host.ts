/**
 * One simulated host: a machine, a disk, and a daemon that is the real protocol driven through `begin` and `step` and
 * the real decision about the kernel. What the project's daemon does with promises and timers happens here on the
 * schedule: a tick when the state is due, a turn of the reconciler soon after anything wakes it.
 */
import {
  elapsed,
  milliseconds,
  parseIncarnation,
  parseWallTime,
  seconds,
  unreachable,
  type Bytes,
  type Device,
  type Duration,
  type Instant,
  type IpAddress,
  type PeerId,
  type Signer,
  type TunnelClaim,
} from '@vxmesh/core'
import {
  begin,
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
import { Attention } from './attention.ts'
import { EMPTY_DISK, envelopes } from './disk.ts'
import { Machine, type MachineOptions } from './machine.ts'
import type { Station } from './network.ts'
import { carryOutTurn, decideTurn, withdraw, type Turn } from './reconcile.ts'
import { peerNamed } from './seals.ts'
import { describe, describeEffect } from './trace.ts'
import { CONTROL_PORT, memberName, trusted, WALL_START, type World } from './world.ts'

export type HostOptions = MachineOptions & {
  readonly name: string
  /** Told apart in every world, so that the order of peer ids differs from seed to seed. */
  readonly identity: string
  readonly seeds: readonly Seed[]
}

export type StartOptions = {
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
  life = 0
  /** What its reconciler removed, of whatever. */
  readonly removals: { readonly at: Instant; readonly underlay: IpAddress }[] = []
  /** Every frame that arrives is shown here. */
  overheard: ((bytes: Bytes) => void) | undefined
  readonly #world: World
  readonly #machine: Machine
  readonly #seeds: readonly Seed[]
  #disk = EMPTY_DISK
  #backup = EMPTY_DISK
  #daemon: Daemon | undefined
  #power = true
  #links = 0

  constructor(world: World, options: HostOptions) {
    this.name = options.name
    this.peer = peerNamed(options.identity)
    this.signer = world.seals.signer(this.peer)
    this.#world = world
    this.#seeds = options.seeds
    this.#machine = new Machine(options, world.seals.mesh, () => this.#wake())
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

  /** The protocol's state; undefined while no daemon runs. */
  get state(): State | undefined {
    return this.#daemon?.state
  }

  get env(): Environment | undefined {
    return this.#daemon?.env
  }

  has(address: string): boolean {
    return this.#machine.has(address)
  }

  nextLink(): LinkId {
    this.#links++
    return this.#links
  }

  start({ withoutState = false, fromBackup = false, withoutSeeds = false, clockBehind = milliseconds(0) }: StartOptions = {}): void {
    if (!this.#power || this.#daemon !== undefined) return
    const { schedule, dice, seals, trace } = this.#world
    const wall = Math.round(WALL_START + schedule.now - clockBehind)
    const disk = withoutState ? EMPTY_DISK : fromBackup ? this.#backup : this.#disk
    this.#disk = { ...disk, claimedAt: disk.claimedAt ?? wall }
    this.life++
    trace.note(schedule.now, `${this.name} starts`)
    const claim = this.#claim(this.kernel.establishNow(this.#machine.spec))
    const bootId = dice.below(2 ** 31).toString(16)
    const env = { trust: seals.trust, signer: this.signer, chain: seals.admit(this.peer), bootId, random: () => dice.next() }
    const above = trusted(parseIncarnation(Math.max(this.#disk.incarnation, wall)))
    const seeds = withoutSeeds ? [] : this.#seeds
    const first = begin({ content: this.#content(claim), above, seeds, saved: envelopes(this.#disk.view) }, schedule.now, env)
    const attention = new Attention(schedule, dice, (input) => this.#step(daemon, input))
    const daemon: Daemon = { env, attention, claim, state: first.state, tickAt: undefined, woken: false, saving: false }
    this.#daemon = daemon
    this.#stepped(daemon, undefined, first)
    this.#wake()
  }

  /** The daemon is gone, without a word. */
  stop(how: 'killed' | 'left' | 'without power'): void {
    const { schedule, network, trace } = this.#world
    trace.note(schedule.now, `${this.name} is ${how}`)
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
    this.#disk = { ...this.#disk, view: this.#daemon?.state.view ?? this.#disk.view }
    this.#backup = this.#disk
  }

  pause(): void {
    if (this.#daemon !== undefined) this.#daemon.attention.paused = true
  }

  resume(): void {
    this.#daemon?.attention.resume()
  }

  leave(): void {
    this.take({ kind: 'leave' })
  }

  move(address: IpAddress): void {
    this.#machine.move(address)
    const daemon = this.#daemon
    if (daemon === undefined) return
    daemon.claim = this.#claim(this.kernel.establishNow(this.#machine.spec))
    this.take({ kind: 'announce', content: this.#content(daemon.claim) })
    this.#wake()
  }

  /** One input for the protocol, now or when its daemon gets to it. */
  take(input: Input): void {
    this.#daemon?.attention.take(input)
  }

  #step(daemon: Daemon, input: Input): void {
    if (this.#daemon !== daemon) return
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
        for (const place of withdraw(this.kernel, this.#machine.spec, this.#disk.written))
          trace.note(schedule.now, `${this.name} withdraws ${place}`)
        this.#disk = { ...this.#disk, view: daemon.state.view, written: new Set() }
        return this.stop('left')
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
    const wait = Math.max(0, elapsed(schedule.now, due)) + dice.between(0, TIMER_LAG)
    daemon.attention.soon(milliseconds(wait), () => {
      if (daemon.tickAt !== due) return
      daemon.tickAt = undefined
      this.take({ kind: 'tick' })
    })
  }

  #save(daemon: Daemon): void {
    if (daemon.saving) return
    daemon.saving = true
    daemon.attention.soon(SAVE_AFTER, () => {
      daemon.saving = false
      this.#disk = { ...this.#disk, view: daemon.state.view }
    })
  }

  /** Something may have changed: a turn of the reconciler follows. */
  #wake(): void {
    const daemon = this.#daemon
    if (daemon === undefined || daemon.woken) return
    daemon.woken = true
    daemon.attention.soon(milliseconds(this.#world.dice.between(0, WAKING)), () => {
      daemon.woken = false
      this.#reconcile(daemon)
    })
  }

  /** What the reconciler would do now. */
  turn(): Turn | undefined {
    return this.#daemon && decideTurn(this.kernel, this.#machine.spec, this.#daemon, this.#disk.written, this.#world.schedule.now)
  }

  #reconcile(daemon: Daemon): void {
    const { schedule, laws, trace } = this.#world
    const turn = this.turn()
    daemon.attention.soon(turn?.hold === undefined ? FULL_READ : HELD_PAUSE, () => this.#wake())
    if (turn === undefined) return
    laws.planned(this, turn)
    for (const { kind, entry } of turn.operations) {
      trace.note(schedule.now, `${this.name} ${kind}s ${entry.underlay}`)
      if (kind === 'remove') this.removals.push({ at: schedule.now, underlay: entry.underlay })
    }
    this.#disk = { ...this.#disk, written: carryOutTurn(this.kernel, this.#machine.spec, this.#disk.written, turn) }
    laws.applied(this, turn, this.kernel.readNow(this.#machine.spec))
  }

  #claim({ id, local: underlay, port, mac, mtu, addresses: overlay }: Device): TunnelClaim {
    const claimedAt = trusted(parseWallTime(this.#disk.claimedAt ?? 0))
    return { mode: 'vxlan', id, underlay, port, mac, mtu, overlay, claimedAt }
  }

  #content(claim: TunnelClaim): Content {
    return { name: memberName(this.name), control: [{ address: this.address, port: CONTROL_PORT }], tunnels: [claim] }
  }
}
