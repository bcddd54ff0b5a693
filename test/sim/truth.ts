/**
 * Who can be held guilty of what, from outside: which hosts ran, and which could hear each other, and since when.
 *
 * A member is *blameless* to an observer while, for the whole of `bound`, it ran unpaused and every other member that
 * ran, but for that observer itself, had a path to it in both directions on which something came through in time. Then nobody honest has a reason to accuse it
 * except the observer, whose lone word must not count, and its refutations reach whoever can be reached at all. So such a
 * member may be removed by nobody, however the observer itself fares: cut off, paused, restarted from an old state, or
 * told lies.
 *
 * The bound is what a member that was in trouble may need to be known as alive again: the longest pause between
 * dials to the dead (5 s, a quarter more by jitter), one dial that times out (1 s), one greeting that goes wrong (3 s) and
 * is tried again (up to 2.5 s), one comparison that comes late (0.9 + 1 s) and one that is lost (1 s): 16 s; 20 with a margin.
 */
import { elapsed, instant, seconds, type Instant, type PeerId } from '@vxmesh/core'
import type { Host } from './host.ts'
import type { Station } from './network.ts'
import type { World } from './world.ts'

export class Truth {
  readonly bound = seconds(20)
  readonly #hosts: readonly Host[]
  /** When a host was last not running, and when two running hosts last had no path both ways. */
  readonly #idle = new Map<Host, Instant>()
  readonly #apart = new Map<Station, Map<Station, Instant>>()
  /** When a host could last hear any other, or was not there to listen. */
  readonly #heard = new Map<Host, Instant>()
  readonly #liars = new Set<Host>()
  #world: World | undefined

  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts
  }

  over(world: World): void {
    this.#world = world
  }

  /** Notes how things stand: to be called before every fault and every mending, and before anybody is asked about. */
  witness(): void {
    const world = this.#of()
    const { now } = world.schedule
    for (const host of this.#hosts) {
      const { network } = world
      const audible = this.#hosts.some((other) => other !== host && other.condition !== 'paused' && network.passesBothWays(host, other))
      const deaf = runs(host) && !audible && !this.#hosts.some((other) => other !== host && runs(other) && network.passes(other, host))
      if (!deaf) this.#heard.set(host, now)
      if (!runs(host)) {
        this.#idle.set(host, now)
        continue
      }
      for (const other of this.#hosts) {
        if (other === host || !runs(other) || network.passesBothWays(host, other)) continue
        this.#part(host, other)
      }
    }
  }

  /**
   * Nothing that one host sent another came through for as long as it takes to be called silent, or a connection between
   * them died unseen: for a moment they were as good as cut.
   */
  parted(one: Station, other: Station): void {
    this.#part(one, other)
    this.#part(other, one)
  }

  /** From now on the laws protect others from this host, and it from nobody. */
  lies(host: Host): void {
    this.#liars.add(host)
  }

  /** Whether whoever has this identity says what the protocol has it say, as far as it can. */
  isHonest(peer: PeerId): boolean {
    return ![...this.#liars].some((liar) => liar.peer === peer)
  }

  isBlameless(subject: Host, observer: Host): boolean {
    if (this.#liars.has(subject)) return false
    return [
      this.#idle.get(subject),
      ...this.#hosts.map((other) => (other === observer ? undefined : this.#apart.get(subject)?.get(other))),
    ].every((trouble) => this.#since(trouble) >= this.bound)
  }

  /**
   * Whether a host could hear anybody within the time it takes to notice that nobody is there: `REFUSAL_SILENCE` after
   * the last refused connection (5 s), a beat and the turn of the reconciler.
   */
  couldHear(host: Host): boolean {
    return this.#since(this.#heard.get(host)) < seconds(6.5)
  }

  #part(from: Station, to: Station): void {
    const apart = this.#apart.get(from) ?? new Map<Station, Instant>()
    this.#apart.set(from, apart.set(to, this.#of().schedule.now))
  }

  #since(trouble: Instant | undefined): number {
    const { now } = this.#of().schedule
    return elapsed(trouble ?? instant(-Infinity), now)
  }

  #of(): World {
    if (this.#world === undefined) throw new Error('truth without a world')
    return this.#world
  }
}

function runs(host: Host): boolean {
  return host.condition === 'listening'
}
