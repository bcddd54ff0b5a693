/**
 * The network between simulated hosts, as the protocol sees it through its shell: dials, links and frames.
 *
 * Like TCP it keeps the order of a link's frames, refuses where a host is up and no daemon listens, stays silent where
 * nobody is, and leaves links half open when nobody could tell the other end; a frame into such a link is answered with
 * a reset once it arrives. Unlike TCP it may be told to lose, repeat and reorder frames: the protocol must survive that.
 */
import {
  after,
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
  /** The least time from host to host, in milliseconds, and the mean of what comes on top. */
  readonly delay: Duration
  readonly jitter: Duration
  /** Probabilities for one frame. */
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  /** What a cut does to what is on its way: TCP holds it back and tries again, a rebooted switch forgets it. */
  readonly cuts: 'hold' | 'forget'
}

export const CALM: NetworkOptions = {
  delay: milliseconds(1),
  jitter: milliseconds(1),
  loss: 0,
  duplication: 0,
  reordering: 0,
  cuts: 'forget',
}

/** A host as the network sees it. */
export interface Station {
  readonly name: string
  readonly peer: PeerId
  /** Changes whenever its daemon starts or stops: what was meant for an earlier life does not reach a later one. */
  readonly life: number
  readonly condition: 'off' | 'idle' | 'listening' | 'paused'
  has(address: IpAddress | Target): boolean
  nextLink(): LinkId
  take(input: Input): void
}

type End = { readonly station: Station; readonly life: number; readonly link: LinkId; state: 'coming' | 'open' | 'closed'; clear: Instant }
type Pair = readonly [from: End, to: End]
type Item = { readonly kind: 'linked' } | { readonly kind: 'frame'; readonly bytes: Bytes } | { readonly kind: 'closed' }

const DIAL_TIMEOUT = seconds(1)

/** From the first packet of TCP to the Noise message by which the dialler knows whom it talks to. */
const HANDSHAKE_HOPS = 4

/** How long TCP waits, at most, before it tries again after a cut is mended. */
const RETRANSMISSION = seconds(2)

export class Network {
  readonly #schedule: Schedule
  readonly #dice: Dice
  readonly #options: NetworkOptions
  readonly #stations: Station[] = []
  readonly #pairs = new Map<Station, Map<LinkId, Pair>>()
  readonly #cuts = new Set<string>()
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
    this.#cuts.add(`${from.name} ${to.name}`)
  }

  heal(): void {
    this.#cuts.clear()
    const held = this.#held
    this.#held = []
    for (const { pair, item } of held) {
      pair[0].clear = instant(Math.max(pair[0].clear, this.#schedule.now + this.#dice.between(0, RETRANSMISSION)))
      this.#transmit(pair, item)
    }
  }

  /** Whether packets pass from one host to another, both having power. */
  passes(from: Station, to: Station): boolean {
    return from.condition !== 'off' && to.condition !== 'off' && !this.#cuts.has(`${from.name} ${to.name}`)
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
    const attempt = () => {
      if (from.life !== life) return
      const callee = this.#stations.find((station) => station.has(to))
      const reached = callee !== undefined && this.passesBothWays(from, callee)
      if (reached && callee.condition === 'idle') return answer('refused')
      if (reached && callee.condition === 'listening') return this.#connect(from, callee, target)
      const late = after(started, DIAL_TIMEOUT)
      if (!reached || this.#schedule.now >= late) this.#schedule.at(late, () => answer('unanswered'))
      else this.#schedule.in(milliseconds(10), attempt)
    }
    if (from.has(to)) this.#schedule.in(milliseconds(1), () => answer('self'))
    else this.#schedule.in(milliseconds(HANDSHAKE_HOPS * this.#hop()), attempt)
  }

  send(from: Station, link: LinkId, bytes: Bytes): void {
    const pair = this.#pairs.get(from)?.get(link)
    if (pair === undefined) return
    if (this.#dice.chance(this.#options.loss)) return
    this.#transmit(pair, { kind: 'frame', bytes })
    if (this.#dice.chance(this.#options.duplication)) this.#transmit(pair, { kind: 'frame', bytes })
  }

  unlink(from: Station, link: LinkId): void {
    const pair = this.#pairs.get(from)?.get(link)
    if (pair === undefined) return
    this.#close(pair[0])
    this.#transmit(pair, { kind: 'closed' })
  }

  /** All links of a host end, because its daemon did: its kernel says so to the others. */
  reset(station: Station): void {
    for (const link of [...(this.#pairs.get(station)?.keys() ?? [])]) this.unlink(station, link)
  }

  /** All links of a host end, because its power did: nobody is told. */
  forget(station: Station): void {
    for (const [end] of [...(this.#pairs.get(station)?.values() ?? [])]) this.#close(end)
  }

  #connect(from: Station, to: Station, target: Target): void {
    const now = this.#schedule.now
    const caller: End = { station: from, life: from.life, link: from.nextLink(), state: 'open', clear: now }
    const callee: End = { station: to, life: to.life, link: to.nextLink(), state: 'coming', clear: now }
    this.#pairs.get(from)?.set(caller.link, [caller, callee])
    this.#pairs.get(to)?.set(callee.link, [callee, caller])
    this.#transmit([caller, callee], { kind: 'linked' })
    from.take({ kind: 'linked', link: caller.link, peer: to.peer, dialled: target })
  }

  #hop(): Duration {
    return milliseconds(this.#options.delay + this.#dice.exponential(this.#options.jitter))
  }

  #transmit(pair: Pair, item: Item): void {
    const [from] = pair
    const direct = after(this.#schedule.now, this.#hop())
    const overtakes = item.kind === 'frame' && this.#dice.chance(this.#options.reordering)
    const arrival = overtakes ? direct : instant(Math.max(direct, from.clear))
    from.clear = instant(Math.max(arrival, from.clear))
    this.#schedule.at(arrival, () => this.#arrive(pair, item))
  }

  #arrive(pair: Pair, item: Item): void {
    const [from, to] = pair
    if (!this.passes(from.station, to.station)) {
      if (this.#options.cuts === 'hold') this.#held.push({ pair, item })
      return
    }
    if (to.state === 'closed' || to.station.life !== to.life) return this.#answerReset(pair)
    if (item.kind === 'linked') {
      to.state = 'open'
      to.station.take({ kind: 'linked', link: to.link, peer: from.station.peer, dialled: undefined })
    } else if (item.kind === 'closed') {
      this.#end(to)
    } else if (to.state === 'open') {
      to.station.take({ kind: 'frame', link: to.link, bytes: item.bytes })
    }
  }

  /** Something came for a connection that this host does not have. */
  #answerReset([from, to]: Pair): void {
    if (from.state === 'closed' || !this.passes(to.station, from.station)) return
    this.#schedule.in(this.#hop(), () => {
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
