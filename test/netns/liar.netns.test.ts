/** A member that says that it is where another host is, to have everybody's packets sent there. */
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { counter } from './counter.ts'
import { openSwitch, until } from './harness.ts'
import { converged, initMesh, member, messages, type Member } from './member.ts'

const notesOf = async (at: Member): Promise<string | null | undefined> =>
  (await at.status()).members.find(({ name }) => name === 'liar')?.note

test('where a member says that it is nothing is sent before it was found there, or outside of --underlay', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const [liar, victim] = [await net.host('liar', '192.168.226.9/24'), await net.host('victim', '192.168.226.66/24')]
  const came = await counter(victim)
  const daemon = bastion.up()
  const other = first.up('--seed', bastion.underlay, '--underlay', '192.168.226.0/29')
  await converged([bastion, first])

  const program = join(import.meta.dirname, 'liar.ts')
  const lies = liar.start(['node', program, mesh.invite, bastion.underlay, '192.168.226.9', '192.168.226.66'])
  const found = 'not programmed: nobody has reached this member at 192.168.226.66'
  const outside = (address: string): string => `not programmed: ${address} lies outside of the underlay that was given (--underlay)`
  await until('bastion tells why the liar has no entry', async () => (await notesOf(bastion)) === found || lies.lines, {
    within: seconds(60),
  })
  await until('so does the other', async () => (await notesOf(first)) === outside('192.168.226.66') || notesOf(first), {
    within: seconds(60),
  })
  // To the whole tunnel, and to the liar itself.
  for (const at of [bastion, first]) for (const address of ['192.168.234.66', '192.168.234.99']) expect(await at.pings(address)).toBe(false)
  expect([await bastion.flood(), await first.flood()]).toEqual([[first.underlay], [bastion.underlay]])
  const said = `liar is not programmed on provider0: nobody has reached this member at 192.168.226.66`
  await until('bastion logs it, once it had time', () => messages(daemon).includes(said) || messages(daemon), { within: seconds(30) })
  expect(messages(daemon).filter((line) => line === said)).toHaveLength(1)
  expect(messages(other).filter((line) => line.includes('lies outside of the underlay'))).toHaveLength(1)
  expect(await came()).toBe(0)

  lies.signal('SIGUSR1')
  await until('the liar has an entry where it is', async () => (await bastion.flood()).includes('192.168.226.9') || bastion.status(), {
    within: seconds(30),
  })
  await until('but not where it may not be', async () => (await notesOf(first)) === outside('192.168.226.9') || notesOf(first), {
    within: seconds(30),
  })
  expect(await first.flood()).toEqual([bastion.underlay])
  // What would have come is counted.
  await bastion.host.outcome(['ping', '-c', '1', '-W', '1', '192.168.226.66'])
  expect(await came()).toBeGreaterThan(0)
})
