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
  type DeviceName,
  type Entry,
  type IpAddress,
  type TunnelSpec,
} from '@vxmesh/core'
import { iproute2Kernel, missingCapability } from '@vxmesh/kernel-adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import { ip as address, kernelContract, must, NARROW, OTHER, UNDERLAY, UNDERLAY_6, type ByHand, type Lab } from './kernel.contract.ts'
import { kernelModel } from './kernel.model.ts'

const run = promisify(execFile)
const zero = '00:00:00:00:00:00'

kernelContract('the real kernel', makeLab)
kernelModel('the real kernel', makeLab, 8)

describe('only the real kernel', () => {
  const kernel = iproute2Kernel()
  const provider0 = must(parseDeviceName('provider0'))
  const spec: TunnelSpec = {
    device: provider0,
    mode: 'vxlan',
    id: must(parseVni(16)),
    local: UNDERLAY,
    port: undefined,
    addresses: [],
    alias: 'vxmesh:12D3KooWcontract:16',
  }
  const flood = (underlay: IpAddress): Entry => ({ kind: 'flood', underlay })
  const read = async (): Promise<readonly IpAddress[]> =>
    [...((await kernel.read(spec))?.entries.values() ?? [])].flatMap((entry) => (entry.kind === 'neighbour' ? [] : [entry.underlay]))
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
    const [mac, underlay, port] = [must(parseMac('02:00:00:00:00:05')), address('192.168.226.5'), must(parsePort(8472))]
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
      must(parseInterfaceAddress(text)),
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

  test('is watched by children that come back when they die, and leave when told to', async () => {
    let wakes = 0
    const watch = kernel.watch(provider0, () => void wakes++)
    await expect.poll(monitors).toHaveLength(2)
    const first = await monitors()
    for (const { pid } of first) process.kill(pid)
    await expect.poll(async () => (await monitors()).filter(({ pid }) => !first.some((old) => old.pid === pid))).toHaveLength(2)
    expect(wakes).toBeGreaterThan(0)
    await watch.close()
    expect(await monitors()).toEqual([])
  })

  test('has all this process needs', async () => {
    expect(await missingCapability()).toBeUndefined()
  })
})

async function monitors(): Promise<readonly { readonly pid: number }[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)])
  return stdout.split('\n').flatMap((line) => (/ (bridge|ip) monitor /.test(line) ? [{ pid: Number.parseInt(line, 10) }] : []))
}

async function makeLab(): Promise<Lab> {
  await refuseOutsideALab()
  await ip('link add name under0 mtu 1500 type veth peer name under0p')
  await ip('link add name under1 mtu 1400 type veth peer name under1p')
  for (const device of ['under0', 'under0p', 'under1', 'under1p']) await ip(`link set dev ${device} up`)
  for (const address of [UNDERLAY, OTHER]) await ip(`address add ${address}/24 dev under0`)
  await ip(`address add ${UNDERLAY_6}/64 dev under0 nodad`)
  await ip(`address add ${NARROW}/24 dev under1`)
  return {
    kernel: iproute2Kernel(),
    plant: async (device, link) => ip(`link add name ${device} type ${kind(link)}`),
    append: async (device, underlay, port) =>
      bridge(`fdb append to 00:00:00:00:00:00 dst ${underlay} ${port === undefined ? '' : `port ${String(port)} `}dev ${device}`),
    write: async (device, entry) =>
      entry.kind === 'neighbour'
        ? ip(`neighbour replace ${entry.overlay} lladdr ${entry.mac} dev ${device} nud permanent`)
        : bridge(`fdb ${entry.kind === 'fdb' ? `replace ${entry.mac}` : `append ${zero}`} dst ${entry.underlay} dev ${device}`),
    erase: async (device, entry) => {
      const gone =
        entry.kind === 'neighbour'
          ? ip(`neighbour delete ${entry.overlay} dev ${device}`)
          : bridge(`fdb delete ${entry.kind === 'fdb' ? entry.mac : zero} dst ${entry.underlay} dev ${device}`)
      await gone.catch(() => undefined)
    },
    readdress: async (device, mac) => ip(`link set dev ${device} address ${mac}`),
    bridge: async (device, bridged) => {
      if (!bridged) return ip(`link delete dev br0`)
      await ip('link add name br0 type bridge')
      await ip(`link set dev ${device} master br0`)
    },
    remove: async (device, underlay) => bridge(`fdb del to 00:00:00:00:00:00 dst ${underlay} dev ${device}`),
    wipe: async (device) => bridge(`fdb del to 00:00:00:00:00:00 dev ${device}`),
    give: async (device, address) => ip(`address add ${address} dev ${device}`),
    deleteDevice: async (device) => ip(`link delete dev ${device}`),
    takeDown: async (device) => ip(`link set dev ${device} down`),
    isUp: async (device) => /<.*\bUP\b.*>/.test((await inspect(device)) ?? ''),
    inspect,
    close,
  }
}

/** Without its own id, `dstport 0` is 8472, as the recipe has it. */
function kind(link: ByHand): string {
  if (link.kind === 'bridge') return 'bridge'
  if (link.kind === 'external') return 'vxlan external dstport 0'
  return `vxlan id ${String(link.id)} ${link.local === undefined ? '' : `local ${link.local} `}dstport 0`
}

async function inspect(device: DeviceName): Promise<string | undefined> {
  const shown = await run('ip', ['-details', 'address', 'show', 'dev', device]).catch(() => undefined)
  if (shown === undefined) return undefined
  const { stdout } = await run('bridge', ['fdb', 'show', 'dev', device])
  const neighbours = await run('ip', ['neighbour', 'show', 'dev', device, 'nud', 'permanent'])
  return `${shown.stdout}${stdout}${neighbours.stdout}`
}

async function close(): Promise<void> {
  for (const device of ['provider0', 'provider1', 'under0', 'under1', 'br0']) await ip(`link delete dev ${device}`).catch(() => undefined)
}

async function ip(words: string): Promise<void> {
  await run('ip', words.split(' '))
}

async function bridge(words: string): Promise<void> {
  await run('bridge', words.split(' '))
}

/** A namespace with a way out is somebody's host, and nothing may be made there. */
async function refuseOutsideALab(): Promise<void> {
  for (const protocol of ['-4', '-6']) {
    const { stdout } = await run('ip', [protocol, 'route', 'show', 'default'])
    if (stdout.trim() !== '') throw new Error('this network namespace has a default route: run me inside a lab of its own')
  }
}
