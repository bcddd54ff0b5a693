/**
 * A whole mesh in one thread and in virtual time. One seed, one history: every choice is a throw of the same dice, and
 * whatever happens goes through one queue. A scenario speaks in our verbs:
 *
 *     const cluster = new Cluster(['a', 'b', 'c'], { seed })
 *     cluster.run(seconds(5))
 *     cluster.powerOff('c')
 *     cluster.run(seconds(2.5))
 *     expect(cluster.reaches('a')).toEqual(['10.0.0.2'])
 */
import {
  milliseconds,
  SUCCESSIONS_MOST,
  seconds,
  type Duration,
  type Entry,
  type Instant,
  type InterfaceAddress,
  type IpAddress,
  type Standing,
} from '@vxmesh/core'
import { COSTS, type Costs } from './attention.ts'
import { Dice } from './dice.ts'
import { Faults, NETWORK } from './faults.ts'
import { form } from './formed.ts'
import { Host, type HostOptions, type StartOptions } from './host.ts'
import { Laws } from './laws.ts'
import { ownWords, withoutEvictions, type Lie } from './lies.ts'
import { CALM, Network, type NetworkOptions } from './network.ts'
import { Schedule } from './schedule.ts'
import { peerNamed, Seals } from './seals.ts'
import { Trace } from './trace.ts'
import { DEVICE, ip, overlayAddress, seedAt, type World } from './world.ts'

/** What somebody does to a kernel behind its daemon's back. */
type Tampering =
  | { readonly add: string }
  | { readonly remove: string }
  | { readonly write: Entry }
  | { readonly erase: Entry }
  | 'remove all'

export type ClusterOptions = {
  readonly seed: number
  /** Hosts that exist and whose daemon does not run yet. */
  readonly stopped?: readonly string[]
  /** The mesh has stood for long: everybody knows everybody, and only the links are still to be made. */
  readonly formed?: boolean
  /** Imagined kernels take their time and hold nothing: for meshes too large to give each member a table of all. */
  readonly kernels?: HostOptions['kernel']
  /** The laws look at one step in so many. */
  readonly lawsEvery?: number
  /** Whom each host knows at the start; without it, everybody the first host. */
  readonly seeds?: Readonly<Record<string, readonly string[]>>
  /** Hosts whose device was made by somebody else. */
  readonly adopted?: readonly string[]
  /** Overlay addresses, where they are not to follow from the order. */
  readonly overlays?: Readonly<Record<string, string>>
  /** Addresses in a second tunnel, of those that have one. */
  readonly seconds?: Readonly<Record<string, string>>
  readonly network?: Partial<NetworkOptions>
  /** Where hosts stand, where not all are in one place. */
  readonly sites?: Readonly<Record<string, string>>
  readonly costs?: Partial<Costs>
  /** How often each daemon collects garbage, on the mean; without it, never by itself. */
  readonly garbage?: { readonly every: Duration }
  /** The command that tells this history again, for the message of a law that breaks. */
  readonly replay?: string
  /** Where its lines go. */
  readonly trace?: Trace
}

/** How long a collection of garbage takes. */
const GARBAGE_LEAST = milliseconds(20)
const GARBAGE_MOST = milliseconds(120)

/** How often a liar speaks, and how much it remembers, in frames. */
const LIE_EVERY = milliseconds(50)
const OVERHEARD_MOST = 500

/**
 * How long a mesh may take to agree once nothing disturbs it: as long as one member may need to be known again
 * (`Truth.bound`, 20 s), the lone accuser's wait for what was said just before (10 s), the hold after a mass failure
 * (10 s), and the hold of a start (30 s), which runs beside all these and ends them.
 */
const QUIET = seconds(45)

/** How long those who agree are watched, and how often it is asked whether they do. */
const WATCHED = seconds(10)
const ASKED = seconds(1)

export class Cluster {
  readonly hosts: Host[] = []
  readonly laws: Laws
  readonly trace: Trace
  readonly faults = new Faults()
  /** Who was revoked so far. */
  readonly evicted = new Set<string>()
  readonly dice: Dice
  readonly #seed: number
  readonly #options: ClusterOptions
  readonly #schedule = new Schedule()
  readonly #network: Network
  readonly #world: World

  constructor(names: readonly string[], options: ClusterOptions) {
    this.#options = options
    this.#seed = options.seed
    this.trace = options.trace ?? new Trace()
    this.dice = new Dice(this.#seed)
    this.#network = new Network(this.#schedule, this.dice, { ...CALM, ...options.network })
    this.laws = new Laws(options.replay ?? `seed ${String(this.#seed)} in this test`, this.hosts, options.lawsEvery)
    const seals = new Seals(`world ${String(this.#seed)}`)
    this.#world = { schedule: this.#schedule, dice: this.dice, network: this.#network, seals, trace: this.trace, laws: this.laws }
    this.laws.over(this.#world)
    this.#network.silent = (from, to) => this.laws.truth.parted(from, to)
    for (const name of names) this.#add(name, names)
    const running = this.hosts.filter((host) => options.stopped?.includes(host.name) !== true)
    const formed = options.formed === true ? form(running, seals) : undefined
    for (const host of running) host.start(formed === undefined ? {} : { formed })
  }

  get names(): readonly string[] {
    return this.hosts.map((host) => host.name)
  }

  /** What all have sent so far: frames, and the bytes in them. */
  get traffic(): { readonly frames: number; readonly bytes: number } {
    return { ...this.#network.traffic }
  }

  get now(): Instant {
    return this.#schedule.now
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name)
    if (found === undefined) throw new Error(`no host ${name}`)
    return found
  }

  run(duration: Duration): void {
    this.#schedule.run(duration)
  }

  /** Lets somebody look on, now and every so often, who changes nothing. */
  watch(every: Duration, look: () => void): void {
    const again = () => {
      look()
      this.#schedule.in(every, again)
    }
    again()
  }

  /** Mends everything that was broken in between, waits until all agree, and checks that they do so for a while. */
  settle(within: Duration = QUIET): void {
    this.heal()
    const [begun, end] = [this.now, this.now + within]
    const agreed = () => this.hosts.every(({ condition }) => condition !== 'paused') && this.laws.disagreements().next().done === true
    while (this.now < end && (this.now === begun || !agreed())) this.run(milliseconds(Math.min(ASKED, end - this.now)))
    this.run(milliseconds(Math.min(WATCHED, end - this.now)))
    this.laws.converged()
  }

  start(name: string, options: StartOptions = {}): void {
    this.#mending(name, `start ${name}`, () => this.host(name).start(options))
  }

  /** `kill -9`: its kernel, and the kernel's word to its peers, remain. */
  kill(name: string): void {
    this.#breaking(name, `kill ${name}`, () => this.host(name).stop('killed'))
  }

  powerOff(name: string): void {
    this.#breaking(name, `power off ${name}`, () => this.host(name).stop('without power'))
  }

  /** Boots, with an empty kernel, and starts the daemon. */
  powerOn(name: string): void {
    this.#mending(name, `power on ${name}`, () => {
      this.host(name).powerOn()
      this.host(name).start()
    })
  }

  /** `kill -STOP`, and `kill -CONT` after a while. */
  pause(name: string, duration: Duration, what = `pause ${name} for ${inSeconds(duration)}`, before = () => {}): void {
    // What stands still cannot stand still once more: whoever stopped it first also lets it go on.
    if (this.host(name).condition === 'paused') return
    this.#breaking(name, what, () => {
      const host = this.host(name)
      const { life } = host
      host.pause()
      this.#schedule.in(duration, () => {
        if (host.life !== life) return
        before()
        this.#mending(name, `resume ${name}`, () => host.resume())
      })
    })
  }

  /** Its daemon collects garbage, and does nothing else. */
  collect(name: string, duration: Duration): void {
    this.trace.note(this.now, name, `collects garbage for ${duration.toFixed(0)} ms`)
    this.host(name).collect(duration)
  }

  /** The whole machine stands still, as a virtual one may. Its clock may stand still with it: then it does not know. */
  stall(name: string, duration: Duration, clock: 'runs on' | 'stands still'): void {
    this.pause(name, duration, `stall ${name} for ${inSeconds(duration)}, its clock ${clock}`, () => {
      if (clock === 'stands still') this.host(name).clock.stoodStill(duration)
    })
  }

  /** Somebody sets a wall clock, forward or back. */
  setClock(name: string, by: Duration): void {
    this.#striking(name, `set the clock of ${name} by ${inSeconds(by)}`, () => this.host(name).clock.setWall(by))
  }

  /** From now on its kernel takes what it is told in this way. */
  setKernel(name: string, how: 'well' | 'failing' | { readonly slow: Duration }): void {
    const host = this.host(name)
    const place = `the kernel of ${name}`
    if (how === 'well') {
      if (host.writing.kind === 'well') return
      host.writing = { kind: 'well' }
      return this.#repaired(place, `${place} works`)
    }
    const what = how === 'failing' ? `${place} refuses` : `${place} takes ${inSeconds(how.slow)} a write`
    this.#breaking(place, what, () => {
      host.writing = how === 'failing' ? { kind: 'failing', refuse: () => 1 + this.dice.below(8) } : { kind: 'slow', each: how.slow }
    })
  }

  setDisk(name: string, how: 'full' | 'roomy'): void {
    const { disk } = this.host(name)
    const place = `the disk of ${name}`
    const full = how === 'full'
    if (disk.full === full) return
    const change = () => {
      disk.full = full
    }
    if (full) this.#breaking(place, `${place} is full`, change)
    else {
      change()
      this.#repaired(place, `${place} has room`)
    }
  }

  /** A middlebox forgets the connections between two hosts: what `from` sends `to` on them vanishes. */
  forgetConnection(from: string, to: string): void {
    this.#striking(NETWORK, `forget ${from} > ${to}`, () => {
      this.laws.truth.parted(this.host(from), this.host(to))
      this.#network.forgetConnections(this.host(from), this.host(to))
    })
  }

  /** A second host with the identity of one that is there, as a copied disk makes it. */
  clone(name: string, copy: string): void {
    this.laws.cloned(this.host(name).peer)
    this.#striking(copy, `clone ${name} as ${copy}`, () => this.#add(copy, this.names, name).start())
  }

  leave(name: string): void {
    this.#breaking(name, `leave ${name}`, () => this.host(name).leave())
  }

  /** The operator revokes a member, at the daemon of another. It may defy that: then it does not even listen. */
  evict(name: string, by: string, { defiant = false } = {}): void {
    const host = this.host(name)
    this.evicted.add(name)
    this.laws.evicted(host)
    this.#striking(by, `evict ${name} at ${by}`, () => {
      if (defiant) host.deafened = withoutEvictions
      const { state } = this.host(by)
      if (state !== undefined) this.host(by).take({ kind: 'evict', eviction: this.#world.seals.evict(host.peer, state.lineage) })
    })
  }

  /** The operator rotates the key of the mesh, as it is known there, at one daemon. */
  rotate(by: string): void {
    this.laws.rotated = true
    this.#striking(by, `rotate at ${by}`, () => {
      const { state } = this.host(by)
      if (state !== undefined && state.lineage.length < SUCCESSIONS_MOST)
        this.host(by).take({ kind: 'succeed', lineage: this.#world.seals.rotate(state.lineage) })
    })
  }

  /** And has those certified anew whom that daemon knows by a former key. */
  certify(by: string): void {
    this.#striking(by, `certify at ${by}`, () => {
      const { state } = this.host(by)
      const reissues = state === undefined ? [] : this.#world.seals.certify(state.lineage, state.view)
      for (const reissue of reissues) this.host(by).take({ kind: 'reissue', reissue })
    })
  }

  move(name: string, address: string): void {
    this.#striking(name, `move ${name} to ${address}`, () => this.host(name).move(ip(address)))
  }

  backUp(name: string): void {
    this.host(name).backUp()
  }

  /** A host that was not there before; it knows the first. */
  join(name: string): void {
    this.#striking(name, `join ${name}`, () => this.#add(name, this.names).start())
  }

  partition(...sides: readonly (readonly string[])[]): void {
    this.#breaking(NETWORK, `partition ${sides.map((side) => side.join(' ')).join(' | ')}`, () => {
      for (const side of sides) for (const other of sides) if (other !== side) this.#cut(side, other)
    })
  }

  /** What `from` sends no longer reaches `to`; the other way it does. */
  cutOneWay(from: readonly string[], to: readonly string[]): void {
    this.#breaking(NETWORK, `cut ${from.join(' ')} > ${to.join(' ')}`, () => this.#cut(from, to))
  }

  heal(): void {
    this.#mending(NETWORK, 'heal', () => this.#network.heal())
  }

  /** Somebody with `bridge` and `ip` at hand: floods to an address, or no longer, or to nobody; writes an entry, or deletes one. */
  tamper(name: string, how: Tampering, device = DEVICE): void {
    const where = device === DEVICE ? '' : ` ${device}`
    this.#striking(name, `tamper ${name}${where} ${JSON.stringify(how)}`, () => {
      const { kernel } = this.host(name)
      if (how === 'remove all') kernel.remove(device)
      else if ('add' in how) kernel.append(device, ip(how.add))
      else if ('write' in how) kernel.write(device, how.write)
      else if ('erase' in how) kernel.erase(device, how.erase)
      else kernel.remove(device, ip(how.remove))
    })
  }

  /** From now on this member says to everybody it is linked to what no honest one would, until what is returned is called. */
  corrupt(name: string, lie: Lie, every: Duration = LIE_EVERY): () => void {
    const host = this.host(name)
    this.laws.truth.lies(host)
    const overheard: Uint8Array<ArrayBuffer>[] = []
    host.overheard = (bytes) => {
      overheard.push(bytes)
      if (overheard.length > OVERHEARD_MOST) overheard.splice(this.dice.below(overheard.length), 1)
    }
    let lying = true
    const speak = () => {
      if (!lying) return
      const { state, env } = host
      if (state !== undefined && env !== undefined && host.condition === 'listening') {
        const frames = lie({ state, env, overheard, dice: this.dice })
        for (const link of state.links.values())
          if (link.phase === 'open') for (const bytes of frames) this.#network.send(host, link.id, bytes, this.now)
      }
      this.#schedule.in(every, speak)
    }
    const word = `the word of ${name}`
    this.#breaking(word, `${name} lies: ${lie.name}`, speak)
    return () => {
      lying = false
      this.#repaired(word, `${name} repents`)
    }
  }

  /** From now on this member passes nothing on that others say, until what is returned is called. */
  muzzle(name: string): () => void {
    const host = this.host(name)
    this.laws.truth.lies(host)
    const word = `the word of ${name}`
    this.#breaking(word, `${name} passes nothing on`, () => {
      host.censor = (bytes) => ownWords(host.peer, bytes)
    })
    return () => {
      host.censor = undefined
      this.#repaired(word, `${name} repents`)
    }
  }

  /** Says in its record that it is where another is. What is returned has it tell the truth again. */
  pretend(name: string, victim: string): () => void {
    const host = this.host(name)
    this.laws.truth.lies(host)
    const word = `the claim of ${name}`
    this.#breaking(word, `${name} pretends to be at the address of ${victim}`, () => host.claim(this.host(victim).address))
    return () => {
      host.claim(host.address)
      this.#repaired(word, `${name} repents`)
    }
  }

  /** Peers that nobody admitted connect to a host, say something, and hang on until they are thrown out. */
  knock(name: string, strangers: number): void {
    const host = this.host(name)
    for (let index = 0; index < strangers; index++) {
      const link = host.nextLink()
      const peer = peerNamed(`stranger ${String(this.dice.next())}`)
      host.take({ kind: 'linked', link, peer, dialled: undefined })
      if (this.dice.chance(0.5)) host.take({ kind: 'frame', link, bytes: this.dice.bytes(this.dice.below(100)) })
      if (this.dice.chance(0.5)) host.take({ kind: 'unlinked', link })
    }
  }

  /** The underlay addresses in a host's kernel, sorted. */
  reaches(name: string, device = DEVICE): readonly IpAddress[] {
    return [...(this.host(name).kernel.inspect(device)?.flood ?? [])].toSorted(byNumber)
  }

  /** All entries in a host's kernel, sorted by their places. */
  entries(name: string): readonly Entry[] {
    const entries = this.host(name).kernel.inspect(DEVICE)?.entries ?? []
    return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
  }

  /** What a member believes of the others. */
  sees(name: string): Readonly<Record<string, Standing['state']>> {
    const host = this.host(name)
    const seen = [...(host.state?.view ?? [])].flatMap(([peer, { signed }]): [string, Standing['state']][] => {
      const standing = host.state?.standings.get(peer)
      return peer === host.peer || standing === undefined ? [] : [[signed.record.name, standing.state]]
    })
    return Object.fromEntries(seen.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** What a running member says its incarnation is. */
  incarnation(name: string): number {
    return this.host(name).state?.incarnation ?? 0
  }

  /** The underlay addresses that a host's reconciler removed so far, in order. */
  removed(name: string): readonly IpAddress[] {
    return this.host(name).removals.map((removal) => removal.underlay)
  }

  #cut(from: readonly string[], to: readonly string[]): void {
    for (const one of from) for (const other of to) if (one !== other) this.#network.cut(this.host(one), this.host(other))
  }

  #breaking(place: string, what: string, action: () => void): void {
    this.faults.begin({ place, what, at: this.now })
    this.#fault(what, action)
  }

  #striking(place: string, what: string, action: () => void): void {
    this.faults.strike({ place, what, at: this.now })
    this.#fault(what, action)
  }

  #mending(place: string, what: string, action: () => void): void {
    this.#fault(what, action)
    if (place === NETWORK || this.host(place).condition === 'listening') this.faults.mend(place, this.now)
  }

  #repaired(place: string, what: string): void {
    this.#fault(what, () => this.faults.mend(place, this.now))
  }

  #fault(what: string, action: () => void): void {
    this.laws.truth.witness()
    this.trace.note(this.#schedule.now, '--', what)
    action()
  }

  #collectGarbage(host: Host, every: Duration): void {
    this.#schedule.in(milliseconds(this.dice.exponential(every)), () => {
      if (host.condition === 'listening') this.collect(host.name, milliseconds(this.dice.between(GARBAGE_LEAST, GARBAGE_MOST)))
      this.#collectGarbage(host, every)
    })
  }

  #add(name: string, among: readonly string[], identity = name): Host {
    const number = this.hosts.length + 1
    const place = (index: number) => ip(`10.0.${String(index >> 8)}.${String(index & 255)}`)
    const known = this.#options.seeds?.[name] ?? (number === 1 || this.#options.formed === true ? [] : [among[0] ?? name])
    const overlay: InterfaceAddress = overlayAddress(
      `${this.#options.overlays?.[name] ?? `192.168.${String(number >> 8)}.${String(number & 255)}`}/16`,
    )
    const second = this.#options.seconds?.[name]
    const host = new Host(this.#world, {
      name,
      identity: `world ${String(this.#seed)} ${identity}`,
      site: this.#options.sites?.[name] ?? '',
      kernel: this.#options.kernels ?? 'simulated',
      costs: { ...COSTS, ...this.#options.costs },
      address: place(number),
      overlay,
      second: second === undefined ? undefined : overlayAddress(`${second}/16`),
      seeds: known.map((each) => seedAt(place(among.indexOf(each) + 1))),
      adopted: this.#options.adopted?.includes(name) ?? false,
    })
    this.hosts.push(host)
    this.#network.attach(host)
    if (this.#options.garbage !== undefined) this.#collectGarbage(host, this.#options.garbage.every)
    return host
  }
}

function inSeconds(duration: Duration): string {
  return `${String(Number((duration / 1000).toFixed(3)))} s`
}

function byNumber(a: IpAddress, b: IpAddress): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
