/** Revocation on the real kernel: the command, what it does everywhere, and that it stays done. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { converged, member, messages, when, type Member } from './member.ts'
import { seesState, started, trio } from './trio.ts'

async function gone(at: Member, other: Member): Promise<unknown> {
  const [flood, seen] = [await at.flood(), await at.sees(other)]
  return (!flood.includes(other.underlay) && seen?.state === 'evicted') || { flood, seen }
}

test('a revoked member is out at once everywhere, stays out when it starts again, and is out at one that was away', async () => {
  await using hosts = await trio()
  const { net, mesh, bastion, first, second } = hosts
  const away = member(mesh, await net.host('away', '192.168.226.7/24'), '192.168.234.7/23')
  const [one, two, daemon] = await started(hosts)
  const stopped = away.up('--seed', '192.168.226.4')
  await converged([...hosts.all, away])
  stopped.signal('SIGTERM')
  await stopped.exit
  await seesState(bastion, away, 'restarting')
  await seesState(first, away, 'restarting')

  const revoke = async () => bastion.vxmesh('revoke', 'host-01', '--dir', mesh.directory, '--wait', '5')
  const outcome = await revoke()
  expect(outcome).toMatchObject({ code: 1, stdout: expect.stringMatching(/^revoked host-01 \(12D3.*\): it is a member no more\n/) })
  expect(outcome.stdout).toContain('enforced by 2 of 3 live members\n')
  expect(outcome.stderr).toMatch(/^vxmesh: not enforced yet by away \(restarting\): /)
  for (const at of [bastion, first]) expect(await gone(at, second)).toBe(true)
  const removed = [one, two].map((each) =>
    when(each, ({ operation, entry }) => operation === 'remove' && entry === `flood ${second.underlay}`),
  )
  const begun = when(one, ({ event }) => event === 'evicted') ?? 0
  const took = Math.max(...removed.map((at) => at ?? Infinity)) - begun
  console.log(`revoked: entries gone at ${String(removed.length)} live members within ${String(took)} ms`)
  expect(took).toBeLessThan(1000)

  await until('the revoked one has removed its own entries', async () => (await second.flood()).length === 0 || second.flood(), {
    within: seconds(10),
  })
  expect((await second.status()).health.join()).toContain('this host is a member no more')
  daemon.signal('SIGTERM')
  await daemon.exit
  const again = second.up('--seed', '192.168.226.4')
  await until('it is up again', () => messages(again).some((text) => text.includes('is up')), { within: seconds(30) })
  expect((await second.status()).health.join()).toContain('this host is a member no more')
  again.signal('SIGTERM')
  await again.exit
  await rm(join(second.stateDirectory, 'evictions.json'))
  second.up('--seed', '192.168.226.4')
  await until('it is told at the door', async () => (await second.status()).health.join().includes('this host is a member no more'), {
    within: seconds(30),
  })

  away.up()
  await until('the one that was away has learnt it', async () => gone(away, second), { within: seconds(30) })
  expect(await revoke()).toMatchObject({ code: 0, stdout: expect.stringContaining('enforced by 3 of 3 live members\n') })
  one.signal('SIGKILL')
  await one.exit
  const restarted = bastion.up()
  await until('it is up again', () => messages(restarted).some((text) => text.includes('is up')), { within: seconds(30) })
  await converged([bastion, first, away])
  expect(await gone(bastion, second)).toBe(true)
  expect(await second.flood()).toEqual([])
})

test('a revoked invite takes with it all who came by it, and a name that two have is not guessed', async () => {
  await using hosts = await trio()
  const { net, mesh, bastion, first } = hosts
  const twin = member(mesh, await net.host('twin', '192.168.226.7/24'), '192.168.234.7/23')
  bastion.up()
  first.up('--seed', '192.168.226.4')
  twin.up('--seed', '192.168.226.4', '--name', 'host-00')
  await converged([bastion, first, twin])
  const refused = await bastion.vxmesh('revoke', 'host-00', '--dir', mesh.directory)
  expect(refused).toMatchObject({ code: 2, stdout: '' })
  const { members } = await bastion.status()
  for (const { peer, name } of members) expect(refused.stderr.includes(peer)).toBe(name === 'host-00')
  expect(await bastion.vxmesh('revoke', '--invite', members[0]?.invite ?? '', '--dir', mesh.directory)).toMatchObject({ code: 2 })
})
