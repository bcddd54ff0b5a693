/**
 * Multipoint GRE as an operator types it, and what of the kernel the adapter relies on. Runs in a guest (`test/guest/run`),
 * since many machines have no GRE.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openSwitch, type Host, type Switch } from '../netns/harness.ts'
import { run, type Outcome } from '../netns/process.ts'

let net: Switch
let bastion: Host
let first: Host
let second: Host

beforeAll(async () => {
  net = await openSwitch()
  bastion = await net.host('bastion', '192.168.226.4/24')
  first = await net.host('host-00', '192.168.226.5/24')
  second = await net.host('host-01', '192.168.226.6/24')
})
afterEach(async () => run(['sh', '-c', 'for host in bastion host-00 host-01; do ip -netns $host link delete dev provider0; done; true']))
afterAll(async () => net.dispose())

/** What a person types on a host, line by line; the first that fails ends it. */
async function typed(host: Host, page: string): Promise<string> {
  return host.run(['sh', '-ec', page])
}

async function tried(host: Host, page: string): Promise<Outcome> {
  return host.outcome(['sh', '-ec', page])
}

/** The operator's page, on each of the three hosts. */
const PAGES = {
  bastion: `
    ip tunnel add provider0 mode gre local 192.168.226.4 key 1234
    ip addr add 192.168.234.1/23 dev provider0
    ip neighbour add 192.168.234.2 lladdr 192.168.226.5 dev provider0
    ip neighbour add 192.168.234.3 lladdr 192.168.226.6 dev provider0
    ip link set up dev provider0`,
  first: `
    ip tunnel add provider0 mode gre local 192.168.226.5 key 1234
    ip addr add 192.168.234.2/23 dev provider0
    ip neighbour add 192.168.234.1 lladdr 192.168.226.4 dev provider0
    ip neighbour add 192.168.234.3 lladdr 192.168.226.6 dev provider0
    ip link set up dev provider0`,
  second: `
    ip tunnel add provider0 mode gre local 192.168.226.6 key 1234
    ip addr add 192.168.234.3/23 dev provider0
    ip neighbour add 192.168.234.1 lladdr 192.168.226.4 dev provider0
    ip neighbour add 192.168.234.2 lladdr 192.168.226.5 dev provider0
    ip link set up dev provider0`,
}

const neighbours = z.array(
  z.object({ dst: z.string(), lladdr: z.string().optional(), protocol: z.string().optional(), state: z.array(z.string()) }),
)

/** What is in a host's neighbour table, as `ADDRESS lladdr UNDERLAY STATE`, sorted. */
async function entries(host: Host): Promise<readonly string[]> {
  const shown = await host.run(['ip', '-Numeric', '-json', '-4', 'neighbour', 'show', 'dev', 'provider0', 'nud', 'all'])
  return neighbours
    .parse(JSON.parse(shown))
    .map(({ dst, lladdr, state, protocol }) =>
      [dst, 'lladdr', lladdr, state, ...(protocol === undefined ? [] : ['proto', protocol])].join(' '),
    )
    .toSorted()
}

const received = z.tuple([z.object({ stats64: z.object({ rx: z.object({ packets: z.number() }) }) })])

async function packetsReceived(host: Host): Promise<number> {
  const [{ stats64 }] = received.parse(JSON.parse(await host.run(['ip', '-json', '-statistics', 'link', 'show', 'dev', 'provider0'])))
  return stats64.rx.packets
}

const gre = z.tuple([
  z.looseObject({
    ifname: z.string(),
    flags: z.array(z.string()),
    mtu: z.number(),
    link_type: z.string(),
    linkinfo: z.object({ info_kind: z.string(), info_data: z.record(z.string(), z.unknown()) }),
  }),
])

async function link(host: Host, device = 'provider0'): Promise<z.infer<typeof gre>[0]> {
  return gre.parse(JSON.parse(await host.run(['ip', '-json', '-details', 'link', 'show', 'dev', device])))[0]
}

const FIRST = '192.168.234.2 lladdr 192.168.226.5 PERMANENT'
const SECOND = '192.168.234.3 lladdr 192.168.226.6 PERMANENT'

test('three hosts set up by hand reach one another', async () => {
  await Promise.all([typed(bastion, PAGES.bastion), typed(first, PAGES.first), typed(second, PAGES.second)])
  expect(await entries(bastion)).toEqual([FIRST, SECOND])
  await typed(bastion, 'ping -c 1 -W 5 192.168.234.2; ping -c 1 -W 5 192.168.234.3')
  await typed(first, 'ping -c 1 -W 5 192.168.234.1; ping -c 1 -W 5 192.168.234.3')
  await typed(second, 'ping -c 1 -W 5 192.168.234.1; ping -c 1 -W 5 192.168.234.2')
})

describe('a device', () => {
  test('is described alike, whether made by `ip tunnel` or by `ip link`', async () => {
    await typed(bastion, 'ip tunnel add provider0 mode gre local 192.168.226.4 key 1234')
    const recipe = await link(bastion)
    expect(recipe).toMatchObject({ link_type: 'gre', mtu: 1472, linkinfo: { info_kind: 'gre' } })
    expect(recipe.flags).toContain('NOARP')
    expect(recipe.linkinfo.info_data).toMatchObject({ remote: 'any', local: '192.168.226.4', ikey: '0.0.4.210', okey: '0.0.4.210' })
    await typed(bastion, 'ip link delete dev provider0; ip link add name provider0 type gre local 192.168.226.4 key 1234')
    const { linkinfo, flags, mtu } = await link(bastion)
    expect({ linkinfo, flags, mtu }).toEqual({ linkinfo: recipe.linkinfo, flags: recipe.flags, mtu: recipe.mtu })
  })

  test('takes no notice of its underlay: its MTU is given, and what is larger does not pass', async () => {
    await typed(bastion, 'ip link add name provider0 mtu 1372 type gre local 192.168.226.4 key 1234')
    expect(await link(bastion)).toMatchObject({ mtu: 1372 })
    await typed(bastion, 'ip link delete dev provider0; ip link add name provider0 type gre local 192.168.226.4')
    expect(await link(bastion)).toMatchObject({ mtu: 1476 })
    await typed(bastion, `ip link delete dev provider0; ${PAGES.bastion}`)
    await typed(first, PAGES.first)
    await typed(bastion, `ping -c 1 -W 5 -M do -s ${String(1472 - 28)} 192.168.234.2`)
    expect((await tried(bastion, `ping -c 1 -W 5 -M do -s ${String(1473 - 28)} 192.168.234.2`)).stderr).toContain('mtu=1472')
  })
})

describe('an address without an entry', () => {
  test('is given one by the kernel that points at this host, which `add` does not correct and `replace` does', async () => {
    await Promise.all([typed(bastion, `${PAGES.bastion}\nip neighbour del 192.168.234.2 dev provider0`), typed(first, PAGES.first)])
    expect((await tried(bastion, 'ping -c 1 -W 1 192.168.234.2')).code).toBe(1)
    expect(await entries(bastion)).toEqual(['192.168.234.2 lladdr 192.168.226.4 NOARP', SECOND])
    const add = await tried(bastion, 'ip neighbour add 192.168.234.2 lladdr 192.168.226.5 dev provider0 nud permanent')
    expect(add.stderr).toContain('File exists')
    await typed(bastion, 'ip neighbour replace 192.168.234.2 lladdr 192.168.226.5 dev provider0 nud permanent')
    expect(await entries(bastion)).toEqual([FIRST, SECOND])
    await typed(bastion, 'ping -c 1 -W 5 192.168.234.2')
  })

  // Twice the halves are more specific than the route that comes with the device's address, which stays as it is.
  test('makes forwarded packets circle, unless the network is unreachable but for a route to each member', async () => {
    const nobody = 'ip neighbour replace 192.168.234.9 lladdr 192.168.226.4 dev provider0'
    await Promise.all([
      typed(bastion, `${PAGES.bastion}\necho 1 >/proc/sys/net/ipv4/ip_forward`),
      typed(first, `${PAGES.first}\n${nobody}`),
    ])
    expect((await tried(first, 'ping -c 1 -W 1 192.168.234.9')).code).toBe(1)
    const circled = await packetsReceived(bastion)
    expect(circled).toBeGreaterThan(50)

    await typed(
      bastion,
      `ip route add unreachable 192.168.234.0/24; ip route add unreachable 192.168.235.0/24
       ip route add 192.168.234.2/32 dev provider0`,
    )
    await typed(bastion, 'ping -c 1 -W 5 192.168.234.2')
    const before = await packetsReceived(bastion)
    expect((await tried(first, 'ping -c 1 -W 5 192.168.234.9')).stdout).toContain('Destination Host Unreachable')
    expect(await packetsReceived(bastion)).toBe(before + 1)
    expect((await tried(bastion, 'ping -c 1 -W 5 192.168.234.8')).code).not.toBe(0)
    expect((await entries(bastion)).filter((entry) => entry.startsWith('192.168.234.8'))).toEqual([])
    await typed(
      bastion,
      'ip route del unreachable 192.168.234.0/24; ip route del unreachable 192.168.235.0/24; echo 0 >/proc/sys/net/ipv4/ip_forward',
    )
  })
})
