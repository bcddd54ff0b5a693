/** What of the kernel's multipoint GRE the adapter relies on. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Host } from '../netns/harness.ts'
import { entries, FIRST, openHosts, PAGES, SECOND, tried, typed, type Hosts } from './by-hand.ts'

let hosts: Hosts
let bastion: Host
let first: Host

beforeAll(async () => {
  hosts = await openHosts()
  ;({ bastion, first } = hosts)
})
afterEach(async () => hosts.clear())
afterAll(async () => hosts.dispose())

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
