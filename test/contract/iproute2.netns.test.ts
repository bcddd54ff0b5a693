/** The contract against the real kernel. Runs only inside a network-namespace lab, as (namespaced) root. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import {
  parseDeviceName,
  parseInterfaceAddress,
  parseMac,
  parsePort,
  parseVni,
  sure,
  type Entry,
  type IpAddress,
  type MacAddress,
  type TunnelSpec,
} from '@vxmesh/core'
import { iproute2Kernel, missingCapability } from '@vxmesh/kernel-adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import { kernelContract } from './kernel.contract.ts'
import { kernelModel } from './kernel.model.ts'
import { inspect, makeLab, watchedLab } from './lab.ts'
import { ip as address, OTHER, UNDERLAY } from './setting.ts'

const run = promisify(execFile)
const zero = '00:00:00:00:00:00'

kernelContract('the real kernel', makeLab)
kernelModel('the real kernel', makeLab, 8)
kernelContract('the real kernel of a watched device', watchedLab)
kernelModel('the real kernel of a watched device', watchedLab, 8)

describe('only the real kernel', () => {
  const kernel = iproute2Kernel()
  const provider0 = sure(parseDeviceName('provider0'))
  const spec: TunnelSpec = {
    device: provider0,
    mode: 'vxlan',
    id: sure(parseVni(16)),
    local: UNDERLAY,
    port: undefined,
    addresses: [],
    alias: 'vxmesh:12D3KooWcontract:16',
  }
  const flood = (underlay: IpAddress): Entry => ({ kind: 'flood', underlay })
  const read = async (): Promise<readonly IpAddress[]> =>
    [...((await kernel.read(spec))?.entries.values() ?? [])].flatMap((entry) => ('underlay' in entry ? [entry.underlay] : []))
  beforeEach(async () => (await makeLab()).close)

  test('keeps special entries, which are not seen, and lets plain ones be written beside them', async () => {
    await kernel.establish(spec)
    await bridge(`fdb append ${zero} dst 192.168.226.5 dev provider0 via under0`)
    await bridge(`fdb append ${zero} dst 192.168.226.6 dev provider0 via under0`)
    await bridge(`fdb append ${zero} dst 192.168.226.7 dev provider0 vni 99`)
    const special = await inspect(provider0)
    expect(await read()).toEqual([])
    const entry = flood(address('192.168.226.5'))
    expect(await kernel.attempt(provider0, [{ kind: 'add', entry }])).toEqual([])
    expect(await read()).toEqual(['192.168.226.5'])
    expect(await kernel.attempt(provider0, [{ kind: 'remove', entry }])).toEqual([])
    expect(await inspect(provider0)).toBe(special)
  })

  test('has an aging entry made permanent by adding it', async () => {
    await kernel.establish(spec)
    await bridge(`fdb append ${zero} dst 192.168.226.5 dev provider0 dynamic`)
    expect(await read()).toEqual([])
    expect(await kernel.attempt(provider0, [{ kind: 'add', entry: flood(address('192.168.226.5')) }])).toEqual([])
    expect(await read()).toEqual(['192.168.226.5'])
  })

  test('has a learned entry, which knows no port, take one when it is written', async () => {
    await kernel.establish(spec)
    const [mac, underlay, port] = [sure(parseMac('02:00:00:00:00:05')), address('192.168.226.5'), sure(parsePort(8472))]
    await bridge(`fdb add ${mac} dst ${underlay} dev provider0 dynamic`)
    expect(await read()).toEqual([])
    const entry: Entry = { kind: 'fdb', mac, underlay, port }
    expect(await kernel.attempt(provider0, [{ kind: 'add', entry }])).toEqual([])
    expect([...((await kernel.read(spec))?.entries.values() ?? [])]).toEqual([entry])
  })

  test.each([
    ['unbound', ''],
    ['bound to an interface', ' dev under0'],
  ])('shows the destination given with `remote` like any other: %s', async (_name, binding) => {
    await ip(`link add name provider0 type vxlan id 16 local ${UNDERLAY} remote 192.168.226.5 dstport 0${binding}`)
    await kernel.establish(spec)
    expect(await read()).toEqual(['192.168.226.5'])
  })

  test('changes nothing but the local address when the host moves', async () => {
    await kernel.establish(spec)
    await ip(`link set dev provider0 type vxlan id 16 nolearning ttl 9 ageing 77`)
    const before = await inspect(provider0)
    await kernel.establish({ ...spec, local: OTHER })
    expect(await inspect(provider0)).toBe(before?.replace(`local ${UNDERLAY}`, `local ${OTHER}`))
  })

  test.each([
    ['with the others of its network, which come back', '0'],
    ['by itself', '1'],
  ])('deletes a former address %s: promote_secondaries %s', async (_name, promote) => {
    const [former, also, asked, foreign] = ['192.168.234.1/23', '192.168.234.3/23', '192.168.234.2/23', '192.168.234.9/23'].map((text) =>
      sure(parseInterfaceAddress(text)),
    )
    await kernel.establish({ ...spec, addresses: [former!, also!] })
    for (const scope of ['all', 'provider0']) await writeFile(`/proc/sys/net/ipv4/conf/${scope}/promote_secondaries`, promote)
    await ip(`address add ${foreign!} dev provider0`)
    const { addresses } = await kernel.establish({ ...spec, addresses: [asked!], formerAddresses: [former!, also!] })
    expect(addresses.toSorted()).toEqual([asked, foreign])
  })

  test('takes a thousand entries at once', async () => {
    await kernel.establish(spec)
    const entries = Array.from({ length: 1000 }, (_, index) => flood(address(`10.9.${String(index >> 8)}.${String(index & 255)}`)))
    expect(
      await kernel.attempt(
        provider0,
        entries.map((entry) => ({ kind: 'add', entry })),
      ),
    ).toEqual([])
    expect(await read()).toHaveLength(1000)
    expect(
      await kernel.attempt(
        provider0,
        entries.map((entry) => ({ kind: 'remove', entry })),
      ),
    ).toEqual([])
    expect(await read()).toEqual([])
  })

  test.each(['singly', 'by tools kept running'] as const)(
    'takes all but what it refuses, and says why of each: written %s',
    async (how) => {
      const overlay = (text: string, number: number): Entry => ({ kind: 'neighbour', overlay: address(text), mac: macOf(number) })
      const fdb = (number: number): Entry => ({ kind: 'fdb', mac: macOf(number), underlay: address(`192.168.226.${String(number)}`) })
      // A table with room for the zero MAC and two more, on a device that takes no IPv6: `ip` ends a batch at such a neighbour.
      await ip(`link add name provider0 type vxlan id 16 local ${UNDERLAY} dstport 4789 maxaddress 3`)
      await writeFile('/proc/sys/net/ipv6/conf/provider0/disable_ipv6', '1')
      await kernel.establish(spec)
      await using watch = {
        closing: how === 'singly' ? undefined : kernel.watch(provider0, () => undefined),
        [Symbol.asyncDispose]: async () => watch.closing?.close(),
      }
      const taken = [flood(address('192.168.226.5')), fdb(5), fdb(6), overlay('192.168.234.5', 5), overlay('192.168.234.6', 6)]
      const refused = [fdb(7), overlay('fd00::5', 5)]
      const entries = [taken[0]!, taken[1]!, taken[2]!, refused[0]!, taken[3]!, refused[1]!, taken[4]!]
      for (const _time of ['first', 'again']) {
        const rejections = await kernel.attempt(
          provider0,
          entries.map((entry) => ({ kind: 'add', entry })),
        )
        expect(rejections.map(({ command, reason }) => `${command}: ${reason}`)).toEqual([
          'bridge fdb replace 02:00:00:00:00:07 dst 192.168.226.7 dev provider0: RTNETLINK answers: No space left on device',
          expect.stringMatching(
            /^ip neighbour replace fd00::5 lladdr 02:00:00:00:00:05 dev provider0 .*: .*(?:IPv6 is disabled|Invalid argument)/,
          ),
        ])
        const found = [...((await kernel.read(spec))?.entries.values() ?? [])]
        expect(found).toHaveLength(taken.length)
        expect(found).toEqual(expect.arrayContaining(taken))
      }
    },
  )

  describe('keeps the tools running for a watched device', () => {
    let wakes = 0
    beforeEach(async () => {
      wakes = 0
      await kernel.establish(spec)
      const watch = kernel.watch(provider0, () => void wakes++)
      return async () => watch.close()
    })
    const write = async (...underlays: readonly IpAddress[]) =>
      kernel.attempt(
        provider0,
        underlays.map((underlay) => ({ kind: 'add', entry: flood(underlay) })),
      )
    const [five, six, seven] = ['192.168.226.5', '192.168.226.6', '192.168.226.7'].map(address) as [IpAddress, IpAddress, IpAddress]

    test('one of each, and no other, however much is read and written', async () => {
      expect(await write(five)).toEqual([])
      const kept = await children(KEPT)
      expect(kept).toHaveLength(2)
      for (let count = 0; count < 10; count++) {
        expect(await write(six)).toEqual([])
        expect(await read()).toEqual([five, six])
        expect(await kernel.attempt(provider0, [{ kind: 'remove', entry: flood(six) }])).toEqual([])
      }
      expect(await children(KEPT)).toEqual(kept)
    })

    test('and does without one that is killed, until it is back', async () => {
      expect(await write(five)).toEqual([])
      const kept = await children(KEPT)
      for (const { pid } of kept) process.kill(pid, 'SIGKILL')
      expect(await write(six)).toEqual([])
      expect(await read()).toEqual([five, six])
      await expect
        .poll(async () => {
          await read()
          return (await children(KEPT)).filter(({ pid }) => !kept.some((old) => old.pid === pid))
        })
        .toHaveLength(2)
      expect(await write(seven)).toEqual([])
      expect(await read()).toEqual([five, six, seven])
    })

    test.each(['SIGKILL', 'SIGSTOP'] as const)('and leaves out nothing when bridge gets %s while it writes', async (signal) => {
      expect(await write(five)).toEqual([])
      const bridges = (await children(KEPT)).filter(({ line }) => line.includes('bridge'))
      expect(bridges).toHaveLength(1)
      const entries = Array.from({ length: 1000 }, (_, index) => address(`10.9.${String(index >> 8)}.${String(index & 255)}`))
      const writing = write(...entries)
      for (const { pid } of bridges) process.kill(pid, signal)
      expect(await writing).toEqual([])
      expect(await read()).toHaveLength(1001)
    })

    test('which do not take another device for one that is gone', async () => {
      expect(await write(five)).toEqual([])
      await ip('link delete dev provider0')
      await kernel.establish(spec)
      expect(await write(six)).toEqual([])
      expect(await read()).toEqual([six])
      expect(await write(seven)).toEqual([])
      expect(await read()).toEqual([six, seven])
    })

    test('which do not read one that was renamed', async () => {
      expect(await write(five)).toEqual([])
      await ip('link set dev provider0 down')
      await ip('link set dev provider0 name provider1')
      expect(await kernel.read(spec)).toBeUndefined()
      expect(await write(six)).toMatchObject([{ reason: 'Cannot find device "provider0"' }])
      await kernel.establish({ ...spec, port: sure(parsePort(8472)) })
      expect(await write(six)).toEqual([])
      expect(await read()).toEqual([six])
      expect(await kernel.read({ ...spec, device: sure(parseDeviceName('provider1')) })).toMatchObject({
        entries: new Map([[`flood ${five}`, flood(five)]]),
      })
    })

    test('and is not woken by what it wrote itself, but by the same from others', async () => {
      const rewrite = async (times: number): Promise<void> => {
        for (let count = 0; count < times; count++) {
          expect(await write(six)).toEqual([])
          expect(await kernel.attempt(provider0, [{ kind: 'remove', entry: flood(six) }])).toEqual([])
        }
      }
      const others = async (): Promise<number> => {
        await bridge(`fdb append ${zero} dst ${six} dev provider0`)
        await bridge(`fdb del ${zero} dst ${six} dev provider0`)
        return wakes
      }
      await expect.poll(others).toBeGreaterThan(0)
      // What others did is heard before the echo of what is written now.
      await rewrite(10)
      const before = wakes
      await rewrite(20)
      expect(wakes).toBe(before)
      await others()
      await expect.poll(() => wakes).toBeGreaterThan(before)
    })

    test('and not after it is watched', async () => {
      expect(await write(five)).toEqual([])
      const second = kernel.watch(provider0, () => undefined)
      expect(await write(six)).toEqual([])
      expect(await children(KEPT)).toHaveLength(4)
      await second.close()
      expect(await children(KEPT)).toHaveLength(2)
    })
  })

  test('is watched by children that come back when they die, and leave when told to', async () => {
    let wakes = 0
    const watch = kernel.watch(provider0, () => void wakes++)
    await expect.poll(async () => children(MONITOR)).toHaveLength(2)
    const first = await children(MONITOR)
    for (const { pid } of first) process.kill(pid)
    await expect.poll(async () => (await children(MONITOR)).filter(({ pid }) => !first.some((old) => old.pid === pid))).toHaveLength(2)
    expect(wakes).toBeGreaterThan(0)
    await watch.close()
    expect(await children(MONITOR)).toEqual([])
  })

  test('has all this process needs', async () => {
    expect(await missingCapability()).toBeUndefined()
  })
})

const MONITOR = / (bridge|ip) monitor /
const KEPT = / (bridge|ip) .*-batch -$/

async function children(pattern: RegExp): Promise<readonly { readonly pid: number; readonly line: string }[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)])
  return stdout.split('\n').flatMap((line) => (pattern.test(line) ? [{ pid: Number.parseInt(line, 10), line }] : []))
}

async function ip(words: string): Promise<void> {
  await run('ip', words.split(' '))
}

async function bridge(words: string): Promise<void> {
  await run('bridge', words.split(' '))
}

function macOf(number: number): MacAddress {
  return sure(parseMac(`02:00:00:00:00:0${String(number)}`))
}
