import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { statusAnswer } from './answers.ts'
import { runCli } from './cli.ts'
import { ask } from './client.ts'
import { freePort, typed } from './typed.ts'

let directory = ''
const at = (...names: readonly string[]): string => join(directory, ...names)
const vxmesh = async (...args: readonly string[]) => typed(directory, args)
const statusAt = async (name: string) => ask(at(`${name}.sock`), 'GET', '/v1/status', statusAnswer)

beforeAll(async () => {
  await import('./daemon.ts')
}, 60_000)

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-join-'))
  await vxmesh('init', '--dir', directory)
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** An invite in a file, and its id. */
async function invite(file: string, ...flags: readonly string[]): Promise<string> {
  const { out, err } = await vxmesh('invite', '--dir', directory, ...flags)
  writeFileSync(at(file), out)
  return /invite (\w+);/.exec(err)?.[1] ?? ''
}

/** What a member has of its own membership and another of it. */
async function known(by: string, of: string): Promise<readonly (string | null | undefined)[]> {
  const row = (await statusAt(by)).members.find(({ name }) => name === of)
  return [row?.state, row?.invite, row?.expires]
}

test('a member comes by a fresh invite from then on: its daemon goes on, the others see it, and the next start knows it', async () => {
  const port = await freePort()
  const up = async (name: string, ...flags: readonly string[]) =>
    runCli([
      ...['up', '--device', 'provider0', '--id', '16', '--local', '192.0.2.1', '--name', name, '--discover', 'off'],
      ...['--state-dir', at(name), '--control', at(`${name}.sock`), '--kernel', 'memory', '--log-level', 'error', ...flags],
    ])
  const [first, second] = [await invite('first', '--valid', '20d'), await invite('second', '--valid', '365d')]
  const bound = await invite('bound', '--name', 'somebody-else')
  const place = ['--state-dir', at('b'), '--control', at('b.sock')] as const
  expect((await vxmesh('join', at('first'), ...place)).out).toMatch(
    /^12D3\w+ may be a member of mesh 12D3\w+, until 20.*Z; start it with: vxmesh up\n$/,
  )
  const lives = [up('a', '--invite', at('mesh.invite'), '--port', port), up('b', '--seed', `127.0.0.1:${port}`, '--port', await freePort())]
  await vi.waitFor(async () => expect((await known('a', 'b')).slice(0, 2)).toEqual(['alive', first]), { timeout: 20_000, interval: 50 })
  expect((await statusAt('b')).health.join()).toContain('the membership of this host ends in 19 days, on ')
  expect((await statusAt('a')).members.find(({ name }) => name === 'b')?.note).toContain('its membership ends in 19 days')

  const before = readFileSync(at('b', 'member.json'), 'utf8')
  const refused = await vxmesh('join', at('bound'), ...place)
  expect([refused.code === 0, refused.err.includes('the invite of this host is for the name somebody-else')]).toEqual([false, true])
  await vxmesh('init', '--dir', at('other'))
  expect((await vxmesh('join', at('other', 'mesh.invite'), ...place)).err).toMatch(/^vxmesh: --invite: is for mesh /)
  expect(await vxmesh('join', at('second'), '--state-dir', at('b'), '--control', at('nobody.sock'))).toMatchObject({
    code: 75,
    err: 'vxmesh: the state directory b, whose socket --control is to name, is taken by another daemon (b/lock)\n',
  })
  expect(readFileSync(at('b', 'member.json'), 'utf8')).toBe(before)

  const joined = await vxmesh('join', at('second'), ...place)
  expect([joined.code, joined.err]).toEqual([0, ''])
  expect(joined.out).toContain(`is a member by the invite ${second} from now on, until 20`)
  expect(joined.out).toContain('its daemon has taken it up and goes on; the others see the new invite at once')
  await vi.waitFor(async () => expect((await known('a', 'b')).slice(0, 2)).toEqual(['alive', second]), { timeout: 5000, interval: 20 })
  expect(await known('b', 'b')).toEqual(await known('a', 'b'))
  expect((await statusAt('b')).health.join()).not.toContain('membership')
  expect(readFileSync(at('b', 'member.json'), 'utf8')).not.toBe(before)
  expect((await vxmesh('join', at('second'), ...place)).out).toContain(`by the invite ${second} already, until 20`)

  const listed = (await vxmesh('invites', '--dir', directory, '--control', at('a.sock'))).out.split('\n')
  const counts = [first, second, bound].map((id) => listed.find((line) => line.startsWith(id))?.match(/\d came by it/)?.[0])
  expect(counts).toEqual(['0 came by it', '1 came by it', '0 came by it'])
  expect((await vxmesh('invites', '--dir', directory, '--control', at('nobody.sock'))).out).not.toContain('came by it')

  process.emit('SIGTERM', 'SIGTERM')
  expect(await Promise.all(lives)).toEqual([0, 0])
  const back = await vxmesh('join', at('first'), ...place)
  expect(back.out).toContain('no daemon of this host answers at b.sock: the next "vxmesh up" takes it up, and the others see it then\n')
  expect((await vxmesh('join', at('first'), ...place)).out).toContain(`by the invite ${first} already`)
}, 60_000)
