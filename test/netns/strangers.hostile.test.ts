/** Strangers in numbers at the port of a daemon: its members notice nothing, and whoever belongs there gets in. */
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openSwitch, until } from './harness.ts'
import { converged, initMesh, member, messages, started } from './member.ts'
import { used } from './used.ts'

const SOURCES = 26

/** What the attacker's program says every second, of all that it did. */
const done = z.object({ knocks: z.number(), greeted: z.number() })

test('a thousand strangers a second from 26 addresses keep nobody out, and cost neither memory nor the log', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), '192.168.234.3/23')
  const hostile = await net.host('hostile', '192.168.226.100/24')
  for (let count = 1; count < SOURCES; count++)
    await hostile.run(['ip', 'address', 'add', `192.168.226.${String(100 + count)}/24`, 'dev', 'eth0'])
  const daemon = bastion.up()
  first.up('--seed', bastion.underlay)
  await converged([bastion, first])

  const [before, said] = [await used(daemon.pid), messages(daemon).length]
  const attack = hostile.start(['node', join(import.meta.dirname, 'strangers.ts'), bastion.underlay, '1000'])
  await until('strangers knock', () => attack.lines.length >= 3 || attack.lines, { within: seconds(30) })
  const start = await used(daemon.pid)
  const began = performance.now()
  await until('they have for a while', () => attack.lines.length >= 11 || attack.lines, { within: seconds(30) })
  const end = await used(daemon.pid)
  const share = (end.cpu - start.cpu) / ((performance.now() - began) / 1000)
  const newcomer = second.up('--seed', bastion.underlay)
  await started(newcomer)
  const joined = await converged([bastion, first, second], seconds(6))
  const after = await used(daemon.pid)
  const lines = messages(daemon).slice(said)
  const strange = lines.filter((line) => line.includes('was dropped'))
  console.log(
    `a join took ${String(Math.round(joined))} ms; the daemon ${String(Math.round(share * 100))} % of a core, ` +
      `${String(Math.round(after.megabytes - before.megabytes))} MB more, ${String(strange.length)} lines: ${attack.lines.at(-1) ?? ''}`,
  )
  const { knocks, greeted } = done.parse(JSON.parse(attack.lines.at(-1) ?? ''))
  expect(knocks).toBeGreaterThan(500 * attack.lines.length)
  expect(greeted).toBeGreaterThan(0)
  expect(share).toBeLessThanOrEqual(0.6)
  expect(after.megabytes - before.megabytes).toBeLessThanOrEqual(32)
  expect(strange.length).toBeLessThanOrEqual(10)
  expect(lines.filter((line) => /is (suspect|dead|restarting)/.test(line))).toEqual([])
  expect((await bastion.sees(first))?.state).toBe('alive')
})
