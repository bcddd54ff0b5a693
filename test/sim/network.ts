/**
 * The network between simulated hosts, as the protocol sees it through its shell: dials, links and frames.
 *
 * Like TCP it keeps the order of a link's frames, sends again what a path dropped while all that follows waits, refuses
 * where a host is up and no daemon listens, stays silent where nobody is, and leaves links half open when nobody could
 * tell the other end; a frame into such a link is answered with a reset once it arrives, unless something in between has
 * forgotten the connection and swallows whatever belongs to it. Unlike TCP it may be told to lose, repeat and reorder
 * frames: the protocol must survive that.
 */
import {
  after,
  elapsed,
  instant,
  milliseconds,
  seconds,
  type Bytes,
  type ControlAddress,
  type Duration,
  type Instant,
  type IpAddress,
  type PeerId,
} from '@vxmesh/core'
import type { Input, LinkId, Target } from '@vxmesh/gossip'
import type { Dice } from './dice.ts'
import type { Schedule } from './schedule.ts'

export type NetworkOptions = {
  /** The least time from host to host within a site, in milliseconds, and the mean of what comes on top. */
  readonly delay: Duration
  readonly jitter: Duration
  /** The least times from site to site. Every pair of sites has one of them. */
  readonly far: readonly Duration[]
  /** The probability that a path drops a segment, which TCP then sends again. */
  readonly drops: number
  /** Times in which a pair of hosts has a much worse path: how often on the mean, how long, and what it drops then. */
  readonly bursts: { readonly every: Duration; readonly last: Duration; readonly drops: number } | undefined
  /** Probabilities for one frame. */
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  /** What a cut does to what is on its way: TCP holds it back and tries again, a rebooted switch forgets it. */
  readonly cuts: 'hold' | 'forget'
}

/** A good local network; between sites of it, a region, a continent and an ocean. */
export const CALM: NetworkOptions = {
  delay: milliseconds(0.25),
  jitter: milliseconds(0.1),
  far: [milliseconds(5), milliseconds(20), milliseconds(75)],
  drops: 0,
  bursts: undefined,
  loss: 0,
  duplication: 0,
  reordering: 0,
  cuts: 'forget',
}

/** A host as the network sees it. */
export interface Station {
  readonly name: string
  readonly peer: PeerId
  readonly site: string
  /** Changes whenever its daemon starts or stops: what was meant for an earlier life does not reach a later one. */
  readonly life: number
  /** Where its links come from. */
  readonly address: IpAddress
  readonly condition: 'off' | 'idle' | 'listening' | 'paused'
  has(address: IpAddress | Target): boolean
  nextLink(): LinkId
  take(input: Input): void
}

type End = {
  readonly station: Station
  readonly life: number
  readonly link: LinkId
  state: 'coming' | 'open' | 'closed'
  /** When the last of what was sent from here arrives. */
  clear: Instant
  /** What was dropped and all that was sent after it, while it is not sent again. */
  stuck: Stuck | undefined
  /** Whatever is sent from here vanishes: something on the way no longer knows the connection. */
  forgotten: boolean
  /** Its host lost power: nothing is sent again. */
  gone: boolean
}
type Stuck = { readonly items: Item[]; readonly since: Instant; again: Instant; wait: Duration }
type Pair = readonly [from: End, to: End]
type Item = { readonly kind: 'linked' } | { readonly kind: 'frame'; readonly bytes: Bytes } | { readonly kind: 'closed' }

const DIAL_TIMEOUT = seconds(1)

/** From the first packet of TCP to the Noise message by which the dialler knows whom it talks to. */
const HANDSHAKE_HOPS = 4

/** How long TCP waits, at most, before it tries again after a cut is mended. */
const RETRANSMISSION = seconds(2)

/** How long it waits before it sends a segment again of which it heard nothing; then twice as long, and so on. */
const FIRST_RESEND = milliseconds(200)

/** What comes on top of the least time between sites, as a share of it. */
const FAR_JITTER = 0.05

/** A path on which nothing comes through for this long, a beat less than the protocol's patience, was as good as cut. */
const SILENT = milliseconds(750)

export class Network {
  /** Is told of two hosts between which nothing came through for a while. */
  silent: (from: Station, to: Station) => void = () => {}
  /** How many frames hosts have sent, and how long they were together. */
  readonly traffic = { frames: 0, bytes: 0 }
  readonly #schedule: Schedule
  readonly #dice: Dice
  readonly #options: NetworkOptions
  readonly #stations: Station[] = []
  readonly #pairs = new Map<Station, Map<LinkId, Pair>>()
  /** To whom what a host sends no longer comes through. */
  readonly #cuts = new Map<Station, Set<Station>>()
  readonly #places = new Map<string, Station>()
  readonly #distances = new Map<string, Duration>()
  readonly #paths = new Map<string, { bad: boolean; until: Instant }>()
  #held: { readonly pair: Pair; readonly item: Item }[] = []

  constructor(schedule: Schedule, dice: Dice, options: NetworkOptions) {
    this.#schedule = schedule
    this.#dice = dice
    this.#options = options
  }

  attach(station: Station): void {
    this.#stations.push(station)
    this.#pairs.set(station, new Map())
  }

  cut(from: Station, to: Station): void {
    this.#cuts.set(from, (this.#cuts.get(from) ?? new Set()).add(to))
  }

  heal(): void {
    this.#cuts.clear()
    const held = this.#held
    this.#held = []
    for (const { pair, item } of held) {
      pair[0].clear = instant(Math.max(pair[0].clear, this.#schedule.now + this.#dice.between(0, RETRANSMISSION)))
      this.#launch(pair, item, this.#schedule.now)
    }
  }

  /** Something between two hosts forgets their connections: what one sends the other on them vanishes, and no reset tells it. */
  forgetConnections(from: Station, to: Station): void {
    for (const [end, other] of this.#pairs.get(from)?.values() ?? []) if (other.station === to) end.forgotten = true
  }

  /** Whether packets pass from one host to another, both having power. */
  passes(from: Station, to: Station): boolean {
    if (from.condition === 'off' || to.condition === 'off') return false
    return this.#cuts.get(from)?.has(to) !== true
  }

  passesBothWays(one: Station, other: Station): boolean {
    return this.passes(one, other) && this.passes(other, one)
  }

  dial(from: Station, target: Target, addresses: readonly ControlAddress[] | undefined): void {
    const to = addresses?.[0]?.address ?? target
    const { life } = from
    const started = this.#schedule.now
    const answer = (failure: 'refused' | 'unanswered' | 'self') => {
      if (from.life === life) from.take({ kind: 'undialled', target, failure })
    }
    const find = () => this.#at(to)
    const late = after(started, DIAL_TIMEOUT)
    const attempt = () => {
      if (from.life !== life) return
      const callee = find()
      const reached = callee !== undefined && this.passesBothWays(from, callee)
      if (reached && callee.condition === 'idle') return answer('refused')
      if (reached && callee.condition === 'listening') return this.#connect(from, callee, target)
      if (!reached || this.#schedule.now >= late) this.#schedule.at(late, () => answer('unanswered'))
      else this.#schedule.in(milliseconds(10), attempt)
    }
    if (from.has(to)) this.#schedule.in(milliseconds(1), () => answer('self'))
    else {
      const handshake = this.#handshake(from, find() ?? from)
      if (handshake < DIAL_TIMEOUT) this.#schedule.in(handshake, attempt)
      else this.#schedule.at(late, () => this.#giveUp(from, find(), answer))
    }
  }

  /** Finds out whether a peer is at an address. */
  seek(from: Station, peer: PeerId, { address }: ControlAddress): void {
    const { life } = from
    this.#schedule.in(this.#handshake(from, this.#at(address) ?? from), () => {
      const to = this.#at(address)
      const found = to?.peer === peer && to.condition === 'listening' && this.passesBothWays(from, to)
      if (from.life === life) from.take({ kind: 'tried', peer, address, found })
    })
  }

  /** Where an address leads: the same host as last time, if it still has it. */
  #at(address: IpAddress | Target): Station | undefined {
    const known = this.#places.get(address)
    if (known?.has(address) === true) return known
    const found = this.#stations.find((station) => station.has(address))
    if (found !== undefined) this.#places.set(address, found)
    return found
  }

  /** A dial whose packets were dropped. */
  #giveUp(from: Station, to: Station | undefined, answer: (failure: 'unanswered') => void): void {
    if (to !== undefined) this.silent(from, to)
    answer('unanswered')
  }

  /** @param at when its last byte has left the host */
  send(from: Station, link: LinkId, bytes: Bytes, at: Instant): void {
    const pair = this.#pairs.get(from)?.get(link)
    if (pair === undefined) return
    this.traffic.frames++
    this.traffic.bytes += bytes.length
    if (this.#dice.chance(this.#options.loss)) return
    this.#transmit(pair, { kind: 'frame', bytes }, at)
    if (this.#dice.chance(this.#options.duplication)) this.#transmit(pair, { kind: 'frame', bytes }, at)
  }

  unlink(from: Station, link: LinkId): void {
    const pair = this.#pairs.get(from)?.get(link)
    if (pair === undefined) return
    this.#close(pair[0])
    this.#transmit(pair, { kind: 'closed' }, this.#schedule.now)
  }

  /** All links of a host end, because its daemon did: its kernel says so to the others. */
  reset(station: Station): void {
    for (const link of [...(this.#pairs.get(station)?.keys() ?? [])]) this.unlink(station, link)
  }

  /** All links of a host end, because its power did: nobody is told. */
  forget(station: Station): void {
    for (const [end] of [...(this.#pairs.get(station)?.values() ?? [])]) {
      end.gone = true
      this.#close(end)
    }
  }

  #connect(from: Station, to: Station, target: Target): void {
    const now = this.#schedule.now
    const fresh = { clear: now, stuck: undefined, forgotten: false, gone: false }
    const caller: End = { station: from, life: from.life, link: from.nextLink(), state: 'open', ...fresh }
    const callee: End = { station: to, life: to.life, link: to.nextLink(), state: 'coming', ...fresh }
    this.#pairs.get(from)?.set(caller.link, [caller, callee])
    this.#pairs.get(to)?.set(callee.link, [callee, caller])
    this.#transmit([caller, callee], { kind: 'linked' }, now)
    from.take({ kind: 'linked', link: caller.link, peer: to.peer, dialled: target, at: to.address })
  }

  /** How long a packet takes from one host to another. */
  #hop(from: Station, to: Station): Duration {
    const { delay, jitter } = this.#options
    if (from.site === to.site) return milliseconds(delay + this.#dice.exponential(jitter))
    const pair = from.site < to.site ? `${from.site} ${to.site}` : `${to.site} ${from.site}`
    const distance = this.#distances.get(pair) ?? this.#dice.pick(this.#options.far)
    this.#distances.set(pair, distance)
    return milliseconds(distance + this.#dice.exponential(distance * FAR_JITTER))
  }

  /** How long the hops of a handshake take: TCP is slow to repeat its first, and quicker with what follows. */
  #handshake(from: Station, to: Station): Duration {
    const dropped = Array.from({ length: HANDSHAKE_HOPS }, () => this.#drops(from, to))
    const again = dropped.map((lost, hop) => (lost ? (hop < 2 ? DIAL_TIMEOUT : FIRST_RESEND) : 0))
    return milliseconds(again.reduce((sum, each) => sum + each, HANDSHAKE_HOPS * this.#hop(from, to)))
  }

  /** Whether the path between two hosts, in its present state, drops a segment. */
  #drops(from: Station, to: Station): boolean {
    const { drops, bursts } = this.#options
    return this.#dice.chance(bursts !== undefined && this.#isBad(from, to, bursts) ? bursts.drops : drops)
  }

  #isBad(from: Station, to: Station, { every, last }: NonNullable<NetworkOptions['bursts']>): boolean {
    const { now } = this.#schedule
    const pair = from.name < to.name ? `${from.name} ${to.name}` : `${to.name} ${from.name}`
    const path = this.#paths.get(pair) ?? { bad: false, until: after(now, milliseconds(this.#dice.exponential(every))) }
    this.#paths.set(pair, path)
    while (path.until <= now) {
      path.bad = !path.bad
      path.until = after(path.until, milliseconds(this.#dice.exponential(path.bad ? last : every)))
    }
    return path.bad
  }

  #transmit(pair: Pair, item: Item, at: Instant): void {
    const [from, to] = pair
    if (from.forgotten) return
    const dropped = this.#drops(from.station, to.station)
    if (from.stuck !== undefined) {
      from.stuck.items.push(item)
      // What comes after a gap tells of it: then nobody waits for the timer.
      if (!dropped) this.#resend(pair, from.stuck, after(at, milliseconds(2 * this.#hop(from.station, to.station))))
    } else if (dropped) {
      from.stuck = { items: [item], since: at, again: instant(Infinity), wait: FIRST_RESEND }
      this.#resend(pair, from.stuck, after(at, FIRST_RESEND))
    } else this.#launch(pair, item, at)
  }

  /** Sends again what was dropped, at that time if not before. */
  #resend(pair: Pair, stuck: Stuck, at: Instant): void {
    if (at >= stuck.again) return
    stuck.again = at
    this.#schedule.at(at, () => {
      const [from, to] = pair
      if (from.stuck !== stuck || stuck.again !== at || from.gone) return
      if (elapsed(stuck.since, at) >= SILENT) this.silent(from.station, to.station)
      if (this.#drops(from.station, to.station)) {
        stuck.again = instant(Infinity)
        stuck.wait = milliseconds(2 * stuck.wait)
        if (elapsed(stuck.since, at) + stuck.wait >= SILENT) this.silent(from.station, to.station)
        return this.#resend(pair, stuck, after(at, stuck.wait))
      }
      from.stuck = undefined
      for (const item of stuck.items) this.#launch(pair, item, at)
    })
  }

  #launch(pair: Pair, item: Item, at: Instant): void {
    const [from, to] = pair
    const direct = after(at, this.#hop(from.station, to.station))
    const overtakes = item.kind === 'frame' && this.#dice.chance(this.#options.reordering)
    const arrival = overtakes ? direct : instant(Math.max(direct, from.clear))
    from.clear = instant(Math.max(arrival, from.clear))
    this.#schedule.at(arrival, () => this.#arrive(pair, item))
  }

  #arrive(pair: Pair, item: Item): void {
    const [from, to] = pair
    if (!this.passes(from.station, to.station)) {
      if (this.#options.cuts === 'hold' && !from.gone) this.#held.push({ pair, item })
      return
    }
    if (to.state === 'closed' || to.station.life !== to.life) return this.#answerReset(pair)
    if (item.kind === 'linked') {
      to.state = 'open'
      to.station.take({ kind: 'linked', link: to.link, peer: from.station.peer, dialled: undefined, at: from.station.address })
    } else if (item.kind === 'closed') {
      this.#end(to)
    } else if (to.state === 'open') {
      to.station.take({ kind: 'frame', link: to.link, bytes: item.bytes })
    }
  }

  /** Something came for a connection that this host does not have. */
  #answerReset([from, to]: Pair): void {
    if (from.state === 'closed' || to.forgotten || !this.passes(to.station, from.station)) return
    this.#schedule.in(this.#hop(to.station, from.station), () => {
      if (this.passes(to.station, from.station)) this.#end(from)
    })
  }

  #end(end: End): void {
    if (end.state === 'closed' || end.station.life !== end.life) return
    const wasOpen = end.state === 'open'
    this.#close(end)
    if (wasOpen) end.station.take({ kind: 'unlinked', link: end.link })
  }

  #close(end: End): void {
    end.state = 'closed'
    this.#pairs.get(end.station)?.delete(end.link)
  }
}
