/** A member that floods another with what makes no sense, or no difference. */
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until } from './harness.ts'
import { converged, initMesh, member, messages } from './member.ts'
import { used } from './used.ts'

const WAYS = ['malformed', 'rubbish', 'empty', 'again', 'asking', 'replays', 'boasting', 'accusing']

test('a member that floods a daemon with what cannot be believed, or is of no use, is cut off and holds up nobody', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), '192.168.234.3/23')
  const hostile = await net.host('hostile', '192.168.226.100/24')
  const daemon = bastion.up()
  first.up('--seed', bastion.underlay)
  await converged([bastion, first])
  const said = messages(daemon).length
  const attack = (way: string) =>
    hostile.start(['node', join(import.meta.dirname, 'insider.ts'), mesh.invite, bastion.underlay, way, '1000'])

  for (const way of WAYS) {
    const process = attack(way)
    const cut = (): number | undefined => process.lines.flatMap((line) => /^cut off after (\d+) ms/.exec(line)?.[1] ?? []).map(Number)[0]
    await until(`${way} frames are noticed`, () => cut() !== undefined || process.lines, { within: seconds(30) })
    console.log(`${way}: ${process.lines.findLast((line) => line.startsWith('cut')) ?? ''}`)
    expect(cut()).toBeLessThanOrEqual(2000)
    // From its address it would go on knocking, and the next would wait behind it.
    process.signal('SIGKILL')
    await process.exit
  }

  const last = attack('asking')
  await until('it asks', () => last.lines.length >= 1 || last.lines, { within: seconds(30) })
  const [start, began] = [await used(daemon.pid), performance.now()]
  const newcomer = second.up('--seed', bastion.underlay)
  await until('the newcomer is up', () => messages(newcomer).some((line) => line.includes(' is up: ')) || messages(newcomer), {
    within: seconds(30),
  })
  const joined = await converged([bastion, first, second], seconds(4))
  const share = ((await used(daemon.pid)).cpu - start.cpu) / ((performance.now() - began) / 1000)
  console.log(`a join took ${String(Math.round(joined))} ms, the daemon ${String(Math.round(share * 100))} % of a core`)
  const lines = messages(daemon).slice(said)
  expect(lines.filter((line) => /member (host-00|host-01) .* is (suspect|dead|restarting)/.test(line))).toEqual([])
  expect(lines.filter((line) => line.includes('was dropped')).length).toBeLessThanOrEqual(2 * (WAYS.length + 1))
})
