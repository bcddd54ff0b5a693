/** The recipe that this began with, in its words for GRE. Runs in a guest (`test/guest/run`), since many machines have none. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { entries, FIRST, openHosts, PAGES, SECOND, typed, type Hosts } from './by-hand.ts'

let hosts: Hosts

beforeAll(async () => {
  hosts = await openHosts()
})
afterAll(async () => hosts.dispose())

test('three hosts set up by hand reach one another', async () => {
  const { bastion, first, second } = hosts
  await Promise.all([typed(bastion, PAGES.bastion), typed(first, PAGES.first), typed(second, PAGES.second)])
  expect(await entries(bastion)).toEqual([FIRST, SECOND])
  await typed(bastion, 'ping -c 1 -W 5 192.168.234.2; ping -c 1 -W 5 192.168.234.3')
  await typed(first, 'ping -c 1 -W 5 192.168.234.1; ping -c 1 -W 5 192.168.234.3')
  await typed(second, 'ping -c 1 -W 5 192.168.234.1; ping -c 1 -W 5 192.168.234.2')
})
