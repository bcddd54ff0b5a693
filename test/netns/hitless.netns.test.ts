/**
 * The data plane does not notice what becomes of the daemons: monitors that run all along see nothing of the tunnel change,
 * and of two hundred pings a second none is lost.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from './harness.ts'
import { converged, DEVICE, messages, type Member } from './member.ts'
import type { Process } from './process.ts'
import { seesState, started, trio } from './trio.ts'

const ALL_ANSWERED = '200 packets transmitted, 200 received, 0% packet loss'

/** Pings every 5 ms, and says every second how many were answered. */
function pinging({ host }: Member, overlay: string): Process {
  return host.start(['sh', '-c', 'while ping -q -i 0.005 -c 200 "$1" | grep -o ".*packet loss"; do :; done', 'sh', overlay])
}

/** Waits for so many seconds of pings on all of these. */
async function pinged(pings: readonly Process[], count: number): Promise<void> {
  const before = pings.map(({ lines }) => lines.length)
  const more = (): unknown =>
    pings.every(({ lines }, index) => lines.length >= (before[index] ?? 0) + count) || pings.map((each) => each.lines)
  await until(`${String(count)} s of pings`, more, { within: seconds(60) })
}

/** What a daemon would find that an older version left: less than this one writes. */
async function asOlderVersion({ stateDirectory }: Member): Promise<void> {
  const path = join(stateDirectory, 'state.json')
  const { given: _given, asked: _asked, ...older } = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path, 'utf8')))
  await writeFile(path, JSON.stringify(older))
}

async function ended(daemons: readonly Process[], signal: NodeJS.Signals): Promise<void> {
  for (const daemon of daemons) daemon.signal(signal)
  await Promise.all(daemons.map(async ({ exit }) => exit))
}

test('daemons stop, are killed, are upgraded and start with nobody to reach: nothing is written, and no ping is lost', async () => {
  await using hosts = await trio()
  const { bastion, first, second, all } = hosts
  const daemons = [...(await started(hosts))]
  const present = async (): Promise<unknown> => {
    const tunnels = await Promise.all(all.map(async (each) => (await each.status()).tunnels[0]))
    return tunnels.every((tunnel) => tunnel?.entries.present === 6) || tunnels
  }
  await until('all entries are there', present, { within: seconds(60) })
  const settled = async (): Promise<unknown> => {
    const tentative = await Promise.all(all.map(async ({ host }) => host.run(['ip', 'address', 'show', 'dev', DEVICE, 'tentative'])))
    return tentative.join('') === '' || tentative
  }
  await until('the addresses that the kernel gives devices by itself may be used', settled, { within: seconds(60) })
  const monitors = await Promise.all(
    all.flatMap(({ host }) => [host.monitor(), host.monitor(['ip', 'monitor', 'link', 'address', 'neigh', 'route'])]),
  )
  const pings = [pinging(bastion, '192.168.234.2'), pinging(first, '192.168.234.3')]
  const isBack = async (): Promise<void> => {
    await seesState(bastion, first, 'alive')
    await seesState(first, second, 'alive')
  }

  for (const [signal, meanwhile] of [
    ['SIGTERM', async () => undefined],
    ['SIGKILL', async () => undefined],
    ['SIGTERM', asOlderVersion],
  ] as const) {
    await ended(daemons.splice(1, 1), signal)
    await seesState(bastion, first, 'restarting')
    await meanwhile(first)
    daemons.splice(1, 0, first.up())
    await isBack()
  }

  await ended(daemons.splice(0), 'SIGKILL')
  const alone = first.up()
  await seesState(first, second, 'restarting')
  expect((await first.status()).health.join()).toContain('nothing is taken away meanwhile')
  const said = messages(alone).length
  await pinged(pings, 3)
  expect(
    messages(alone)
      .slice(said)
      .filter((line) => /^(?:ip|bridge) /.test(line)),
  ).toEqual([])
  bastion.up()
  second.up()
  await isBack()
  await converged(all)

  await pinged(pings, 2)
  expect(pings.flatMap(({ lines }) => lines.filter((line) => !line.startsWith(ALL_ANSWERED)))).toEqual([])
  expect(monitors.flatMap(({ lines }) => lines.filter((line) => line.includes(DEVICE)))).toEqual([])
})
