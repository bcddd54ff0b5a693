/** Daemons with a tunnel of VXLAN and one of multipoint GRE, both of one number. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until } from '../netns/harness.ts'
import { initMesh, member, type Member } from '../netns/member.ts'

/** Node takes its time to start here, and so does each look. */
const WITHIN = { within: seconds(240), every: seconds(2) }

const vxlan = (number: number): string =>
  `  provider0: { id: 16, local: 192.168.226.${String(number + 3)}, addresses: [192.168.234.${String(number)}/24] }\n`
const gre = (number: number): string =>
  `  provider1: { mode: gre, key: 16, local: 192.168.226.${String(number + 3)}, addresses: [192.168.240.${String(number)}/24] }\n`

async function carries(at: Member, ...wanted: readonly unknown[]): Promise<void> {
  const carried = async (): Promise<unknown> => {
    const { tunnels } = await at.status()
    const found = tunnels.map(({ device, mode, id, entries }) => [device, mode, id, entries.wanted, entries.present])
    return JSON.stringify(found) === JSON.stringify(wanted) || tunnels
  }
  await until(`${at.host.name} has its entries`, carried, WITHIN)
}

test('VXLAN id 16 and GRE key 16 are two tunnels of one daemon', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), undefined)
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), undefined)
  await bastion.carry(`tunnels:\n${vxlan(1)}${gre(1)}`)
  await first.carry(`seeds: [192.168.226.4]\ntunnels:\n${gre(2)}${vxlan(2)}`)
  // A member of VXLAN has three entries, one of GRE two, beside the two halves of the network that are unreachable.
  await carries(bastion, ['provider0', 'vxlan', 16, 3, 3], ['provider1', 'gre', 16, 4, 4])
  await carries(first, ['provider1', 'gre', 16, 4, 4], ['provider0', 'vxlan', 16, 3, 3])
  for (const network of ['192.168.234', '192.168.240'])
    await until(`${network} is pinged through`, async () => (await bastion.pings(`${network}.2`)) && first.pings(`${network}.1`), WITHIN)
  const gone = 'left the mesh; 3 entries removed from provider0'
  expect(await bastion.vxmesh('leave')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`^${gone}\\n[^]*; 4 entries removed from provider1\\n`)),
  })
  await carries(first, ['provider1', 'gre', 16, 2, 2], ['provider0', 'vxlan', 16, 0, 0])
})
