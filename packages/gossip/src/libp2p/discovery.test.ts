import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  instant,
  parseInterfaceAddress,
  parseIp,
  parseMeshId,
  parsePort,
  sure,
  type ControlAddress,
  type Lan,
  type PeerId,
} from '@vxmesh/core'
import type { Seed, State } from '../state.ts'
import { languageOf } from './announcement.ts'
import { startDiscovery, type Discovery } from './discovery.ts'
import type { Group, GroupEvents } from './multicast.ts'
import { a, b, c, mesh, Stepped, stranger } from './stepped.ts'

const language = languageOf(mesh)

function at(host: string): ControlAddress {
  return { address: sure(parseIp(host)), port: sure(parsePort(4788)) }
}

function lan(name: string, ...networks: readonly string[]): Lan {
  return { name, index: 2, networks: networks.map((network) => sure(parseInterfaceAddress(network))) }
}

const ETH0 = lan('eth0', '10.0.0.4/24')

/** A group that a test listens to and speaks in. */
type Joined = {
  readonly where: string
  readonly events: GroupEvents
  readonly said: { readonly at: number; readonly what: string }[]
  open: boolean
}

class Wire {
  readonly groups: Joined[] = []
  readonly dialled: string[] = []
  readonly troubles: string[] = []
  state: State = new Stepped(a).state
  readonly discovery: Discovery = startDiscovery({
    mesh,
    self: a.peer,
    clock: { now: () => instant(Date.now()) },
    random: () => 0.5,
    listening: () => [at('10.0.0.4')],
    state: () => this.state,
    approach: (place: Seed) => void this.dialled.push(place),
    trouble: (where, reason) => void this.troubles.push(`${where}: ${reason}`),
    join: (where, spoken, events): Group => {
      const joined: Joined = { where: `${where.name} ${spoken}`, events, said: [], open: true }
      this.groups.push(joined)
      return {
        send: (packet) => void joined.said.push({ at: Date.now(), what: language.understand(packet)?.kind ?? 'nonsense' }),
        close: () => void (joined.open = false),
      }
    },
  })

  /** These are the LANs, and each group on one is joined at once. */
  look(lans: readonly Lan[]): void {
    const before = this.groups.length
    this.discovery.look(lans)
    for (const { events } of this.groups.slice(before)) events.joined()
  }

  get group(): Joined {
    const [first] = this.groups
    if (first === undefined) throw new Error('no group')
    return first
  }

  hear(packet: Uint8Array, source = '10.0.0.9'): void {
    this.group.events.heard(packet, sure(parseIp(source)))
  }

  /** Who is there, from its own address. */
  hearOf(peer: PeerId, host: string, source = host): void {
    this.hear(language.answer({ peer, at: at(host) }), source)
  }

  /** When something was said, since the test began. */
  times(what: string): readonly number[] {
    return this.group.said.flatMap((each) => (each.what === what ? [each.at] : []))
  }
}

let wire: Wire
beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  wire = new Wire()
})
afterEach(() => {
  wire.discovery.stop()
  vi.useRealTimers()
})

describe('who has no link', () => {
  test('asks at once, and then less and less often, for ever', () => {
    wire.look([ETH0])
    vi.advanceTimersByTime(60_000)
    const asked = wire.times('query')
    expect(asked.slice(0, 8)).toEqual([0, 250, 750, 1750, 3750, 6750, 9750, 12_750])
    expect(asked.length).toBeGreaterThan(8)
  })

  test('dials at once who answers, once', () => {
    wire.look([ETH0])
    wire.hearOf(b.peer, '10.0.0.5')
    wire.hearOf(b.peer, '10.0.0.5')
    vi.advanceTimersByTime(100)
    expect(wire.dialled).toEqual([`/ip4/10.0.0.5/tcp/4788/p2p/${b.peer}`])
    expect(wire.discovery.report()).toEqual({ interfaces: ['eth0'], candidates: 1, dials: 1 })
  })

  test.each<[string, string, string]>([
    ['that is not on the link', '10.0.0.5', '10.0.1.5'],
    ['of a host that is not', '10.0.1.5', '10.0.0.5'],
  ])('dials nobody by the word of a source %s', (_what, host, source) => {
    wire.look([ETH0])
    wire.hearOf(b.peer, host, source)
    vi.advanceTimersByTime(60_000)
    expect([wire.dialled, wire.discovery.report().candidates]).toEqual([[], 0])
  })

  test('does not dial itself', () => {
    wire.look([ETH0])
    wire.hearOf(a.peer, '10.0.0.4')
    expect(wire.discovery.report().candidates).toBe(0)
  })

  test('does not hear what is said of another mesh', () => {
    wire.look([ETH0])
    const other = languageOf(sure(parseMeshId(stranger.peer)))
    wire.hear(other.answer({ peer: b.peer, at: at('10.0.0.5') }))
    wire.hear(other.query())
    vi.advanceTimersByTime(900)
    expect([wire.dialled, wire.times('answer')]).toEqual([[], [0]])
  })
})

describe('who has links', () => {
  beforeEach(() => {
    wire.state = new Stepped(a).meet(1, b).state
    wire.look([ETH0])
  })

  test('does not ask, and says where it is from time to time', () => {
    vi.advanceTimersByTime(60_000)
    expect([wire.times('query'), wire.times('answer')]).toEqual([[], [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]])
  })

  test('leaves it to a newcomer to dial, for a while, and does not dial who is a member by then', () => {
    wire.hearOf(c.peer, '10.0.0.6')
    vi.advanceTimersByTime(2900)
    expect(wire.dialled).toEqual([])
    vi.advanceTimersByTime(200)
    expect(wire.dialled).toEqual([`/ip4/10.0.0.6/tcp/4788/p2p/${c.peer}`])
    wire.hearOf(b.peer, '10.0.0.5')
    vi.advanceTimersByTime(4000)
    expect(wire.dialled).toHaveLength(1)
  })

  test('answers who asks after a moment, and nobody within a second of the last time', () => {
    vi.advanceTimersByTime(3000)
    for (let asked = 0; asked < 1000; asked++) {
      wire.hear(language.query())
      vi.advanceTimersByTime(2)
    }
    vi.advanceTimersByTime(5000)
    expect(wire.times('answer')).toEqual([0, 3070, 4070, 5070])
  })

  test('is silent once it leaves', () => {
    wire.state = new Stepped(a).meet(1, b).take({ kind: 'leave' }).state
    vi.advanceTimersByTime(30_000)
    wire.hear(language.query())
    vi.advanceTimersByTime(30_000)
    expect(wire.group.said.map((each) => each.at)).toEqual([])
  })
})

describe('whatever comes', () => {
  test('ten thousand places dial no more than twenty times in a minute, and the list stays short', () => {
    wire.look([lan('eth0', '10.0.0.4/16')])
    for (let shout = 0; shout < 10_000; shout++) {
      wire.hearOf(b.peer, `10.0.${String(shout % 250)}.${String(1 + (shout % 200))}`)
      vi.advanceTimersByTime(6)
    }
    expect(wire.dialled.length).toBeLessThanOrEqual(20)
    expect(wire.discovery.report().candidates).toBeLessThanOrEqual(256)
  })
})

describe('interfaces', () => {
  test('are listened to in each family that is spoken there, and no more when they are gone', () => {
    wire.look([lan('eth0', '10.0.0.4/24', 'fe80::4/64'), lan('eth1', 'fd00::4/64', 'fe80::5/64')])
    expect(wire.groups.map(({ where }) => where)).toEqual(['eth0 ipv4', 'eth0 ipv6', 'eth1 ipv6'])
    wire.look([ETH0])
    expect(wire.groups.map(({ where, open }) => `${where} ${String(open)}`)).toEqual([
      'eth0 ipv4 false',
      'eth0 ipv6 false',
      'eth1 ipv6 false',
      'eth0 ipv4 true',
    ])
  })

  test('that come later are asked on at once; what is as it was goes on', () => {
    wire.look([ETH0])
    vi.advanceTimersByTime(100_000)
    wire.look([ETH0, lan('eth1', '10.1.0.4/24')])
    vi.advanceTimersByTime(300)
    expect(wire.groups.map(({ where, open, said }) => [where, open, said.some((each) => each.at === 100_000)])).toEqual([
      ['eth0 ipv4', true, true],
      ['eth1 ipv4', true, true],
    ])
  })

  test('that fail are told, and tried again when interfaces are looked at', () => {
    wire.look([ETH0])
    wire.group.events.failed('bind EADDRINUSE')
    expect([wire.troubles, wire.group.open, wire.discovery.report().interfaces]).toEqual([['eth0: bind EADDRINUSE'], false, []])
    wire.look([ETH0])
    expect(wire.discovery.report().interfaces).toEqual(['eth0'])
  })
})
