/** Three daemons that keep a tunnel of multipoint GRE, the first on a device that an operator made. */
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { exportFiles, writeExport } from '@vxmesh/daemon'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSwitch, until, type Host, type Switch } from '../netns/harness.ts'
import { http, initMesh, member, type Member, type Mesh } from '../netns/member.ts'
import { networkd } from '../netns/networkd.ts'
import type { Process } from '../netns/process.ts'

const TUNNEL = ['--mode', 'gre', '--key', '1234']
/** Node takes its time to start here, and so does each look. */
const WITHIN = { within: seconds(240), every: seconds(2) }

let net: Switch
let mesh: Mesh
let bastion: Member
let first: Member
let second: Member
const daemons = new Map<Member, Process>()

function up(at: Member, ...flags: readonly string[]): void {
  daemons.set(at, at.up(...flags))
}

async function down(at: Member): Promise<void> {
  daemons.get(at)?.signal('SIGTERM')
  await daemons.get(at)?.exit
}

beforeAll(async () => {
  net = await openSwitch()
  mesh = await initMesh()
  const host = async (name: string, number: number) =>
    member(mesh, await net.host(name, `192.168.226.${String(number + 3)}/24`), `192.168.234.${String(number)}/23`, TUNNEL)
  bastion = await host('bastion', 1)
  first = await host('host-00', 2)
  second = await host('host-01', 3)
  // The recipe: one member's neighbour by hand, and one of a host that is no member, which has that address elsewhere.
  await typed(
    bastion.host,
    `ip tunnel add provider0 mode gre local 192.168.226.4 key 1234
     ip neighbour add 192.168.234.2 lladdr 192.168.226.5 dev provider0
     ip neighbour add 192.168.234.50 lladdr 192.168.226.6 dev provider0
     ip link set up dev provider0`,
  )
  await typed(second.host, 'ip address add 192.168.234.50/32 dev lo')
  up(bastion, '--address', 'fd00:234::1/64')
  up(first, '--seed', '192.168.226.4', '--address', 'fd00:234::2/64')
  up(second, '--seed', '192.168.226.4', '--address', 'fd00:234::3/64')
})
afterAll(async () => {
  await net.dispose()
  await mesh[Symbol.asyncDispose]()
})

async function typed(host: Host, page: string): Promise<string> {
  return host.run(['sh', '-ec', page])
}

/** The neighbours of a host and what is routed for the tunnel, ours and not, as they are shown. */
async function entries({ host }: Member): Promise<readonly string[]> {
  const routes = ['-4', '-6'].map((family) => `ip ${family} route show protocol 118`)
  const shown = await typed(host, ['ip -N neighbour show dev provider0 nud permanent', ...routes].join('; '))
  return shown
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '))
    .filter((line) => line !== '')
    .toSorted()
}

const neighbour = (number: number, mark = ' proto 118', underlay = number + 3) =>
  `192.168.234.${String(number)} lladdr 192.168.226.${String(underlay)} PERMANENT${mark}`
const route = (number: number) => `192.168.234.${String(number)} dev provider0 scope link`
const sixth = (number: number, underlay = number + 3) => [
  `fd00:234::${String(number)} lladdr 192.168.226.${String(underlay)} PERMANENT proto 118`,
  `fd00:234::${String(number)} dev provider0 metric 1024 pref medium`,
]
const whole = (number: number, underlay?: number) => [neighbour(number, ' proto 118', underlay), route(number), ...sixth(number, underlay)]
const FOREIGN = [neighbour(50, '', 6), route(50)]
const HALF_FOREIGN = [neighbour(2, ''), route(2), ...sixth(2)]
const UNREACHABLE = [
  ...['192.168.234.0/24', '192.168.235.0/24'].map((network) => `unreachable ${network} metric 4278198272`),
  ...['fd00:234::/65', 'fd00:234:0:0:8000::/65'].map((network) => `unreachable ${network} dev lo metric 4278198272 pref medium`),
]

async function has(at: Member, ...wanted: readonly string[]): Promise<void> {
  const all = [...wanted, ...UNREACHABLE].toSorted()
  await until(
    `${at.host.name} has its entries`,
    async () => {
      const there = await entries(at)
      return JSON.stringify(there) === JSON.stringify(all) || there
    },
    WITHIN,
  )
}

test('three hosts reach one another, and nobody else', async () => {
  await has(bastion, ...HALF_FOREIGN, ...whole(3), ...FOREIGN)
  await has(first, ...whole(1), ...whole(3))
  await has(second, ...whole(1), ...whole(2))
  for (const at of [bastion, first, second])
    for (const address of ['192.168.234.1', '192.168.234.2', '192.168.234.3', 'fd00:234::1', 'fd00:234::3'])
      expect(await at.pings(address)).toBe(true)
  // What the operator could reach before he still can.
  expect(await bastion.pings('192.168.234.50')).toBe(true)
  expect((await bastion.host.outcome(['ping', '-c', '1', '-W', '5', '192.168.234.9'])).stderr).toContain('No route to host')
  const [tunnel] = (await bastion.status()).tunnels
  expect(tunnel).toMatchObject({ mode: 'gre', id: 1234, port: null, mtu: 1472, origin: 'adopted' })
  expect(tunnel?.entries).toMatchObject({ wanted: 12, present: 12, foreign: 2 })
})

test('what somebody deletes or changes, and what a device lost when it went down, is put right', async () => {
  await typed(
    first.host,
    `ip neighbour replace 192.168.234.1 lladdr 192.168.226.99 dev provider0
     ip route delete 192.168.234.3 dev provider0
     ip route delete unreachable fd00:234::/65`,
  )
  await has(first, ...whole(1), ...whole(3))
  // An IPv6 address goes with the link, and is given again.
  await typed(first.host, 'ip link set dev provider0 down; ip link set dev provider0 up')
  await has(first, ...whole(1), ...whole(3))
  expect(await first.pings('192.168.234.3')).toBe(true)
  expect((await first.status()).tunnels[0]?.repairs).toBeGreaterThan(3)
})

test('a daemon that ends leaves all as it is, says what the next would do, of a device that is gone too, and the next deletes nothing', async () => {
  await down(first)
  // What is unreachable outlives a device, and would be refused if it were added again.
  await typed(first.host, 'ip link delete dev provider0')
  const anew = await first.vxmesh('plan', '--state-dir', first.stateDirectory)
  expect(anew.stdout).not.toContain('unreachable')
  await typed(first.host, anew.stdout)
  const monitor = first.host.start(['ip', 'monitor', 'neigh', 'route'])
  await typed(first.host, 'ip neighbour delete 192.168.234.1 dev provider0; ip route delete 192.168.234.1 dev provider0')
  const planned = await first.vxmesh('plan', '--state-dir', first.stateDirectory)
  expect(planned).toMatchObject({ code: 2, stderr: '' })
  expect(planned.stdout.trimEnd().split('\n')).toEqual([
    'ip neighbour replace 192.168.234.1 lladdr 192.168.226.4 dev provider0 nud permanent protocol 118',
    'ip route add 192.168.234.1 dev provider0 protocol 118',
  ])
  up(first, '--seed', '192.168.226.4', '--address', 'fd00:234::2/64')
  await has(first, ...whole(1), ...whole(3))
  await until('it is spoken to', async () => (await first.sees(second))?.state === 'alive', WITHIN)
  monitor.signal('SIGTERM')
  await monitor.exit
  const deleted = monitor.lines.filter((line) => line.startsWith('Deleted') && line.includes('provider0') && !line.includes('table local'))
  expect(deleted.every((line) => line.startsWith('Deleted 192.168.234.1 '))).toBe(true)
})

test('a host that gets another address is followed by all', async () => {
  await typed(second.host, 'ip address delete 192.168.226.6/24 dev eth0; ip address add 192.168.226.16/24 dev eth0')
  await has(first, ...whole(1), ...whole(3, 16))
  await has(second, ...whole(1), ...whole(2))
  expect(await typed(second.host, 'ip -details link show dev provider0')).toContain('local 192.168.226.16 ')
  expect(await first.pings('192.168.234.3')).toBe(true)
})

test('a host that dies is removed by those that are left', async () => {
  await second.host.linkDown()
  await has(first, ...whole(1))
  await has(bastion, ...HALF_FOREIGN, ...FOREIGN)
  await second.host.linkUp()
  await has(first, ...whole(1), ...whole(3, 16))
  expect((await first.sees(second))?.state).toBe('alive')
})

test('a host that leaves is left out by all, and takes its own entries away; what is exported carries the tunnel without any daemon', async () => {
  const exported = join(mesh.directory, 'export')
  writeExport(exported, exportFiles(await first.status()))
  expect((await http(first.control, 'POST', '/v1/leave')).body).toContain('"removed":12')
  expect(await entries(first)).toEqual([])
  // What the operator wrote stays.
  await has(bastion, neighbour(2, ''), route(2), ...whole(3, 16), ...FOREIGN)
  await Promise.all([bastion, second].map(down))
  for (const { host } of [bastion, first, second]) {
    const clear = 'ip link delete dev provider0; ip -4 route flush protocol 118; ip -6 route flush protocol 118'
    await typed(host, clear)
  }
  // One of them by the files of systemd-networkd, whose keeping of a tunnel of GRE nothing else shows.
  networkd(bastion.host, join(exported, 'bastion'))
  for (const { host } of [first, second]) await typed(host, `sh ${join(exported, host.name, 'provider0.sh')}`)
  for (const at of [bastion, first, second])
    for (const address of ['192.168.234.1', '192.168.234.2', '192.168.234.3', 'fd00:234::1', 'fd00:234::3'])
      await until(`${at.host.name} pings ${address}`, async () => at.pings(address), WITHIN)
  expect((await bastion.host.outcome(['ping', '-c', '1', '-W', '5', '192.168.234.9'])).stderr).toContain('No route to host')
})
