/**
 * The device of a tunnel as a port of a bridge of Open vSwitch, whose userspace datapath needs no module of the kernel. The
 * kernel shows nothing of such a port.
 */
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from '../netns/harness.ts'
import { DEVICE, type Member } from '../netns/member.ts'
import { trio } from '../netns/trio.ts'

const WITHIN = { within: seconds(60) }
const BEHIND = '192.168.234.102'

/** Open vSwitch on one host, with its files in a directory of its own; all tools find it there. */
async function openVswitch({ host }: Member, directory: string): Promise<(words: string) => Promise<string>> {
  for (const what of ['RUNDIR', 'DBDIR', 'LOGDIR', 'SYSCONFDIR']) process.env[`OVS_${what}`] = directory
  const [database, socket] = [join(directory, 'conf.db'), join(directory, 'db.sock')]
  await host.run(['ovsdb-tool', 'create', database, process.env['VXMESH_OVS_SCHEMA'] ?? ''])
  host.start(['ovsdb-server', database, `--remote=punix:${socket}`])
  const vsctl = async (words: string) => host.run(['ovs-vsctl', '--timeout=20', ...words.split(' ')])
  await until('its database answers', async () => (await vsctl('--no-wait init')) === '', WITHIN)
  host.start(['ovs-vswitchd', `unix:${socket}`])
  return vsctl
}

test('a device is put into a bridge of Open vSwitch, put back when it is taken out, and joins it again when it is remade', async () => {
  await using hosts = await trio()
  const { mesh, bastion, first } = hosts
  const vsctl = await openVswitch(first, mesh.directory)
  const makeBridge = async (): Promise<void> => {
    await vsctl('add-br br-ex -- set bridge br-ex datapath_type=netdev')
    await first.host.run(['ip', 'address', 'add', `${BEHIND}/23`, 'dev', 'br-ex'])
    await first.host.run(['ip', 'link', 'set', 'dev', 'br-ex', 'up'])
  }
  const refused = await first.up('--master', 'br-ex').exit
  expect(refused).toBe(78)
  await makeBridge()
  bastion.up()
  first.up('--master', 'br-ex', '--seed', bastion.underlay)
  const isIn = async (): Promise<unknown> => (await vsctl(`port-to-br ${DEVICE}`)).trim() === 'br-ex'
  const reached = async (): Promise<unknown> => bastion.pings(BEHIND)
  await until('what is behind it is pinged', reached, WITHIN)
  expect(await isIn()).toBe(true)
  expect(await bastion.sees(first)).toMatchObject({ mac: null })
  expect((await first.vxmesh('status')).stdout).toContain(', master br-ex): ')

  await vsctl(`del-port ${DEVICE}`)
  await until('it is put back', isIn, WITHIN)
  await vsctl('del-br br-ex')
  const awaited = async (): Promise<unknown> => (await first.status()).health.join().includes(`${DEVICE} is not in br-ex`)
  await until('the bridge is said to be gone', awaited, WITHIN)
  await makeBridge()
  await until('what is behind it is pinged again', reached, WITHIN)
  await first.host.run(['ip', 'link', 'delete', 'dev', DEVICE])
  await until('nothing is amiss', async () => (await first.status()).health.length === 0 || first.status(), WITHIN)
  await until('what is behind it is pinged once more', reached, WITHIN)
})
