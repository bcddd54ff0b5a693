/**
 * The operator's three hosts, as separate processes in separate network namespaces on the real kernel: real libp2p,
 * real Noise, real signed records, real ip and bridge. What the README promises is what is asserted here.
 */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until } from './harness.ts'
import { converged, DEVICE, initMesh, member, messages, modeOf } from './member.ts'
import type { Process } from './process.ts'
import { healthy, seesState, started, trio, type Trio } from './trio.ts'

/** Whether the first host is in no other's kernel; if it is, how things stand. */
async function withoutFirst({ bastion, second }: Trio): Promise<unknown> {
  const tables = await Promise.all([bastion.flood(), second.flood()])
  return tables.every((table) => table.length === 1) || { bastion: await bastion.status(), second: await second.status() }
}

const deletions = (monitor: Process): readonly string[] => monitor.lines.filter((line) => line.startsWith('Deleted 00:00:00:00:00:00'))

test('three hosts that know one address find each other, and every pair can ping', async () => {
  await using hosts = await trio()
  const { bastion, first, second, all } = hosts
  await started(hosts)
  for (const from of all) {
    for (const to of ['192.168.234.1', '192.168.234.2', '192.168.234.3']) {
      await until(`${from.host.name} pings ${to}`, async () => from.pings(to), { within: seconds(30) })
    }
  }
  const device = await first.host.run(['ip', '-details', 'link', 'show', 'dev', DEVICE])
  expect(device).toMatch(/mtu 1450 .*state UNKNOWN/)
  expect(device).toMatch(/vxlan id 16 local 192\.168\.226\.5 .*dstport 4789/)
  expect(device).not.toContain('nolearning')

  await seesState(bastion, second, 'alive')
  const { stdout } = await bastion.vxmesh('status')
  const [header, own, ...rest] = stdout.split('\n')
  expect(header).toMatch(/^NAME +OVERLAY +UNDERLAY +STATE +SEEN +ENTRY +NOTE$/)
  expect(own).toMatch(/^bastion +192\.168\.234\.1 +192\.168\.226\.4 +self/)
  expect(rest[0]).toMatch(/^host-00 +192\.168\.234\.2 +192\.168\.226\.5 +alive +[0-9]+s +present$/)
  expect(stdout).toContain('provider0 (vxlan id 16, port 4789, mtu 1450): 6 of 6 entries present')
  await healthy(second)
  const report = await second.status()
  expect(report).toMatchObject({
    version: 1,
    tunnels: [{ device: DEVICE, id: 16, entries: { wanted: 6, present: 6, foreign: 0 } }],
  })
  expect(await modeOf(bastion.control)).toBe('600')
  const { code, stdout: json } = await first.vxmesh('status', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(json)).toMatchObject({ version: 1, self: { name: 'host-00' } })
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a daemon ended by %s leaves the data plane whole, and comes back without a deletion anywhere',
  async (signal) => {
    await using hosts = await trio()
    const { bastion, first, second } = hosts
    const [, daemon] = await started(hosts)
    const monitors = await Promise.all(hosts.all.map(async ({ host }) => host.monitor()))
    const before = (await bastion.sees(first))?.incarnation ?? 0
    daemon.signal(signal)
    expect(await daemon.exit).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL')
    await seesState(bastion, first, 'restarting')
    await seesState(second, first, 'restarting')
    expect(await bastion.pings('192.168.234.2')).toBe(true)
    expect(await first.pings('192.168.234.3')).toBe(true)
    const gone = await first.vxmesh('status')
    expect(gone.code).toBe(3)
    expect(gone.stderr).toMatch(/^vxmesh: no daemon answers at [^\n]+\n$/)

    // Later starts need neither invite nor seed: members once met are remembered.
    first.up()
    await seesState(bastion, first, 'alive')
    await seesState(first, second, 'alive')
    expect((await bastion.sees(first))?.incarnation).toBeGreaterThan(before)
    await converged(hosts.all)
    expect(monitors.flatMap(deletions)).toEqual([])
  },
)

test('a host without power is removed by the others on their joint testimony, and returns by itself', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  await started(hosts)
  const monitor = await first.host.monitor()
  await first.host.linkDown()
  await until('both others have removed it', async () => withoutFirst(hosts), { within: seconds(60) })
  expect((await bastion.sees(first))?.state).toBe('dead')
  expect(await first.flood()).toEqual([bastion.underlay, second.underlay])
  await until(
    'it knows that it is isolated',
    async () => {
      const { health } = await first.status()
      return health.join().includes('isolated') || health
    },
    { within: seconds(30) },
  )
  await first.host.linkUp()
  await converged(hosts.all, seconds(60))
  await seesState(bastion, first, 'alive')
  expect(deletions(monitor)).toEqual([])
})

test('a leave removes the leaver everywhere at once, and its own entries', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  const [, , daemon] = await started(hosts)
  const left = await second.vxmesh('leave')
  expect(left).toMatchObject({ code: 0, stderr: '' })
  expect(await daemon.exit).toBe(0)
  expect(await second.flood()).toEqual([])
  await converged([bastion, first], seconds(30))
  expect(await bastion.sees(second)).toMatchObject({ state: 'left', entry: 'none' })
  second.up()
  await converged(hosts.all)
})

test('a seed that comes up long after is found, whatever the order', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  const early = [second.up('--seed', '192.168.226.4:4788'), first.up('--seed', '/ip4/192.168.226.4/tcp/4788')]
  await until('both are up', () => early.every((daemon) => messages(daemon).some((line) => line.includes('is up'))), {
    within: seconds(60),
  })
  expect(await first.flood()).toEqual([])
  bastion.up()
  await converged(hosts.all, seconds(60))
})

test('devices made by the recipe are adopted with their port and addresses, and foreign entries are left alone', async () => {
  await using hosts = await trio()
  const { net, mesh, bastion } = hosts
  const hand = member(mesh, await net.host('by-hand', '192.168.226.7/24'), undefined)
  for (const { host, overlay, underlay } of [
    { host: hosts.first.host, overlay: '192.168.234.2/23', underlay: hosts.first.underlay },
    { host: hand.host, overlay: '192.168.234.7/23', underlay: hand.underlay },
  ]) {
    await host.run(['ip', 'link', 'add', DEVICE, 'type', 'vxlan', 'id', '16', 'local', underlay, 'dstport', '0'])
    await host.run(['ip', 'addr', 'add', overlay, 'dev', DEVICE])
    await host.run(['ip', 'link', 'set', 'up', 'dev', DEVICE])
  }
  await hand.host.run(['bridge', 'fdb', 'append', 'to', '00:00:00:00:00:00', 'dst', '192.168.226.99', 'dev', DEVICE])
  hosts.first.up()
  hand.up('--seed', '192.168.226.5')
  await until('the two flood to each other', async () => (await hand.flood()).join() === '192.168.226.5,192.168.226.99' || hand.flood(), {
    within: seconds(60),
  })
  await until('and ping', async () => hand.pings('192.168.234.2'), { within: seconds(30) })
  const report = await hand.status()
  expect(report.tunnels).toMatchObject([{ port: 8472, origin: 'adopted', entries: { wanted: 3, present: 3, foreign: 1 } }])
  expect(report.members[0]).toMatchObject({ self: true, overlay: ['192.168.234.7/23'] })

  bastion.up('--seed', '192.168.226.5')
  await until('a member on another port is pinged', async () => hand.pings('192.168.234.1'), { within: seconds(60) })
  expect(await hand.sees(bastion)).toMatchObject({ entry: 'present', note: 'port 4789 there, 8472 here' })

  expect((await hand.vxmesh('leave')).code).toBe(0)
  expect(await hand.flood()).toEqual(['192.168.226.99'])
})

test('what somebody else changes is put right', async () => {
  await using hosts = await trio()
  const { bastion, first } = hosts
  await started(hosts)
  await bastion.host.run(['bridge', 'fdb', 'delete', '00:00:00:00:00:00', 'dst', first.underlay, 'dev', DEVICE])
  await converged(hosts.all, seconds(30))
  await bastion.host.run(['ip', 'link', 'delete', 'dev', DEVICE])
  await converged(hosts.all, seconds(45))
  await until('it pings again', async () => bastion.pings('192.168.234.2'), { within: seconds(30) })
  expect((await bastion.status()).tunnels[0]?.repairs).toBeGreaterThan(0)
})

test('two members that claim one overlay address: the earlier keeps it, everybody says so, and another address ends it', async () => {
  await using hosts = await trio()
  const { net, mesh, bastion, first } = hosts
  const late = member(mesh, await net.host('late', '192.168.226.8/24'), '192.168.234.2/23')
  bastion.up()
  first.up('--seed', '192.168.226.4')
  await converged([bastion, first])
  const loser = late.up('--seed', '192.168.226.4')
  await seesState(bastion, late, 'alive', seconds(60))
  await seesState(late, first, 'alive', seconds(60))
  expect((await bastion.sees(late))?.note).toBe('192.168.234.2 belongs to host-00')
  expect((await late.sees(late))?.note).toBe('192.168.234.2 belongs to host-00: change --address here')
  expect(await bastion.flood()).toEqual([first.underlay])
  await until('the loser programs nobody', async () => (await late.flood()).length === 0, { within: seconds(60) })
  loser.signal('SIGTERM')
  await loser.exit
  const mended = member(mesh, late.host, '192.168.234.4/23')
  mended.up('--seed', '192.168.226.4')
  await converged([bastion, first, mended])
  expect((await mended.status()).tunnels).toMatchObject([{ addresses: ['192.168.234.4/23'] }])
})

test('an IPv6 underlay carries the mesh as well', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const one = member(mesh, await net.host('one', '2001:db8::4/64'), '192.168.234.1/23')
  const two = member(mesh, await net.host('two', '2001:db8::5/64'), '192.168.234.2/23')
  one.up()
  two.up('--seed', '[2001:db8::4]:4788')
  await converged([one, two])
  await until('they ping', async () => one.pings('192.168.234.2'), { within: seconds(30) })
  expect((await one.status()).tunnels).toMatchObject([{ mtu: 1430 }])
})

test('two hosts alone: the survivor of a silent death removes nothing, since it may be the one that is cut off', async () => {
  await using hosts = await trio()
  const { bastion, first } = hosts
  bastion.up()
  first.up('--seed', '192.168.226.4')
  await converged([bastion, first])
  await first.host.linkDown()
  await until('it knows that it hears nobody', async () => (await bastion.status()).health.join().includes('isolated'), {
    within: seconds(45),
  })
  expect(await bastion.flood()).toEqual([first.underlay])
})
