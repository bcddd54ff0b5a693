/** Members that are given no address find each other on the LAN, and nobody else; and again by what they remember. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until, type Host, type Switch } from './harness.ts'
import { converged, DEVICE, initMesh, member, messages, savedRecords, when, type Member, type Mesh } from './member.ts'
import { run, type Process } from './process.ts'
import { healthy } from './trio.ts'

/** A host with nothing but an address on the switch, and a member on it that is given no address of another. */
async function resident(net: Switch, mesh: Mesh, name: string, number: number): Promise<Member> {
  return member(mesh, await net.host(name, `192.168.226.${String(number)}/24`), `192.168.234.${String(number)}/23`, undefined, 'on the LAN')
}

/** Milliseconds from when a daemon was up until it had found another. */
function searched(daemon: Process): number {
  const [up, found] = [when(daemon, ({ event }) => event === 'up'), when(daemon, ({ event }) => event === 'member')]
  return (found ?? Infinity) - (up ?? -Infinity)
}

async function says(daemon: Process, text: string): Promise<void> {
  await until(`it says: ${text}`, () => messages(daemon).some((line) => line.includes(text)) || messages(daemon), { within: seconds(60) })
}

/** The interfaces on which a host listens to a group. */
async function listening(host: Host, group: string): Promise<readonly string[]> {
  const shown = await host.run(['ip', 'maddress', 'show'])
  const interfaces = shown.split(/^\d+:\s+/m).filter((each) => each.includes(` ${group}\n`) || each.includes(` ${group} `))
  return interfaces.map((each) => each.split('\n')[0] ?? '').toSorted()
}

test('three that are given no address find each other, on the LAN only, and by memory after all lost power', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const all = [await resident(net, mesh, 'a', 4), await resident(net, mesh, 'b', 5), await resident(net, mesh, 'c', 6)]
  const [a, b, c] = [all[0]!, all[1]!, all[2]!]
  await a.host.run(['ip', 'link', 'add', 'name', 'docker0', 'type', 'bridge'])
  await a.host.run(['ip', 'address', 'add', '172.17.0.1/16', 'dev', 'docker0'])
  await a.host.run(['ip', 'link', 'set', 'dev', 'docker0', 'up'])
  const first = [a.up(), b.up()]
  await converged([a, b])
  const last = c.up()
  await converged(all)
  console.log(`on a LAN: found within ${String(searched(last))} ms`)
  expect(searched(last)).toBeLessThan(2000)
  expect(await listening(a.host, '224.0.0.251')).toEqual(['eth0'])
  expect(await listening(a.host, 'ff02::fb')).toEqual(['eth0'])
  await healthy(c)
  expect(await c.status()).toMatchObject({ discovery: { interfaces: ['eth0'] } })

  for (const each of all) await until('its view is saved', async () => (await savedRecords(each)) === 3, { within: seconds(60) })
  for (const daemon of [...first, last]) daemon.signal('SIGKILL')
  await Promise.all([...first, last].map(async ({ exit }) => exit))
  for (const { host } of all) await host.run(['ip', 'link', 'delete', 'dev', DEVICE])
  for (const { host } of all) member(mesh, host, undefined).up()
  await converged(all)
})

test('two meshes on one wire never meet: one by IPv4, one by IPv6', async () => {
  await using mesh = await initMesh()
  await using other = await initMesh()
  await using net = await openSwitch()
  const ours = [await resident(net, mesh, 'a', 4), await resident(net, mesh, 'b', 5)]
  const six = async (name: string, number: number): Promise<Member> =>
    member(other, await net.host(name, `fd00:226::${String(number)}/64`), `192.168.234.${String(number)}/23`, undefined, 'on the LAN')
  const theirs = [await six('c', 6), await six('d', 7)]
  const daemons = [...ours, ...theirs].map((each) => each.up())
  await converged(ours)
  await converged(theirs)
  for (const each of [...ours, ...theirs]) {
    const { members, dropped, discovery } = await each.status()
    expect([members.length, dropped, discovery.candidates <= 1]).toEqual([2, {}, true])
  }
  expect(daemons.flatMap(messages).filter((line) => line.includes('dropped'))).toEqual([])
})

test('an interface that comes later is picked up; until then it is said once that nobody can be found', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const [a, b] = [await resident(net, mesh, 'a', 4), await resident(net, mesh, 'b', 5)]
  a.up()
  const daemon = b.up('--discover', 'eth1')
  const lacking = 'there is no interface eth1 yet; name a member with --seed'
  await says(daemon, lacking)
  await run(['ip', 'link', 'add', 'name', 'port-later', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', 'b'])
  await run(['ip', 'link', 'set', 'dev', 'port-later', 'master', 'sw0', 'up'])
  await b.host.run(['ip', 'link', 'set', 'dev', 'eth1', 'up'])
  await b.host.run(['ip', 'address', 'add', '192.168.226.15/24', 'dev', 'eth1'])
  await converged([a, b])
  expect(await listening(b.host, '224.0.0.251')).toEqual(['eth1'])
  expect(messages(daemon).filter((line) => line.includes(lacking))).toHaveLength(1)
})

test('a seed that is a name is looked up at each try, and all that it stands for are tried', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const hosts = join(mesh.directory, 'hosts')
  await writeFile(hosts, '127.0.0.1 localhost\n192.168.226.77 members.test\n')
  await run(['mount', '--bind', hosts, '/etc/hosts'])
  await using _mount = { [Symbol.asyncDispose]: async () => void (await run(['umount', '/etc/hosts'])) }
  const a = member(mesh, await net.host('a', '192.168.226.4/24'), '192.168.234.1/23')
  const b = member(mesh, await net.host('b', '192.168.226.5/24'), '192.168.234.2/23')
  a.up()
  const daemon = b.up('--seed', 'members.test')
  await says(daemon, 'seed members.test is not reached: nothing answers there')
  await writeFile(hosts, '127.0.0.1 localhost\n192.168.226.77 members.test\n192.168.226.78 members.test\n192.168.226.4 members.test\n')
  await converged([a, b])
  await healthy(b)
  expect(await b.sees(a)).toMatchObject({ state: 'alive', underlay: '192.168.226.4' })
})

/** Megabytes that a process has in memory. */
async function memoryOf({ pid }: Process): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024
}

test('five thousand forged answers a second cost little, and a newcomer is found all the same', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const [a, b, late] = [await resident(net, mesh, 'a', 4), await resident(net, mesh, 'b', 5), await resident(net, mesh, 'late', 6)]
  const attacker = await net.host('attacker', '192.168.226.50/24')
  for (let number = 51; number < 250; number++)
    await attacker.run(['ip', 'address', 'add', `192.168.226.${String(number)}/24`, 'dev', 'eth0'])
  const daemon = a.up()
  b.up()
  await converged([a, b])
  const { mesh: id } = await a.status()
  const before = await memoryOf(daemon)
  const flood = attacker.start(['node', join(import.meta.dirname, 'flood.ts'), id, '5000', 'stranger'])
  const shouted = async (): Promise<unknown> => Number(flood.lines.at(-1)?.replace(/\D/g, '')) >= 50_000 || flood.lines
  await until('it was flooded for ten seconds', shouted, { within: seconds(60) })
  const spent = (await memoryOf(daemon)) - before
  const newcomer = late.up()
  await converged([a, b, late])
  console.log(`under a flood: found within ${String(searched(newcomer))} ms; ${spent.toFixed(1)} MB more`)
  expect(searched(newcomer)).toBeLessThan(15_000)
  expect(spent).toBeLessThan(8)
  const { discovery } = await a.status()
  expect(discovery.candidates).toBeLessThanOrEqual(2)
  expect((await late.status()).discovery.dials).toBeLessThanOrEqual(4)
})
