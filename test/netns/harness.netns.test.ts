import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until, type Host } from './harness.ts'
import { run } from './process.ts'

const ping = (target: string): readonly string[] => ['ping', '-c', '1', '-W', '1', target]

async function pair(): Promise<AsyncDisposable & { readonly bastion: Host; readonly other: Host }> {
  const net = await openSwitch()
  const bastion = await net.host('bastion', '192.168.226.4/24')
  const other = await net.host('host-00', '192.168.226.5/24')
  return { bastion, other, [Symbol.asyncDispose]: net.dispose }
}

test('two hosts reach each other over the switch, until the link of one goes down, and again when it is up', async () => {
  await using net = await pair()
  await net.bastion.run(ping('192.168.226.5'))
  await net.other.linkDown()
  expect(await net.bastion.outcome(ping('192.168.226.5'))).toMatchObject({ code: 1 })
  expect(await net.other.run(['ip', 'link', 'show', 'dev', 'eth0'])).toContain('NO-CARRIER')
  await net.other.linkUp()
  await until('the ping passes again', async () => (await net.bastion.outcome(ping('192.168.226.5'))).code === 0, { within: seconds(10) })
})

test('an IPv6 address works at once', async () => {
  await using net = await openSwitch()
  const bastion = await net.host('bastion', '2001:db8::4/64')
  await net.host('host-00', '2001:db8::5/64')
  await until('the ping passes', async () => (await bastion.outcome(ping('2001:db8::5'))).code === 0, { within: seconds(5) })
})

test('there is no way out', async () => {
  await using net = await pair()
  expect(await run(['ip', 'route', 'show', 'default'])).toBe('')
  expect(await net.bastion.run(['ip', 'route', 'show'])).toMatch(/^192\.168\.226\.0\/24 dev eth0 [^\n]*\n$/)
  expect((await net.bastion.outcome(ping('192.0.2.1'))).stderr).toContain('Network is unreachable')
})

test('a monitor misses nothing from the moment it is there', async () => {
  await using net = await pair()
  await net.bastion.run(['ip', 'link', 'add', 'name', 'vx', 'type', 'vxlan', 'id', '16', 'local', '192.168.226.4', 'dstport', '4789'])
  const monitor = await net.bastion.monitor()
  await net.bastion.run(['bridge', 'fdb', 'append', 'to', '00:00:00:00:00:00', 'dst', '192.168.226.5', 'dev', 'vx'])
  await net.bastion.run(['bridge', 'fdb', 'delete', 'to', '00:00:00:00:00:00', 'dst', '192.168.226.5', 'dev', 'vx'])
  const entry = '00:00:00:00:00:00 dev vx dst 192.168.226.5 self permanent'
  await until('both changes are seen', () => monitor.lines.length === 2 || monitor.lines, { within: seconds(2) })
  expect(monitor.lines).toEqual([entry, `Deleted ${entry}`])
})

test('a program keeps its process id, its output and the way it ended', async () => {
  await using net = await pair()
  const talker = net.bastion.start(['sh', '-c', 'echo "$$ $WORD"; echo oops >&2; exec sleep 60'], { env: { WORD: 'hello' } })
  await until('it spoke', () => talker.lines.length === 2 || talker.lines, { within: seconds(5) })
  expect(talker.lines.toSorted()).toEqual([`${String(talker.pid)} hello`, 'oops'].toSorted())
  talker.signal('SIGTERM')
  expect(await talker.exit).toBe('SIGTERM')
  talker.signal('SIGKILL')
  expect(await net.bastion.start(['false']).exit).toBe(1)
})

test('a command that fails says which, and with what words', async () => {
  await using net = await pair()
  await expect(net.bastion.run(['ip', 'link', 'show', 'dev', 'nothing'])).rejects.toThrow(
    /ip link show dev nothing: exit 1\nDevice "nothing" does not exist/,
  )
  await expect(until('pigs fly', () => 'no pigs', { within: seconds(0) })).rejects.toThrow('pigs fly\nlast seen: no pigs')
})

test('after it, nothing is left', async () => {
  const net = await openSwitch()
  const host = await net.host('bastion', '192.168.226.4/24')
  const left = host.start(['sh', '-c', 'sleep 1000 & exec sleep 1000'])
  await net.dispose()
  expect(await left.exit).toBe('SIGKILL')
  expect(await run(['ip', 'netns', 'list'])).toBe('')
  expect(await run(['ip', '-brief', 'link', 'show'])).toMatch(/^lo [^\n]*\n$/)
})
