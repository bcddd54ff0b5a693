/** Three daemons that keep a tunnel of multipoint GRE, the first on a device that an operator made. */
import { seconds } from '@vxmesh/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSwitch, until, type Host, type Switch } from '../netns/harness.ts'
import { initMesh, member, type Member, type Mesh } from '../netns/member.ts'

const TUNNEL = ['--mode', 'gre', '--key', '1234']
/** Node takes its time to start here. */
const WITHIN = { within: seconds(90) }

let net: Switch
let mesh: Mesh
let bastion: Member
let first: Member
let second: Member

beforeAll(async () => {
  net = await openSwitch()
  mesh = await initMesh()
  const host = async (name: string, number: number) =>
    member(mesh, await net.host(name, `192.168.226.${String(number + 3)}/24`), `192.168.234.${String(number)}/23`, TUNNEL)
  bastion = await host('bastion', 1)
  first = await host('host-00', 2)
  second = await host('host-01', 3)
  // The recipe, and one neighbour by hand: the device is adopted, and what is on it stays.
  await typed(
    bastion.host,
    `ip tunnel add provider0 mode gre local 192.168.226.4 key 1234
     ip neighbour add 192.168.234.2 lladdr 192.168.226.5 dev provider0
     ip link set up dev provider0`,
  )
  bastion.up()
  first.up('--seed', '192.168.226.4')
  second.up('--seed', '192.168.226.4')
})
afterAll(async () => {
  await net.dispose()
  await mesh[Symbol.asyncDispose]()
})

async function typed(host: Host, page: string): Promise<string> {
  return host.run(['sh', '-ec', page])
}

/** The neighbours and routes of a host, ours and not, as they are shown. */
async function entries({ host }: Member): Promise<readonly string[]> {
  const shown = await typed(host, 'ip -N -4 neighbour show dev provider0 nud permanent; ip -4 route show protocol 118')
  return shown
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '))
    .filter((line) => line !== '')
    .toSorted()
}

const neighbour = (number: number, mark = ' proto 118') =>
  `192.168.234.${String(number)} lladdr 192.168.226.${String(number + 3)} PERMANENT${mark}`
const route = (number: number) => `192.168.234.${String(number)} dev provider0 scope link`
const UNREACHABLE = ['unreachable 192.168.234.0/24 metric 4278198272', 'unreachable 192.168.235.0/24 metric 4278198272']

async function has(at: Member, ...wanted: readonly string[]): Promise<void> {
  const all = [...wanted, ...UNREACHABLE].toSorted()
  await until(
    `${at.host.name} has its entries`,
    async () => JSON.stringify(await entries(at)) === JSON.stringify(all) || entries(at),
    WITHIN,
  )
}

test('three hosts reach one another, and nobody else', async () => {
  await has(bastion, neighbour(2, ''), neighbour(3), route(2), route(3))
  await has(first, neighbour(1), neighbour(3), route(1), route(3))
  await has(second, neighbour(1), neighbour(2), route(1), route(2))
  for (const at of [bastion, first, second])
    for (const number of [1, 2, 3]) expect(await at.pings(`192.168.234.${String(number)}`)).toBe(true)
  expect((await bastion.host.outcome(['ping', '-c', '1', '-W', '5', '192.168.234.9'])).stderr).toContain('No route to host')
  const [tunnel] = (await bastion.status()).tunnels
  expect(tunnel).toMatchObject({ mode: 'gre', id: 1234, port: null, mtu: 1472, origin: 'adopted', entries: { wanted: 6, present: 6 } })
  expect((await first.vxmesh('status')).stdout).toContain('provider0 (gre key 1234, mtu 1472): 6 of 6 entries present')
})

test('what a device lost when it went down comes back with it', async () => {
  await typed(first.host, 'ip link set dev provider0 down; ip link set dev provider0 up')
  await has(first, neighbour(1), neighbour(3), route(1), route(3))
  expect(await first.pings('192.168.234.3')).toBe(true)
})

test('a host that leaves is left out by all, and takes its own entries away', async () => {
  expect((await first.vxmesh('leave')).stdout).toContain('left the mesh; 6 entries removed from provider0')
  expect(await entries(first)).toEqual([])
  // What the operator wrote stays.
  await has(bastion, neighbour(2, ''), neighbour(3), route(3))
  await has(second, neighbour(1), route(1))
  expect(await bastion.pings('192.168.234.3')).toBe(true)
})
