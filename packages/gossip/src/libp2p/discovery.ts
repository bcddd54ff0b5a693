/**
 * Finds members on the LAN, and lets them find us. It never admits anybody: what it hears is where a member may be, kept
 * in a short list of its own (`candidates.ts`), and the protocol dials.
 *
 * Who has no link asks, again and again, more and more slowly. Everybody answers, at most once a second on each interface,
 * and says unasked where it is from time to time, so that two parts of a mesh that come onto one LAN meet.
 */
import {
  after,
  instant,
  neighbourhood,
  milliseconds,
  seconds,
  type Clock,
  type ControlAddress,
  type Duration,
  type Instant,
  type IpAddress,
  type Lan,
  type MeshId,
  type PeerId,
  type Random,
} from '@vxmesh/core'
import { Candidates, isSilent, isWanted } from '../candidates.ts'
import type { Seed, State } from '../state.ts'
import { openLinks } from '../turn.ts'
import { languageOf } from './announcement.ts'
import { familiesOf, joinGroup, type Family, type Group } from './multicast.ts'
import { parseSeed } from './seed.ts'

/** An answer waits a moment, so that those of many do not meet; and is not repeated within a second (RFC 6762 section 6). */
const ANSWER_AFTER = milliseconds(20)
const ANSWER_SPREAD = 100
const ANSWER_AGAIN = seconds(1)

/** The first questions follow each other fast: on an interface that just came up the first may be lost. */
const FIRST_QUESTIONS = milliseconds(250)
const QUESTIONS_AT_LEAST_EVERY = seconds(10)
/** Who is alone asks on: where somebody shouts, most of what is said is lost. */
const LONGEST_GAP = seconds(3)

/** How often one says unasked where it is; and, of large meshes, how much longer for each member, so that they say little together. */
const SAY_EVERY = seconds(10)
const SAY_FOR_EACH = milliseconds(100)

export type DiscoveryOptions = {
  readonly mesh: MeshId
  readonly self: PeerId
  readonly clock: Clock
  readonly random: Random
  readonly listening: () => readonly ControlAddress[]
  readonly state: () => State
  /** Dials what may be a member, once. */
  readonly approach: (place: Seed) => void
  readonly trouble: (lan: string, reason: string) => void
  /** How a group is joined; the real one unless told. */
  readonly join?: typeof joinGroup
}

/** What discovery has and did: on which interfaces it listens, how many places it knows, how often it dialled one. */
export type DiscoveryReport = { readonly interfaces: readonly string[]; readonly candidates: number; readonly dials: number }

export type Discovery = {
  /** These are the LANs from now on. */
  look(lans: readonly Lan[]): void
  report(): DiscoveryReport
  stop(): void
}

type Post = {
  readonly lan: Lan
  readonly spoken: Family
  readonly group: Group
  /** Whether an address is on this LAN. */
  readonly isNear: (address: IpAddress) => boolean
  /** When we last said where we are, and shall again. */
  said: Instant
  say: Instant
}

const NEVER = instant(Infinity)

export function startDiscovery(options: DiscoveryOptions): Discovery {
  const { mesh, self, clock, random, listening, state, approach, trouble, join = joinGroup } = options
  const language = languageOf(mesh)
  let posts: readonly Post[] = []
  const candidates = new Candidates(clock.now(), random)
  let ask = clock.now()
  let gap: Duration = FIRST_QUESTIONS
  let dials = 0
  let timer: NodeJS.Timeout | undefined

  function open(lan: Lan, spoken: Family): Post {
    const isNear = neighbourhood([lan])
    const group = join(lan, spoken, {
      joined: () => {
        post.say = clock.now()
        ;[ask, gap] = [post.say, FIRST_QUESTIONS]
        wake(ask)
      },
      heard: (packet, source) => {
        const said = language.understand(packet)
        // A group is heard on all interfaces where anybody on this host has joined it: who is not near on this one is not of it.
        if (said === undefined || !isNear(source)) return
        if (said.kind === 'query') return answer(post)
        const { peer, at } = said
        if (peer === self || !posts.some((each) => each.isNear(at.address))) return
        candidates.note({ peer, at, source }, { linked: openLinks(state()).length > 0, now: clock.now() })
        wake(after(clock.now(), ANSWER_AFTER))
      },
      failed: (reason) => {
        trouble(lan.name, reason)
        posts = posts.filter((each) => each !== post)
        group.close()
      },
    })
    const post: Post = { lan, spoken, group, isNear, said: instant(-Infinity), say: NEVER }
    return post
  }

  function answer(post: Post): void {
    const soon = after(clock.now(), milliseconds(ANSWER_AFTER + random() * ANSWER_SPREAD))
    post.say = instant(Math.min(post.say, Math.max(soon, after(post.said, ANSWER_AGAIN))))
    wake(post.say)
  }

  /** Says and asks what is due, and dials. */
  function act(): void {
    armed = NEVER
    const now = clock.now()
    const current = state()
    const linked = openLinks(current).length > 0
    if (!isSilent(current, self)) {
      for (const post of posts.filter(({ say }) => say <= now)) {
        for (const at of listening()) post.group.send(language.answer({ peer: self, at }))
        post.said = now
        post.say = after(now, milliseconds(Math.max(SAY_EVERY, current.view.size * SAY_FOR_EACH) * (0.75 + random() / 2)))
      }
      if (ask <= now) {
        if (!linked) for (const { group } of posts) group.send(language.query())
        ask = after(now, linked ? QUESTIONS_AT_LEAST_EVERY : gap)
        gap = linked ? FIRST_QUESTIONS : milliseconds(Math.min(gap * 2, LONGEST_GAP))
      }
      dialDue()
    }
    wake(
      instant(Math.min(ask <= now ? after(now, QUESTIONS_AT_LEAST_EVERY) : ask, ...posts.map(({ say }) => say).filter((at) => at > now))),
    )
  }

  function dialDue(): void {
    const wanted = (peer: PeerId): boolean => isWanted(state(), self, peer)
    for (;;) {
      const { dial, wake: next } = candidates.choose(wanted, clock.now())
      if (dial === undefined) return wake(next)
      const place = parseSeed(dial)
      if (!place.ok) continue
      dials++
      approach(place.value)
    }
  }

  let armed = NEVER
  /** Acts then, or before. */
  function wake(at: Instant): void {
    if (at >= armed) return
    armed = at
    clearTimeout(timer)
    timer = setTimeout(act, Math.max(0, Math.ceil(at - clock.now())))
  }

  return {
    look(lans) {
      const wanted = lans.flatMap((lan) => familiesOf(lan).map((spoken) => ({ lan, spoken })))
      const same = (one: { lan: Lan; spoken: Family }, other: { lan: Lan; spoken: Family }): boolean =>
        one.spoken === other.spoken && JSON.stringify(one.lan) === JSON.stringify(other.lan)
      const kept = posts.filter((post) => wanted.some((each) => same(each, post)))
      for (const post of posts) if (!kept.includes(post)) post.group.close()
      const fresh = wanted.filter((each) => !posts.some((post) => same(each, post)))
      posts = [...kept, ...fresh.map(({ lan, spoken }) => open(lan, spoken))]
    },
    report: () => ({ interfaces: [...new Set(posts.map(({ lan }) => lan.name))], candidates: candidates.size, dials }),
    stop() {
      clearTimeout(timer)
      armed = instant(-Infinity)
      for (const { group } of posts) group.close()
      posts = []
    },
  }
}
