/** What links, dials and strangers leave behind: nothing, however many there were. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test, vi } from 'vitest'
import type { ControlAddress, IpAddress, Port } from '@vxmesh/core'
import { makeIdentity } from './signer.ts'
import { openStation, type Station } from './station.ts'

const ANY_PORT: ControlAddress = { address: '127.0.0.1' as IpAddress, port: 0 as Port }
const NOTHING = { connections: 0, streams: 0, peers: 0 }
const cleanup: (() => unknown)[] = []

afterEach(async () => {
  await Promise.all(cleanup.splice(0).map(async (close) => close()))
})

async function station(): Promise<Station> {
  const made = await openStation(ANY_PORT)
  cleanup.push(async () => made.transport.stop())
  return made
}

async function stations(count: number): Promise<readonly Station[]> {
  return Promise.all(Array.from({ length: count }, station))
}

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is in use when all that can be freed has been. */
function heap(): number {
  collectGarbage()
  return getHeapStatistics().used_heap_size
}

async function holdsNothing(all: readonly Station[]): Promise<void> {
  await vi.waitFor(async () => {
    for (const { transport } of all) expect(await transport.held()).toEqual(NOTHING)
  }, 10_000)
}

/** How many handles of each kind this process has open. */
function handles(): Readonly<Record<string, number>> {
  const kinds = Object.groupBy(process.getActiveResourcesInfo(), (kind) => kind)
  return Object.fromEntries(Object.entries(kinds).map(([kind, all]) => [kind, all?.length ?? 0]))
}

/** One link from the hub to each of these, and its end, by either side in turn. */
async function linkToEach(hub: Station, others: readonly Station[]): Promise<void> {
  for (const [index, other] of others.entries()) {
    for (const each of [hub, other]) each.heard.length = 0
    hub.transport.dial(other.identity.peer, [other.at])
    await vi.waitFor(() => expect([hub.heard, other.heard]).toEqual([['linked by dial'], ['linked']]), { timeout: 5000, interval: 1 })
    const [closing, closed] = index % 2 === 0 ? [hub, other] : [other, hub]
    closing.transport.unlink(closing.last(), 'test')
    await vi.waitFor(() => expect(closed.heard).toHaveLength(2), { timeout: 5000, interval: 1 })
  }
}

test('a thousand links, opened and ended, leave no handle, no connection, no peer and no memory', async () => {
  // Each of them is dialled less often altogether than one address may within a second: none is ever turned away.
  const [hub, others] = [await station(), await stations(25)]
  const all = [hub, ...others]
  for (let round = 0; round < 4; round++) await linkToEach(hub, others)
  await holdsNothing(all)
  const [handlesBefore, heapBefore] = [handles(), heap()]
  for (let round = 0; round < 40; round++) await linkToEach(hub, others)
  await holdsNothing(all)
  await vi.waitFor(() => expect(handles()).toEqual(handlesBefore), 10_000)
  // One connection takes tens of kilobytes: less than one of a kilobyte a link would be something that every link leaves.
  await vi.waitFor(() => expect(heap() - heapBefore).toBeLessThan(1024 * 1024), { timeout: 30_000, interval: 1000 })
})

test('five hundred peers that came once leave nothing', async () => {
  const doors = await stations(10)
  for (let batch = 0; batch < 50; batch++) {
    const strangers = await stations(doors.length)
    strangers.forEach(({ transport }, index) => {
      const door = doors[index]!
      transport.dial(door.identity.peer, [door.at])
    })
    await vi.waitFor(() => expect(strangers.map(({ heard }) => heard)).toEqual(strangers.map(() => ['linked by dial'])), 10_000)
    await Promise.all(strangers.map(async ({ transport }) => transport.stop()))
  }
  await holdsNothing(doors)
  expect(doors.flatMap(({ heard }) => heard.filter((each) => each === 'linked'))).toHaveLength(500)
})

test('members that cannot be reached leave nothing', async () => {
  const a = await station()
  const nobody = await station()
  await nobody.transport.stop()
  const members = await Promise.all(Array.from({ length: 200 }, makeIdentity))
  for (const { peer } of members) a.transport.dial(peer, [nobody.at])
  await vi.waitFor(() => expect(a.heard).toEqual(members.map(() => 'refused')), 10_000)
  await holdsNothing([a])
})
