/** What would be done, told before it is: with a daemon, and without one from what the last one knew. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { converged, DEVICE, type Member } from './member.ts'
import { seesState, started, trio } from './trio.ts'

/** What `vxmesh plan` prints and how it exits, on a host whose daemon may have ended. */
async function planOf(member: Member): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const { code, stdout, stderr } = await member.vxmesh('plan', '--state-dir', member.stateDirectory)
  expect(stderr).toBe('')
  return { code, lines: stdout.trimEnd().split('\n') }
}

const NOTHING = { code: 0, lines: [`# nothing to do: ${DEVICE} has what it should`] }

test('a plan names what a stopped daemon would do, its commands do just that, and then there is nothing to do', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  const [, daemon] = await started(hosts)
  await until('nothing is to be done', async () => JSON.stringify(await planOf(first)) === JSON.stringify(NOTHING) || planOf(first), {
    within: seconds(30),
  })
  daemon.signal('SIGTERM')
  expect(await daemon.exit).toBe(0)
  expect(await planOf(first)).toEqual(NOTHING)

  await first.host.run(['bridge', 'fdb', 'delete', '00:00:00:00:00:00', 'dst', bastion.underlay, 'dev', DEVICE])
  await first.host.run(['ip', 'neighbour', 'delete', '192.168.234.3', 'dev', DEVICE])
  const { code, lines } = await planOf(first)
  expect(code).toBe(2)
  expect(lines).toEqual([
    `bridge fdb append 00:00:00:00:00:00 dst ${bastion.underlay} dev ${DEVICE}`,
    expect.stringMatching(
      new RegExp(`^ip neighbour replace 192\\.168\\.234\\.3 lladdr [0-9a-f:]+ dev ${DEVICE} nud permanent protocol 118$`),
    ),
  ])
  expect(await first.flood()).toEqual([second.underlay])
  for (const line of lines) await first.host.run(line.split(' '))
  expect(await planOf(first)).toEqual(NOTHING)

  await first.host.run(['ip', 'link', 'delete', 'dev', DEVICE])
  const whole = await planOf(first)
  expect(whole.code).toBe(2)
  expect(whole.lines[0]).toBe(`ip link add name ${DEVICE} mtu 1450 type vxlan id 16 local ${first.underlay} dstport 4789 learning`)
  for (const line of whole.lines) await first.host.run(line.split(' '))
  expect(await planOf(first)).toEqual(NOTHING)
  first.up()
  await seesState(bastion, first, 'alive')
  await converged(hosts.all)
  await until('the tunnel that was made by hand is pinged through', async () => first.pings('192.168.234.1'), { within: seconds(30) })
})
