import type { DeviceName, HostInterface, InterfaceAddress, Lan } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startFinder, type Finder, type FinderOptions } from './discover.ts'
import { ip } from './workbench.ts'

const NAME = 'eth1' as DeviceName

function card(name: string, ...networks: readonly string[]): HostInterface {
  const wire = { index: 2, networks: networks as readonly InterfaceAddress[], multicast: true, kinds: ['card'] as const }
  return { name, mtu: 1500, addresses: networks.map((network) => ip(network.replace(/\/.*/, ''))), wire }
}

const [ETH0, ETH1] = [card('eth0', '10.0.0.4/24'), card('eth1', '10.1.0.4/24')]

/** What came of what a host had. */
class Around {
  readonly said: string[] = []
  readonly looked: string[] = []
  members = 1
  stopped = false
  finder!: Finder
  failed: (lan: string, reason: string) => void = () => undefined

  start(discover: FinderOptions['options']['discover'] = [], local: string = '10.0.0.4'): this {
    const said = new Set<string>()
    const mesh = { listening: [{ address: local, port: 4788 }], state: () => ({ view: { size: this.members } }), approach: () => undefined }
    this.finder = startFinder({
      options: { discover },
      mesh: mesh as unknown as FinderOptions['mesh'],
      membership: { identity: { peer: 'A' }, mesh: 'M' } as unknown as FinderOptions['membership'],
      warn: (key, text) => {
        if (!said.has(key)) this.said.push(text)
        said.add(key)
      },
      discovery: ({ trouble }) => {
        this.failed = trouble
        return {
          look: (lans: readonly Lan[]) => void this.looked.push(lans.map(({ name }) => name).join(' ')),
          report: () => ({ interfaces: ['eth0'], candidates: 0, dials: 0 }),
          stop: () => void (this.stopped = true),
        }
      },
    })
    return this
  }

  see(...host: readonly HostInterface[]): this {
    this.finder.saw(host)
    return this
  }
}

let around: Around
beforeEach(() => {
  vi.useFakeTimers()
  around = new Around()
})
afterEach(() => {
  around.finder[Symbol.dispose]()
  vi.useRealTimers()
})

describe('members are looked for', () => {
  test('where there is a LAN, as interfaces come and go', () => {
    around.start().see(ETH0).see(ETH0, ETH1).see()
    expect(around.looked).toEqual(['eth0', 'eth0 eth1', ''])
  })

  test('and what was read of the host goes on as it was', () => {
    const host = [ETH0]
    expect([around.start().finder.saw(host), new Around().start('off').finder.saw(host)]).toEqual([host, host])
  })

  test('only where it was said', () => {
    around.start([NAME]).see(ETH0).see(ETH0, ETH1)
    expect(around.looked).toEqual(['', 'eth1'])
  })

  test('nowhere when it is off, and nothing is said of it', () => {
    around.start('off', '8.8.8.4').see(ETH0)
    vi.advanceTimersByTime(60_000)
    expect([around.looked, around.said, around.finder.report()]).toEqual([[], [], { interfaces: [], candidates: 0, dials: 0 }])
  })

  test('no more once it is over', () => {
    around.start().see(ETH0).finder[Symbol.dispose]()
    vi.advanceTimersByTime(60_000)
    expect([around.stopped, around.said]).toEqual([true, []])
  })
})

describe('it is said once, with the remedy,', () => {
  test.each<[string, () => unknown, string]>([
    [
      'that no interface leads to a LAN',
      () => around.start().see(card('eth0', '10.0.0.4/32')).see(card('eth0', '10.0.0.4/32')),
      'members are not looked for by mDNS: eth0 has no network with room for others; name a member with --seed',
    ],
    [
      'that an interface is not there yet',
      () => around.start([NAME]).see(ETH0).see(ETH0),
      'members are not looked for by mDNS: there is no interface eth1 yet; name a member with --seed',
    ],
    [
      'that an address is public',
      () => around.start([], '8.8.8.4').see(ETH0),
      '8.8.8.4 is a public address, and hosts that have one seldom share a LAN: where mDNS finds nobody, name a member with --seed',
    ],
    [
      'that an interface cannot be listened on',
      () => {
        around.start().failed('eth0', 'bind EADDRINUSE 224.0.0.251:5353')
        around.failed('eth0', 'bind EADDRINUSE 224.0.0.251:5353')
      },
      'no member can be found by mDNS on eth0: bind EADDRINUSE 224.0.0.251:5353; name a member with --seed',
    ],
    [
      'that nobody has answered',
      () => {
        around.start()
        vi.advanceTimersByTime(60_000)
      },
      'no member has answered by mDNS on eth0; where multicast does not pass, as in most clouds, name a member with --seed',
    ],
  ])('%s', (_what, happen, text) => {
    happen()
    expect(around.said).toEqual([text])
  })

  test('unless somebody is known, from before or from elsewhere', () => {
    around.members = 2
    around.start().see(ETH0)
    vi.advanceTimersByTime(60_000)
    expect(around.said).toEqual([])
  })
})
