import { createServer, type Server } from 'node:net'
import type { ControlAddress, IpAddress, Port } from '@vxmesh/core'
import { MeshError } from '@vxmesh/core'
import { afterEach, expect, test } from 'vitest'
import { followTunnels, listeningPlaces } from './listening.ts'

const [ONE, TWO, THREE, ABSENT] = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '192.0.2.1'] as IpAddress[]

let servers: Server[] = []

afterEach(async () => {
  await Promise.all(servers.map(async (server) => new Promise((resolve) => void server.close(resolve))))
  servers = []
})

async function occupy(address: string, port = 0): Promise<Port> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(port, address, resolve))
  servers.push(server)
  const place = server.address()
  return (typeof place === 'object' && place !== null ? place.port : 0) as Port
}

/** A mesh that listens on 127.0.0.1 and notes where it is told to move. */
async function listener(): Promise<{ at: (...locals: readonly unknown[]) => Promise<readonly string[]>; port: Port; said: string[] }> {
  const port = await occupy('127.0.0.1')
  const said: string[] = []
  let listening: readonly ControlAddress[] = [{ address: ONE!, port }]
  let locals: readonly IpAddress[] = []
  const follow = followTunnels(
    {
      get listening() {
        return listening
      },
      move: async (addresses) => {
        said.push(`moves to ${addresses.join(' ')}`)
        if (addresses.length > 2) throw new MeshError({ code: 'CONFIG_INVALID', where: '--port', reason: 'too many' })
        listening = addresses.map((address) => ({ address, port }))
      },
    },
    { locals: () => locals, moved: () => void said.push('moved'), warn: (key) => void said.push(key) },
  )
  return {
    port,
    said,
    at: async (...wanted) => {
      locals = wanted as IpAddress[]
      await follow()
      return said.splice(0)
    },
  }
}

test('it listens where every tunnel sends from, and at once where that is another', async () => {
  const { at } = await listener()
  expect(await at(ONE)).toEqual([])
  expect(await at(ONE, TWO)).toEqual([`moves to ${ONE} ${TWO}`, 'moved'])
  expect(await at(TWO, ONE, TWO)).toEqual([])
  expect(await at(TWO)).toEqual([`moves to ${TWO}`, 'moved'])
})

test('an address that is not there, or is taken, costs no link until it can be had', async () => {
  const { at, port } = await listener()
  expect(await at(ONE, ABSENT)).toEqual([`listen ${ABSENT}`])
  expect(await at(ABSENT)).toEqual([`listen ${ABSENT}`])
  await occupy('127.0.0.2', port)
  expect(await at(ONE, TWO)).toEqual([`listen ${TWO}`])
  expect(await at(THREE, TWO)).toEqual([`listen ${TWO}`, `moves to ${THREE}`, 'moved'])
})

test('a move that fails is tried again', async () => {
  const { at } = await listener()
  expect(await at(ONE, TWO, THREE)).toEqual([`moves to ${ONE} ${TWO} ${THREE}`, 'listen'])
  expect(await at(ONE, TWO)).toEqual([`moves to ${ONE} ${TWO}`, 'moved'])
})

test('as many places as a record can tell, each once', () => {
  const many = Array.from({ length: 20 }, (_, index) => `10.0.0.${String(index % 10)}` as IpAddress)
  expect(listeningPlaces(many)).toEqual(many.slice(0, 8))
})
