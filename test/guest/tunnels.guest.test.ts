/** A daemon with a tunnel of VXLAN and one of multipoint GRE, of one number, and a host that has only the second. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { openSwitch, until } from '../netns/harness.ts'
import { initMesh, member, type Member } from '../netns/member.ts'

/** Node takes its time to start here. */
const WITHIN = { within: seconds(90) }

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

test('VXLAN id 16 and GRE key 16 are two tunnels of one daemon, each with its own members', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), undefined)
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), undefined)
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), undefined)
  await bastion.carry(`tunnels:\n${vxlan(1)}${gre(1)}`)
  await first.carry(`seeds: [192.168.226.4]\ntunnels:\n${gre(2)}${vxlan(2)}`)
  await second.carry(`seeds: [192.168.226.4]\ntunnels:\n${gre(3)}`)
  // A member of VXLAN has three entries, one of GRE two, beside the two halves of the network that are unreachable.
  await carries(bastion, ['provider0', 'vxlan', 16, 3, 3], ['provider1', 'gre', 16, 6, 6])
  await carries(first, ['provider1', 'gre', 16, 6, 6], ['provider0', 'vxlan', 16, 3, 3])
  await carries(second, ['provider1', 'gre', 16, 6, 6])
  expect(await bastion.pings('192.168.234.2')).toBe(true)
  for (const at of [bastion, first, second])
    for (const number of [1, 2, 3]) expect(await at.pings(`192.168.240.${String(number)}`)).toBe(true)
  expect(await bastion.sees(second)).toMatchObject({ tunnels: [{ device: 'provider1', port: null, mac: null, mtu: 1472 }], note: null })
  expect((await bastion.status()).health).toEqual([])
  expect((await bastion.vxmesh('leave')).stdout).toMatch(
    /^left the mesh; 3 entries removed from provider0\n[^]*6 entries removed from provider1\n/,
  )
})
