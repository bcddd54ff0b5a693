/** The device of a tunnel as a port of a bridge that the operator has: kept there, whatever becomes of either. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { converged, DEVICE, type Member } from './member.ts'
import { trio } from './trio.ts'

const BRIDGE = 'br-ex'

const hand = async ({ host }: Member, words: string): Promise<unknown> => host.run(words.split(' '))

async function makeBridge(at: Member, address: string): Promise<void> {
  await hand(at, `ip link add name ${BRIDGE} type bridge`)
  await hand(at, `ip address add ${address} dev ${BRIDGE}`)
  await hand(at, `ip link set dev ${BRIDGE} up`)
}

async function attached(at: Member): Promise<void> {
  const seen = async (): Promise<unknown> => {
    const shown = await at.host.run(['ip', 'link', 'show', 'dev', DEVICE])
    return shown.includes(` master ${BRIDGE} `) || shown
  }
  await until(`${at.host.name} has ${DEVICE} in ${BRIDGE}`, seen, { within: seconds(30) })
}

test('a device is put into a bridge, put back when it is taken out, and joins it again when it was deleted and remade', async () => {
  await using hosts = await trio()
  const { bastion, first, second, all } = hosts
  const refused = await bastion.vxmesh(
    'up',
    '--device',
    DEVICE,
    '--id',
    '16',
    '--local',
    bastion.underlay,
    '--master',
    BRIDGE,
    '--invite',
    `${hosts.mesh.directory}/mesh.invite`,
    '--state-dir',
    bastion.stateDirectory,
  )
  expect(refused).toMatchObject({
    code: 78,
    stderr: `vxmesh: --master: there is no bridge ${BRIDGE}; make it first (ip link add name ${BRIDGE} type bridge)\n`,
  })
  // One device is made by the daemon, the other by hand; the third host has no bridge.
  await makeBridge(bastion, '192.168.234.101/23')
  await makeBridge(first, '192.168.234.102/23')
  await hand(first, `ip link add ${DEVICE} type vxlan id 16 local ${first.underlay} dstport 4789`)
  bastion.up('--master', BRIDGE)
  first.up('--master', BRIDGE, '--seed', bastion.underlay)
  second.up('--seed', bastion.underlay)
  await converged(all)
  await attached(bastion)
  await attached(first)
  for (const address of ['192.168.234.101', '192.168.234.102'])
    await until(`${address} is pinged`, async () => second.pings(address), { within: seconds(60) })
  expect((await second.sees(bastion))?.mac).toBeNull()
  expect((await bastion.vxmesh('status')).stdout).toContain(`, master ${BRIDGE}): `)

  await hand(first, `ip link set dev ${DEVICE} nomaster`)
  await attached(first)
  await hand(bastion, `ip link delete dev ${BRIDGE}`)
  const awaited = async (): Promise<unknown> => {
    const { health } = await bastion.status()
    return health.join().includes(`${DEVICE} is not in ${BRIDGE}: it is put there as soon as there is such a bridge`) || health
  }
  await until('the bridge is said to be gone', awaited, { within: seconds(30) })
  await makeBridge(bastion, '192.168.234.101/23')
  await attached(bastion)

  const before = await bastion.host.run(['ip', '-details', 'address', 'show', 'dev', DEVICE])
  await hand(bastion, `ip link delete dev ${DEVICE}`)
  await converged(all)
  await attached(bastion)
  const lasting = (text: string): readonly string[] => text.split('\n').filter((line) => /link\/ether|inet |vxlan id/.test(line))
  expect(lasting(await bastion.host.run(['ip', '-details', 'address', 'show', 'dev', DEVICE]))).toEqual(lasting(before))
  await until('what is behind it is pinged', async () => second.pings('192.168.234.101'), { within: seconds(60) })
  expect((await first.status()).tunnels).toMatchObject([{ master: BRIDGE, origin: 'adopted', repairs: 1 }])
})
