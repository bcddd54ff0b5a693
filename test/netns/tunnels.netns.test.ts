/** Daemons with several tunnels: one over IPv4, one over IPv6 that carries both, and a host that has only the second. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import type { Member } from './member.ts'
import { healthy, seesState, trio } from './trio.ts'

const FOUR = 'provider0'
const SIX = 'provider1'
const WITHIN = { within: seconds(60) }

/** The tunnel over IPv4, and the one over IPv6, of the host with this number. */
const four = (number: number, local = `192.168.226.${String(number + 3)}`): string =>
  `  ${FOUR}: { mode: vxlan, id: 16, local: "${local}", addresses: [192.168.234.${String(number)}/23] }\n`
const six = (number: number, id = 17): string =>
  `  ${SIX}: { id: ${String(id)}, local: "fd00:226::${String(number + 3)}", addresses: [192.168.240.${String(number)}/24, "fd00:240::${String(number)}/64"] }\n`
const seed = 'seeds: [192.168.226.4]\n'

async function floods(at: Member, device: string, ...underlays: readonly string[]): Promise<void> {
  const found = async (): Promise<unknown> => {
    const flood = await at.flood(device)
    return flood.join() === underlays.toSorted().join() || flood
  }
  await until(`${at.host.name} floods ${device} to ${underlays.join(', ')}`, found, WITHIN)
}

async function pings(from: readonly Member[], ...addresses: readonly string[]): Promise<void> {
  for (const each of from)
    for (const address of addresses) await until(`${each.host.name} pings ${address}`, async () => each.pings(address), WITHIN)
}

/** What was repaired in each tunnel, and what is not ours there. */
async function repairs(at: Member): Promise<readonly unknown[]> {
  return (await at.status()).tunnels.map(({ device, repairs: count, entries }) => [device, count, entries.foreign])
}

test('two tunnels of one daemon, over IPv4 and over IPv6, live by themselves, each with its own members', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  for (const [index, { host }] of hosts.all.entries())
    await host.run(['ip', 'address', 'add', `fd00:226::${String(index + 4)}/64`, 'dev', 'eth0', 'nodad'])
  // A tunnel that the kernel refuses is said in one line, and changes nothing for the other.
  const taken = ['id', '17', 'local', 'fd00:226::4', 'dstport', '4789']
  await bastion.host.run(['ip', 'link', 'add', 'name', 'by-hand', 'type', 'vxlan', ...taken])
  const refused = await bastion.carry(`tunnels:\n${four(1)}${six(1)}`)
  expect(await refused.exit).toBe(1)
  expect(refused.lines).toEqual([expect.stringMatching(/^vxmesh: the kernel refused "ip link add name provider1 .*": .*exists/)])
  await bastion.host.run(['ip', 'link', 'delete', 'dev', 'by-hand'])

  await bastion.carry(`tunnels:\n${four(1)}${six(1)}`)
  await first.carry(`${seed}tunnels:\n${four(2)}${six(2)}`)
  const third = await second.carry(`${seed}tunnels:\n${six(3)}`)
  await floods(bastion, FOUR, '192.168.226.5')
  await floods(first, FOUR, '192.168.226.4')
  await floods(bastion, SIX, 'fd00:226::5', 'fd00:226::6')
  await floods(first, SIX, 'fd00:226::4', 'fd00:226::6')
  await floods(second, SIX, 'fd00:226::4', 'fd00:226::5')
  await pings([bastion, first], '192.168.234.1', '192.168.234.2')
  await pings(hosts.all, '192.168.240.1', '192.168.240.2', '192.168.240.3', 'fd00:240::1', 'fd00:240::3')
  expect(await bastion.sees(second)).toMatchObject({ tunnels: [{ device: SIX, underlay: 'fd00:226::6', mtu: 1430, entry: 'present' }] })
  await healthy(...hosts.all)
  expect(await first.vxmesh('plan')).toMatchObject({ code: 0, stdout: `# nothing to do: ${FOUR}, ${SIX} have what they should\n` })

  // What is done to one tunnel is put right in that one.
  await first.host.run(['bridge', 'fdb', 'delete', '00:00:00:00:00:00', 'dst', 'fd00:226::6', 'dev', SIX])
  await floods(first, SIX, 'fd00:226::4', 'fd00:226::6')
  await first.host.run(['ip', 'link', 'delete', 'dev', SIX])
  await floods(first, SIX, 'fd00:226::4', 'fd00:226::6')
  await pings([first], 'fd00:240::1', '192.168.240.3')
  expect(await repairs(first)).toEqual([
    [FOUR, 0, 0],
    [SIX, 2, 0],
  ])

  // The underlay of one moves, and the daemon listens there as well.
  await first.host.run(['ip', 'address', 'delete', 'fd00:226::5/64', 'dev', 'eth0'])
  await first.host.run(['ip', 'address', 'add', 'fd00:226::77/64', 'dev', 'eth0', 'nodad'])
  await floods(bastion, SIX, 'fd00:226::77', 'fd00:226::6')
  await floods(second, SIX, 'fd00:226::77', 'fd00:226::4')
  await floods(bastion, FOUR, '192.168.226.5')
  const listening = async (): Promise<unknown> => {
    const sockets = await first.host.run(['ss', '-Hltn', 'sport', '=', '4788'])
    return ['192.168.226.5:4788', '[fd00:226::77]:4788'].every((place) => sockets.includes(place)) || sockets
  }
  await until('it listens at both', listening, WITHIN)
  await pings([bastion, second], 'fd00:240::2')

  // A pair of which one is on IPv4 and one on IPv6 is named by everybody, and the other tunnel goes on.
  third.signal('SIGTERM')
  expect(await third.exit).toBe(0)
  await second.carry(`tunnels:\n${six(3)}${four(3, 'fd00:226::6')}`)
  const apart = `${FOUR}: bastion, host-00 on IPv4 and host-01 on IPv6 can never talk to each other: give all of them underlay addresses of one kind`
  for (const each of hosts.all)
    await until(`${each.host.name} names the pair`, async () => (await each.status()).health.includes(apart) || each.status(), WITHIN)
  expect((await bastion.sees(second))?.note).toBe(
    `${FOUR}: not programmed: fd00:226::6 cannot be reached from 192.168.226.4: another address family`,
  )
  await floods(bastion, FOUR, '192.168.226.5')
  await pings([bastion], '192.168.240.3')

  expect(await first.vxmesh('leave')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/removed from provider0\n[^]*removed from provider1\n/),
  })
  await floods(bastion, FOUR)
  await floods(bastion, SIX, 'fd00:226::6')
  await seesState(bastion, first, 'left')
})
