/** What is wrong is said in one line that names it, with the exit code of its kind, and nothing is touched. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until, type Switch } from './harness.ts'
import { converged, DEVICE, http, initMesh, MAIN, member, messages, type Member, type Mesh } from './member.ts'

type Single = AsyncDisposable & { readonly net: Switch; readonly mesh: Mesh; readonly bastion: Member }

async function single(): Promise<Single> {
  const net = await openSwitch()
  const mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const dispose = async (): Promise<void> => {
    await net.dispose()
    await mesh[Symbol.asyncDispose]()
  }
  return { net, mesh, bastion, [Symbol.asyncDispose]: dispose }
}

/** Starts a daemon that must not start: its exit code, the one line it says, and that no device was made. */
async function refused(at: Member, ...flags: readonly string[]): Promise<{ readonly code: unknown; readonly line: string }> {
  const links = async (): Promise<string> => at.host.run(['ip', '-details', 'link', 'show'])
  const before = await links()
  const daemon = at.up(...flags)
  const code = await daemon.exit
  expect(await links()).toBe(before)
  expect(daemon.lines).toHaveLength(1)
  return { code, line: daemon.lines[0] ?? '' }
}

test.each([
  ['an id that is none', ['--id', '16777216'], 2, /^vxmesh: --id 16777216: /],
  ['a local address of another host', ['--local', '192.168.226.77'], 78, /^vxmesh: --local 192\.168\.226\.77: not an address of this host/],
  ['an invite that is not there', ['--invite', '/nowhere/mesh.invite'], 78, /^vxmesh: --invite \/nowhere\/mesh\.invite: /],
] as const)('%s is refused', async (_what, flags, code, line) => {
  await using hosts = await single()
  const outcome = await refused(hosts.bastion, ...flags)
  expect(outcome).toEqual({ code, line: expect.stringMatching(line) })
})

test.each([
  ['another kind', ['type', 'bridge'], /provider0/],
  ['another id', ['type', 'vxlan', 'id', '17', 'local', '192.168.226.4', 'dstport', '4789'], /17/],
  ['another local address', ['type', 'vxlan', 'id', '16', 'local', '192.168.226.9', 'dstport', '4789'], /192\.168\.226\.9/],
] as const)('a device of that name with %s is refused and left as it is', async (_what, kind, line) => {
  await using hosts = await single()
  const { host } = hosts.bastion
  await host.run(['ip', 'link', 'add', 'name', DEVICE, ...kind])
  const outcome = await refused(hosts.bastion)
  expect(outcome).toEqual({ code: 78, line: expect.stringMatching(line) })
})

test('a damaged invite is refused, and so is one of another mesh where there is a membership already', async () => {
  await using hosts = await single()
  await using other = await initMesh()
  const { bastion, mesh } = hosts
  const damaged = join(mesh.directory, 'damaged')
  await writeFile(damaged, 'vxmesh-invite-1-AAAAAAAAAAAA')
  expect(await refused(bastion, '--invite', damaged)).toMatchObject({ code: 78, line: expect.stringContaining('checksum') })
  const daemon = bastion.up()
  await until('it is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
  daemon.signal('SIGTERM')
  await daemon.exit
  expect(await refused(bastion, '--invite', other.invite)).toMatchObject({
    code: 78,
    line: expect.stringContaining('each mesh its own --state-dir'),
  })
})

test('a second daemon is refused: on the same control socket, state directory or device', async () => {
  await using hosts = await single()
  const { bastion, mesh } = hosts
  bastion.up()
  await until('it is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
  const elsewhere = (name: string): string => join(mesh.directory, name)
  const flags = ['--port', '4799']
  expect(await refused(bastion, ...flags, '--state-dir', elsewhere('s2'))).toMatchObject({
    code: 75,
    line: expect.stringContaining('control socket'),
  })
  const state = ['--control', elsewhere('c2.sock')]
  expect(await refused(bastion, ...flags, ...state)).toMatchObject({ code: 75, line: expect.stringContaining('state directory') })
  expect(await refused(bastion, ...flags, ...state, '--state-dir', elsewhere('s3'))).toMatchObject({
    code: 75,
    line: expect.stringContaining('device provider0'),
  })
  expect(await refused(bastion)).toMatchObject({ code: 75, line: expect.stringContaining('control socket') })
  expect((await bastion.status()).version).toBe(1)
})

test('a socket that a killed daemon left behind stops nobody', async () => {
  await using hosts = await single()
  const { bastion } = hosts
  const daemon = bastion.up()
  await until('it is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
  daemon.signal('SIGKILL')
  await daemon.exit
  bastion.up()
  await until('the next is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
})

test.each([
  ['without CAP_NET_ADMIN', ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-all', '--'], 'CAP_NET_ADMIN'],
  ['without bridge', ['unshare', '--mount', '--', 'sh', '-c', 'mount -t tmpfs tmpfs /usr/sbin && exec "$@"', 'sh'], 'iproute2'],
] as const)('%s it says so before anything starts', async (_what, wrapper, named) => {
  await using hosts = await single()
  const { bastion, mesh } = hosts
  const up = ['up', '--invite', mesh.invite, '--device', DEVICE, '--id', '16', '--local', '192.168.226.4', '--state-dir', mesh.directory]
  const outcome = await bastion.host.outcome([...wrapper, process.execPath, MAIN, ...up, '--control', bastion.control])
  expect(outcome).toMatchObject({ code: 77, stdout: '', stderr: expect.stringContaining(named) })
  expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('a stranger is refused and told nothing; noise on the port hurts nobody', async () => {
  await using otherMesh = await initMesh()
  await using hosts = await single()
  const { bastion, net } = hosts
  const stranger = member(otherMesh, await net.host('stranger', '192.168.226.66/24'), '192.168.234.66/23')
  const friend = member(hosts.mesh, await net.host('friend', '192.168.226.5/24'), '192.168.234.2/23')
  const daemon = bastion.up()
  await until('it is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
  const uninvited = stranger.up('--seed', '192.168.226.4')
  await until(
    'it is told so',
    () => messages(uninvited).some((line) => line.includes('closed the connection before it admitted us')) || uninvited.lines,
    {
      within: seconds(60),
    },
  )
  expect((await stranger.status()).members).toHaveLength(1)
  const noise = `for i in $(seq 50); do head -c 4096 /dev/urandom | timeout 1 bash -c 'cat > /dev/tcp/192.168.226.4/4788'; done; true`
  await stranger.host.outcome(['bash', '-c', noise])
  friend.up('--seed', '192.168.226.4')
  await converged([bastion, friend])
  const report = await bastion.status()
  expect(report.members.map(({ name }) => name)).toEqual(['bastion', 'friend'])
  expect(Object.keys(report.dropped)).toContain('not admitted: certificate of another mesh')
  const complaints = messages(daemon).filter((line) => line.includes('not admitted'))
  expect(complaints).toHaveLength(1)
})

test('the control socket takes no long request and no other verb', async () => {
  await using hosts = await single()
  const { bastion } = hosts
  bastion.up()
  await until('it is up', async () => (await bastion.status()).version === 1, { within: seconds(60) })
  expect((await http(bastion.control, 'GET', '/v1/nonsense')).code).toBe(404)
  expect((await http(bastion.control, 'POST', '/v1/status')).code).toBe(404)
  expect((await http(bastion.control, 'POST', '/v1/leave', JSON.stringify('x'.repeat(5000)))).code).toBe(413)
  expect((await bastion.status()).members).toHaveLength(1)
})
