/** A cold start of a rack: every host starts in the same moment, all know one address, and nobody was there before. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until, type Switch } from './harness.ts'
import { initMesh, member, messages, type Member, type Mesh } from './member.ts'

/** What two cores can start in the time that all tests have; with more time, `VXMESH_STORM=64`. */
const HOSTS = Number(process.env['VXMESH_STORM'] ?? 24)

async function rack(net: Switch, mesh: Mesh): Promise<readonly Member[]> {
  const hosts: Member[] = []
  for (let index = 0; index < HOSTS; index++) {
    const host = await net.host(`h${String(index)}`, `192.168.226.${String(index + 4)}/24`)
    hosts.push(member(mesh, host, `192.168.234.${String(index + 1)}/23`))
  }
  return hosts
}

/** What a member lacks: flood entries in its kernel, others that are alive in its status. */
async function lacking(at: Member): Promise<string | undefined> {
  const entries = (await at.flood()).length
  if (entries !== HOSTS - 1) return `${at.host.name}: ${String(entries)} entries`
  const alive = (await at.status()).members.filter(({ self, state }) => !self && state === 'alive').length
  return alive === HOSTS - 1 ? undefined : `${at.host.name}: ${String(alive)} alive`
}

test('hosts that start at once, a rack of them, find each other: every kernel floods to all, every status shows all alive', async () => {
  await using mesh = await initMesh()
  await using net = await openSwitch()
  const hosts = await rack(net, mesh)
  const [seed, ...others] = hosts
  const daemons = [seed!.up(), ...others.map((each) => each.up('--seed', seed!.underlay))]
  await until('all are up', () => daemons.every((daemon) => messages(daemon).some((line) => line.includes('is up'))), {
    within: seconds(240),
  })
  // One after the other, and no further than the first that lacks something: looking is work that the daemons would have to wait for.
  let complete = 0
  await until(
    'all have found all',
    async () => {
      for (; complete < hosts.length; complete++) {
        const lack = await lacking(hosts[complete]!)
        if (lack !== undefined) return lack
      }
      return true
    },
    { within: seconds(360) },
  )
  expect(complete).toBe(HOSTS)
}, 660_000)
