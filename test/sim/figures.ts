/**
 * What a mesh takes, in virtual time: how long news, a death and the end of a partition need to reach everybody, and
 * what it costs to do nothing. Each figure is the median and the 99th percentile over the seeds, of the moment at which
 * the last kernel has followed. A mesh begins formed; members that are too many to give each a kernel have imagined ones.
 */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { Cluster, type ClusterOptions } from './cluster.ts'
import type { Host } from './host.ts'

/** RTT 0.5 ms, on top of which each packet waits 0.05 ms on the mean. */
const LAN = { delay: milliseconds(0.25), jitter: milliseconds(0.05) } as const

/** Above this many, no member has a kernel of its own, and the laws look at some of the steps. */
const KERNELS_MOST = 64

/** What TCP/IP, Ethernet, Noise and yamux put around a frame of ours, in bytes: 66, 18 and 12, and one for its length. */
const AROUND_A_FRAME = 97

/** Once all links are made. */
const FORMED = seconds(3)

/** How often a mesh that heals is looked at, and for how long. */
const LOOK = milliseconds(10)
const HEALED_WITHIN = seconds(60)

export type Sample = {
  readonly members: number
  readonly seed: number
  readonly newsMs: number
  readonly crashMs: number
  /** Sent by one member to all others, in bits a second. */
  readonly idle: number
  /** The digests and summaries that bring one record to a member that missed it, in bytes. */
  readonly compared: number
}

/** A mesh whose links are made. */
function formed(members: number, seed: number, options: Partial<ClusterOptions> = {}): Cluster {
  const names = Array.from({ length: members }, (_, index) => `m${String(index)}`)
  const large = members > KERNELS_MOST
  const cluster = new Cluster(names, {
    seed,
    formed: true,
    kernels: large ? 'imagined' : 'simulated',
    lawsEvery: Math.max(1, Math.floor(members / 8)),
    network: LAN,
    ...options,
  })
  cluster.run(FORMED)
  return cluster
}

export function sample(members: number, seed: number): Sample {
  const cluster = formed(members, seed)
  const idle = idling(cluster)
  const newsMs = news(cluster)
  const compared = comparing(cluster)
  const crashMs = crash(cluster)
  return {
    members,
    seed,
    idle,
    newsMs,
    compared,
    crashMs,
  }
}

function idling(cluster: Cluster): number {
  const before = cluster.traffic
  cluster.run(seconds(5))
  const { frames, bytes } = cluster.traffic
  return ((frames - before.frames) * AROUND_A_FRAME + bytes - before.bytes) * (8 / 5 / cluster.hosts.length)
}

/** From one member's new record to the last kernel that has followed it. */
function news(cluster: Cluster): number {
  const author = cluster.dice.pick(cluster.hosts)
  const others = cluster.hosts.filter((host) => host !== author)
  const number = cluster.incarnation(author.name)
  const knows = (host: Host) => (host.state?.view.get(author.peer)?.signed.record.incarnation ?? 0) > number
  return until(cluster, others, knows, seconds(5), () => cluster.move(author.name, '10.200.0.1'))
}

/** From the moment the power goes to the last kernel that has let go. */
function crash(cluster: Cluster): number {
  cluster.run(milliseconds(cluster.dice.between(0, 250)))
  const victim = cluster.dice.pick(cluster.hosts)
  const others = cluster.hosts.filter((host) => host !== victim)
  const knows = (host: Host) => host.state?.standings.get(victim.peer)?.state === 'dead'
  return until(cluster, others, knows, seconds(20), () => cluster.powerOff(victim.name))
}

/** An island and the rest, cut apart for so long, in milliseconds from the end of the cut until all know all alive. */
export function healed(members: number, island: number, seed: number, length: Duration): number {
  const cluster = formed(members, seed, { kernels: 'imagined' })
  const { names, hosts } = cluster
  cluster.partition(names.slice(0, island), names.slice(island))
  cluster.run(length)
  cluster.heal()
  const from = cluster.now
  const apart = new Set(hosts)
  while (apart.size > 0 && cluster.now - from < HEALED_WITHIN) {
    cluster.run(LOOK)
    for (const host of apart) if (isWhole(host, hosts)) apart.delete(host)
  }
  if (apart.size > 0) throw new Error(`${String(apart.size)} of ${String(hosts.length)} hosts are not healed after a minute`)
  return cluster.now - from
}

/** Of two members neither gives the other up: it is a link that tells whether they are together. */
function isWhole(host: Host, hosts: readonly Host[]): boolean {
  const linked = [...(host.state?.links.values() ?? [])].some(({ phase }) => phase === 'open')
  return linked && knowsAll(hosts)(host)
}

/** All start in the same moment and know one address, in milliseconds until all know all alive. */
export function started(members: number, seed: number): number {
  const names = Array.from({ length: members }, (_, index) => `m${String(index)}`)
  const cluster = new Cluster(names, { seed, kernels: 'imagined', lawsEvery: Math.max(1, Math.floor(members / 8)), network: LAN })
  return until(cluster, cluster.hosts, knowsAll(cluster.hosts), seconds(300), () => undefined)
}

function knowsAll(hosts: readonly Host[]): (host: Host) => boolean {
  return (host) => host.state?.circle.living === hosts.length
}

/** What it takes one member that missed one record to be given it, while nobody else is in its way. */
function comparing(cluster: Cluster): number {
  const [author, deaf] = cluster.hosts
  if (author === undefined || deaf === undefined) return 0
  const others = cluster.names.filter((name) => name !== deaf.name)
  const sent = () => cluster.hosts.reduce((sum, host) => sum + (host.state?.comparisons.bytes ?? 0), 0)
  const before = sent()
  cluster.cutOneWay(others, [deaf.name])
  cluster.move(author.name, '10.200.0.2')
  cluster.run(milliseconds(100))
  const number = cluster.incarnation(author.name)
  const knows = (host: Host) => host.state?.view.get(author.peer)?.signed.record.incarnation === number
  until(cluster, [deaf], knows, seconds(20), () => cluster.heal())
  return sent() - before
}

/** How long it takes, in milliseconds, until the kernels of all these hosts have followed a view in which this holds. */
function until(cluster: Cluster, hosts: readonly Host[], holds: (host: Host) => boolean, within: Duration, begin: () => void): number {
  const waiting = new Set(hosts)
  const from = cluster.now
  let last: number = from
  for (const host of hosts) {
    host.followed = () => {
      if (!waiting.has(host) || !holds(host)) return
      waiting.delete(host)
      last = cluster.now
    }
  }
  begin()
  for (let waited = 0; waiting.size > 0 && waited < within; waited += 50) cluster.run(milliseconds(50))
  for (const host of hosts) host.followed = undefined
  if (waiting.size > 0)
    throw new Error(`${String(waiting.size)} of ${String(hosts.length)} hosts have not followed within ${String(within / 1000)} s`)
  return last - from
}

export type Falsehood = {
  readonly members: number
  readonly hours: number
  readonly accusations: number
  readonly deaths: number
  readonly removals: number
}

/**
 * A mesh in which nobody dies, on bad machines in a bad network: every segment is dropped with a chance of 5 % and sent
 * again as TCP does, garbage is collected for 20 to 120 ms about every 10 s, and every member stands still for 1 s once a
 * minute, at a moment of its own.
 */
export function falsehoods(members: number, seed: number, length: Duration): Falsehood {
  const cluster = formed(members, seed, { network: { ...LAN, drops: 0.05 }, garbage: { every: seconds(10) } })
  let deaths = 0
  let accusations = 0
  const known = new Set<string>()
  cluster.watch(milliseconds(200), () => {
    for (const host of cluster.hosts) {
      for (const peer of host.state?.circle.dead ?? []) {
        const which = `${host.name} ${peer} ${String(host.state?.view.get(peer)?.signed.record.incarnation)}`
        if (!known.has(which)) deaths++
        known.add(which)
      }
    }
  })
  for (let passed = 0; passed < length; passed += 60_000) {
    const begun = cluster.now
    const stalls = cluster.names.map((name) => ({ name, at: begun + cluster.dice.between(0, 59_000) }))
    for (const { name, at } of stalls.toSorted((one, other) => one.at - other.at)) {
      cluster.run(milliseconds(at - cluster.now))
      cluster.stall(name, seconds(1), 'runs on')
    }
    cluster.run(milliseconds(begun + 60_000 - cluster.now))
    accusations = cluster.hosts.reduce((sum, host) => sum + (host.state?.accused.size ?? 0), accusations)
  }
  const removals = cluster.hosts.reduce((sum, host) => sum + host.removals.length, 0)
  return { members, hours: (members * length) / 3_600_000, accusations, deaths, removals }
}

/** The value below which this share of the samples lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
