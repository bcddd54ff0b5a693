/** Rotation of the mesh key on the real kernel: the command, what it says, and that no ping is lost all along. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { converged, MAIN, member, messages, type Member } from './member.ts'
import { seesState, started, trio } from './trio.ts'

const OVERLAP = 20

/** Which key of the mesh its invite was certified by, as another sees it. */
const issuerOf = async (at: Member, of: Member): Promise<string | null | undefined> => (await at.sees(of))?.issuer

test('the mesh key is rotated while members forward, are away and come: no ping is lost, and the key before ends', async () => {
  await using hosts = await trio()
  const { net, mesh, bastion, first, second } = hosts
  const newcomer = member(mesh, await net.host('newcomer', '192.168.226.7/24'), '192.168.234.7/23')
  const [, , away] = await started(hosts)
  const ping = bastion.host.start(['ping', '-q', '-i', '0.01', '192.168.234.2'])
  away.signal('SIGTERM')
  await away.exit
  await seesState(bastion, second, 'restarting')

  const rotate = async () => bastion.vxmesh('key', 'rotate', '--dir', mesh.directory, '--overlap', `${String(OVERLAP)}s`, '--wait', '1')
  const begun = Date.now()
  const outcome = await rotate()
  const { rotation, mesh: id } = await bastion.status()
  expect(outcome).toMatchObject({ code: 1, stdout: expect.stringContaining(`the key of the mesh is ${rotation?.key ?? '?'} from now on`) })
  expect(outcome.stdout).toContain('in force at 2 of 3 live members\n')
  expect(outcome.stderr).toMatch(/^vxmesh: not in force yet at host-01 \(restarting\): /)
  expect([await issuerOf(bastion, first), await issuerOf(first, bastion), await issuerOf(bastion, second)]).toEqual([
    rotation?.key,
    rotation?.key,
    id,
  ])
  expect((await first.status()).health.join()).toContain('host-01 is certified by a former key of the mesh')

  second.up()
  await until('the one that was away has taken the new key up', async () => (await issuerOf(bastion, second)) === rotation?.key, {
    within: seconds(30),
  })
  expect(await rotate()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is under way until .*\n(.*\n)*in force at 3 of 3 live members\n$/),
  })

  await until('the overlap is over', () => Date.now() > begun + 1000 * OVERLAP + 500, { within: seconds(40) })
  const refused = newcomer.up('--seed', '192.168.226.4')
  await until(
    'an invite of the key before admits nobody',
    () => messages(refused).some((line) => line.includes('closed the connection before it admitted us')),
    { within: seconds(30) },
  )
  expect(await bastion.sees(newcomer)).toBeUndefined()
  const invite = join(mesh.directory, 'new.invite')
  await writeFile(invite, await bastion.host.run(['node', MAIN, 'invite', '--dir', mesh.directory]))
  const joined = await newcomer.vxmesh('join', invite, '--state-dir', newcomer.stateDirectory)
  expect(joined).toMatchObject({ code: 0, stderr: '' })
  await converged([bastion, first, second, newcomer])
  expect(await newcomer.pings('192.168.234.3')).toBe(true)

  ping.signal('SIGINT')
  await ping.exit
  expect(ping.lines.join('\n')).toMatch(/^(\d{3,}) packets transmitted, \1 received, 0% packet loss/m)
})
