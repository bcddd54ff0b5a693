import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { parseIp, sure } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { makeDoorstep } from './doorstep.ts'

const member = sure(parseIp('192.0.2.2'))
const doorstepOf = () => makeDoorstep((address) => address === member)
const from = (place: string): MultiaddrConnection =>
  Object.assign(new EventTarget(), { remoteAddr: multiaddr(place) }) as unknown as MultiaddrConnection

test('Node asks it before it makes anything of a connection', async () => {
  const doorstep = doorstepOf()
  const asked: unknown[] = []
  Object.assign(doorstep, { check: (address: unknown) => asked.push(address) > 0 })
  const made: unknown[] = []
  const server = createServer({ blockList: doorstep }, (socket) => made.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = Object.assign({ port: 0 }, server.address())
  await once(connect(port, '127.0.0.1').resume(), 'close')
  expect([asked, made]).toEqual([['127.0.0.1'], []])
  server.close()
})

test.each([
  ['192.0.2.1', '/ip4/192.0.2.1/tcp/1', true],
  ['::ffff:192.0.2.1', '/ip4/192.0.2.1/tcp/1', true],
  ['2001:db8::1', '/ip6/2001:db8::1/tcp/1', true],
  ['192.0.2.2', '/ip4/192.0.2.2/tcp/1', false],
  ['nonsense', '/dns4/example.org/tcp/1', false],
])('once eight from $0 are inside, another is turned away: $2', (address, place, turned) => {
  const doorstep = doorstepOf()
  expect(doorstep.check(address)).toBe(false)
  const refused = Array.from({ length: 9 }, () => doorstep.refuses(from(place)))
  expect(refused).toEqual([...Array.from({ length: 8 }, () => false), turned])
  expect(doorstep.check(address)).toBe(turned)
})
