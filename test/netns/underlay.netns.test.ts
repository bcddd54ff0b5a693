/** What carries the tunnels changes under them: the host is renumbered, its network takes shorter packets. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { DEVICE, type Member } from './member.ts'
import { healthy, seesState, started, trio } from './trio.ts'

async function floodsTo(member: Member, ...underlays: readonly string[]): Promise<void> {
  const wanted = underlays.toSorted().join()
  const found = async (): Promise<unknown> => {
    const flood = await member.flood()
    return flood.join() === wanted || flood
  }
  await until(`${member.host.name} floods to ${wanted}`, found, { within: seconds(30) })
}

async function shows({ host }: Member, text: string): Promise<void> {
  const shown = async (): Promise<unknown> => {
    const found = await host.run(['ip', 'address', 'show', 'dev', DEVICE])
    return found.includes(text) || found
  }
  await until(`the device of ${host.name} has${text}`, shown, { within: seconds(30) })
}

test('a host that is renumbered is followed: its device sends from the new address, and every other kernel to it', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  await started(hosts)
  await first.host.run(['ip', 'address', 'delete', '192.168.226.5/24', 'dev', 'eth0'])
  await until('it says that its address is gone', async () => (await first.status()).health.join().includes('no address of this host'), {
    within: seconds(30),
  })
  await first.host.run(['ip', 'address', 'add', '192.168.226.77/24', 'dev', 'eth0'])
  await floodsTo(bastion, '192.168.226.77', second.underlay)
  await floodsTo(second, '192.168.226.77', bastion.underlay)
  await floodsTo(first, bastion.underlay, second.underlay)
  await seesState(bastion, first, 'alive')
  await seesState(first, bastion, 'alive')
  expect(await first.host.run(['ip', '-details', 'link', 'show', 'dev', DEVICE])).toContain('local 192.168.226.77 ')
  expect(await bastion.sees(first)).toMatchObject({ underlay: '192.168.226.77' })
  await until('it is pinged', async () => bastion.pings('192.168.234.2'), { within: seconds(30) })
  await healthy(first)

  // A daemon that starts anew finds it there, and may be told its interface, so that it need not know its own address.
  expect((await second.vxmesh('leave')).code).toBe(0)
  // What its underlay had room for is known from before, so that the device may grow with it.
  await second.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1600'])
  const planned = await second.vxmesh('plan', '--state-dir', second.stateDirectory)
  expect(planned.stdout).toContain('ip link set dev provider0 mtu 1550\n')
  second.up('--seed', '192.168.226.77', '--local', 'eth0')
  await floodsTo(second, '192.168.226.77', bastion.underlay)
  await shows(second, ' mtu 1550 ')
  await second.host.run(['ip', 'address', 'delete', '192.168.234.3/23', 'dev', DEVICE])
  await shows(second, ' 192.168.234.3/23 ')
})

test('the MTU of a device follows that of its underlay, until somebody sets it by hand', async () => {
  await using hosts = await trio()
  const { bastion, first } = hosts
  await started(hosts)
  const mtuIs = async (mtu: number): Promise<void> => {
    await until(`the others hear of mtu ${String(mtu)}`, async () => (await bastion.sees(first))?.mtu === mtu || bastion.sees(first), {
      within: seconds(30),
    })
    expect(await first.host.run(['ip', 'link', 'show', 'dev', DEVICE])).toContain(` mtu ${String(mtu)} `)
  }
  await first.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1400'])
  await mtuIs(1350)
  await first.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1500'])
  await mtuIs(1450)
  await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'mtu', '1300'])
  await mtuIs(1300)
  await first.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1400'])
  await until('it has looked', async () => (await first.host.run(['ip', 'link', 'show', 'dev', 'eth0'])).includes('mtu 1400'), {
    within: seconds(5),
  })
  expect((await first.status()).tunnels).toMatchObject([{ mtu: 1300 }])
  const { stdout } = await bastion.vxmesh('status')
  expect(stdout).toContain('mtu 1450, smallest in the mesh 1300 (host-00)')
  expect(stdout).toContain('! provider0 has mtu 1450, host-00 only 1300: longer packets to there are lost')
})

test('devices that follow the mesh have the smallest MTU of all members, shrink and grow with it, and leave when it leaves', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  const mtus = async (...wanted: readonly number[]): Promise<void> => {
    const found = async (): Promise<unknown> => {
      const shown = await Promise.all(hosts.all.map(async ({ host }) => host.run(['ip', 'link', 'show', 'dev', DEVICE])))
      const each = shown.map((text) => Number(/ mtu (\d+) /.exec(text)?.[1]))
      return each.join() === wanted.join() || [each, ...(await Promise.all(hosts.all.map(async (member) => member.status())))]
    }
    await until(`the MTUs are ${wanted.join()}`, found, { within: seconds(60) })
  }
  // One was made by hand, as the recipe does, and its owner asks for the MTU of the mesh as well.
  await first.host.run(['ip', 'link', 'add', DEVICE, 'type', 'vxlan', 'id', '16', 'local', first.underlay, 'dstport', '4789'])
  bastion.up('--mtu', 'mesh')
  first.up('--mtu', 'mesh', '--seed', bastion.underlay)
  second.up('--mtu', '1380', '--seed', bastion.underlay)
  await mtus(1380, 1380, 1380)
  const { stdout } = await bastion.vxmesh('status')
  expect(stdout).toContain('mtu 1380, smallest in the mesh 1380 (host-01)')
  expect((await bastion.status()).tunnels).toMatchObject([{ mtu: 1380, mtu_room: 1450, mtu_smallest: { mtu: 1380, name: 'host-01' } }])
  const told = async (): Promise<unknown> => {
    const row = await bastion.sees(first)
    return (row?.mtu === 1380 && row.mtu_limit === 1450) || row
  }
  await until('the others hear of what it could carry', told, { within: seconds(30) })
  await first.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1400'])
  await mtus(1350, 1350, 1380)
  await first.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'mtu', '1500'])
  await mtus(1380, 1380, 1380)
  expect((await second.vxmesh('leave')).code).toBe(0)
  await mtus(1450, 1450, 1380)
})
