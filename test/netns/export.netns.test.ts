/** Leaving without lock-in: what `vxmesh export` writes carries the tunnel when no daemon is left. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until, type Host } from './harness.ts'
import { DEVICE } from './member.ts'
import { canNetworkd, networkd } from './networkd.ts'
import { started, trio, type Trio } from './trio.ts'

const OVERLAYS = ['192.168.234.1', '192.168.234.2', '192.168.234.3']

/** The guard of the first host. */
async function guardOf({ bastion }: Trio): Promise<string> {
  return bastion.host.run(['nft', '--stateless', 'list', 'table', 'inet', `vxmesh-${DEVICE}`])
}

/** Exports from the first host, which has a guard, ends every daemon without a word, and deletes what they made. */
async function leftBehind(hosts: Trio): Promise<{ readonly directory: string; readonly guard: string }> {
  const daemons = await started(hosts, '--guard', 'on')
  const directory = join(hosts.mesh.directory, 'export')
  const exported = await hosts.bastion.vxmesh('export', '--dir', directory)
  expect(exported).toMatchObject({ code: 0, stderr: '' })
  expect(exported.stdout.trimEnd().split('\n')).toHaveLength(13)
  expect((await hosts.bastion.vxmesh('export')).stdout).toBe(readFileSync(join(directory, 'bastion', `${DEVICE}.sh`), 'utf8'))
  expect((await hosts.bastion.vxmesh('export', '--dir', directory)).code).toBe(78)
  for (const daemon of daemons) daemon.signal('SIGTERM')
  await Promise.all(daemons.map(async ({ exit }) => exit))
  for (const { host } of hosts.all) await host.run(['ip', 'link', 'delete', 'dev', DEVICE])
  const guard = await guardOf(hosts)
  await hosts.bastion.host.run(['nft', 'flush', 'ruleset'])
  return { directory, guard }
}

async function allPing({ all }: Trio): Promise<unknown> {
  const answers = await Promise.all(all.flatMap((from) => OVERLAYS.map(async (overlay) => from.pings(overlay))))
  return answers.every(Boolean) || answers
}

const scripts = {
  what: "shell scripts, in the recipe's own words,",
  apply: async (host: Host, directory: string) => host.run(['sh', join(directory, `${DEVICE}.sh`)]),
}
const networkdFiles = {
  what: 'files of systemd-networkd',
  apply: async (host: Host, directory: string) => {
    await host.run(['sh', '-euc', 'for each in "$1"/*.nft; do [ ! -e "$each" ] || nft -f "$each"; done', 'sh', directory])
    networkd(host, directory)
  },
}

const carriers = canNetworkd ? [scripts, networkdFiles] : [scripts]

test.each(carriers)('the exported $what carry the tunnel alone, with the guard of who exported it', async ({ apply }) => {
  await using hosts = await trio()
  const { directory, guard } = await leftBehind(hosts)
  await Promise.all(hosts.all.map(async ({ host }) => apply(host, join(directory, host.name))))
  expect(await guardOf(hosts)).toBe(guard)
  await until('every host pings every other', async () => allPing(hosts), { within: seconds(60) })
  expect(await Promise.all(hosts.all.map(async (each) => each.flood()))).toEqual(
    hosts.all.map((own) => hosts.all.filter((other) => other !== own).map(({ underlay }) => underlay)),
  )
  expect(await hosts.bastion.host.run(['ip', '-details', 'link', 'show', 'dev', DEVICE])).toContain(' srcport 600 1023 ')
})
