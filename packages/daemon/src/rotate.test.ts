import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { statusAnswer } from './answers.ts'
import { runCli } from './cli.ts'
import { ask } from './client.ts'
import { loadMembership } from './identity.ts'
import { readMeshKey } from './meshkey.ts'
import { renderStatus } from './report.ts'
import { makeIdentity } from '@vxmesh/gossip/libp2p'
import { freePort, typed } from './typed.ts'

let directory = ''
const at = (...names: readonly string[]): string => join(directory, ...names)
const vxmesh = async (...args: readonly string[]) => typed(directory, args)
const statusAt = async (name: string) => ask(at(`${name}.sock`), 'GET', '/v1/status', statusAnswer)
const under = ['--dir', '.', '--passphrase-file', 'words'] as const
const place = () => under.map((word) => (word === '.' ? directory : word === 'words' ? at('words') : word))
const rotate = async (...flags: readonly string[]) => vxmesh('key', 'rotate', ...place(), '--control', at('a.sock'), ...flags)

beforeAll(async () => {
  await import('./daemon.ts')
}, 60_000)

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-rotate-'))
  writeFileSync(at('words'), 'correct horse battery\n')
  await vxmesh('init', ...place())
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** A daemon whose kernel is in memory. */
async function up(name: string, ...flags: readonly string[]): Promise<number> {
  return runCli([
    ...['up', '--device', 'provider0', '--id', '16', '--local', '192.0.2.1', '--name', name, '--discover', 'off'],
    ...['--state-dir', at(name), '--control', at(`${name}.sock`), '--kernel', 'memory', '--log-level', 'error', ...flags],
  ])
}

/** How one sees the members: by which key of the mesh each is certified. */
async function issuers(by: string): Promise<Readonly<Record<string, string | null>>> {
  return Object.fromEntries((await statusAt(by)).members.map(({ name, issuer }) => [name, issuer]))
}

test('the key is rotated in place, members take it up while they run, and it is all known again after a restart', async () => {
  const port = await freePort()
  const [first, invite] = [readFileSync(at('mesh.key'), 'utf8'), ['--invite', at('mesh.invite')]]
  const lives = [up('a', ...invite, '--port', port), up('b', ...invite, '--seed', `127.0.0.1:${port}`, '--port', await freePort())]
  await vi.waitFor(async () => expect(Object.keys(await issuers('a'))).toEqual(['a', 'b']), { timeout: 20_000, interval: 50 })
  const { mesh } = await statusAt('a')
  expect([await issuers('a'), (await statusAt('a')).rotation]).toEqual([{ a: mesh, b: mesh }, null])

  expect((await rotate('--overlap', '0')).err).toBe('vxmesh: --overlap: members that are away need some time; as 24h or 30d\n')
  expect((await rotate('--wait', 'long')).code).toBe(2)
  expect(readFileSync(at('mesh.key'), 'utf8')).toBe(first)

  const done = await rotate('--overlap', '20d')
  expect([done.code, done.err]).toEqual([0, ''])
  const { identity, lineage, passphrase } = await readMeshKey({ dir: directory, passphraseFile: at('words') })
  expect([identity.peer === mesh, lineage.length, passphrase]).toEqual([false, 1, 'correct horse battery'])
  expect(done.out).toContain(`the key of the mesh is ${identity.peer} from now on, in mesh.key under the same passphrase`)
  expect(done.out).toContain('mesh.key.old-1 is the key before')
  const certified = (await statusAt('a')).members.map(({ name, peer, invite }) => `  ${name} ${peer}, by the invite ${invite}\n`)
  expect(done.out).toMatch(/certified anew, each for itself; revoke whom you do not know:\n( {2}.*\n){2}in force at 2 of 2 live members\n$/)
  expect(certified.filter((line) => !done.out.includes(line))).toEqual([])
  expect([readFileSync(at('mesh.key.old-1'), 'utf8'), statSync(at('mesh.key')).mode & 0o777]).toEqual([first, 0o600])
  for (const name of ['a', 'b']) expect(await issuers(name)).toEqual({ a: identity.peer, b: identity.peer })
  const status = await statusAt('b')
  expect(status).toMatchObject({ mesh, rotation: { key: identity.peer, living: 2, in_force: 2 } })
  expect(status.health.join()).not.toContain('key of the mesh')
  expect(renderStatus(status)).toContain(
    `the key of the mesh is ${identity.peer}, in force at 2 of 2 live members; the one before holds until 20`,
  )
  const kept = await loadMembership(at('b'), undefined)
  expect([kept.lineage.length, kept.admission.issuer.key, kept.former?.issuer.key]).toEqual([1, identity.peer, mesh])

  // It goes on with the same one, and begins another where it is told to.
  const again = await rotate()
  expect([again.code, again.out]).toEqual([
    0,
    expect.stringMatching(/^the rotation to \w+ is under way until .*; --anew begins another\nin force at 2 of 2 live members\n$/),
  ])
  expect((await vxmesh('invites', '--dir', directory)).out).toBe('')
  await vxmesh('invite', ...place(), '--ttl', '0')
  mkdirSync(at('elsewhere'))
  cpSync(at('mesh.key'), at('elsewhere', 'mesh.key'))
  const anew = await rotate('--anew')
  expect([anew.code, existsSync(at('mesh.key.old-2'))]).toEqual([0, true])
  const last = (await statusAt('a')).rotation?.key ?? ''
  expect(await issuers('b')).toEqual({ a: last, b: last })
  const behind = await vxmesh(
    'key',
    'rotate',
    '--dir',
    at('elsewhere'),
    '--passphrase-file',
    at('words'),
    '--control',
    at('a.sock'),
    '--anew',
  )
  expect([behind.code, behind.err]).toEqual([
    78,
    `vxmesh: --dir elsewhere: the key there was followed by another, ${last}: go where that one is\n`,
  ])

  expect((await vxmesh('invites', '--dir', directory, '--control', at('a.sock'))).out).toMatch(
    /never expires, by a former key of the mesh, which ends 20.*Z, 0 came by it\n$/,
  )

  // The new key admits and revokes, and a backup of it is the key of the same mesh.
  const backup = await vxmesh('key', 'export', ...place())
  expect(
    backup.out
      .trim()
      .split('\n')
      .map((line) => line.split(' ').slice(0, 2)),
  ).toEqual([[expect.stringMatching(/^\{/)], ['succession', mesh], ['succession', mesh]])
  writeFileSync(at('mesh.key'), backup.out)
  const made = await vxmesh('invite', ...place())
  writeFileSync(at('new.invite'), made.out)
  expect((await vxmesh('join', at('new.invite'), '--state-dir', at('c'), '--control', at('c.sock'))).out).toContain(
    `may be a member of mesh ${mesh}; start it with`,
  )
  const own = await vxmesh('revoke', identity.peer, ...place(), '--control', at('a.sock'))
  expect([own.code, own.err]).toEqual([
    2,
    `vxmesh: revoke ${identity.peer}: that is a key of the mesh, and no member: "vxmesh key rotate" puts another in its place\n`,
  ])
  const idle = (await makeIdentity()).peer
  expect((await vxmesh('revoke', idle, ...place(), '--control', at('a.sock'))).out).toContain('enforced by 2 of 2 live members')

  const port2 = await freePort()
  lives.push(up('c', '--seed', `127.0.0.1:${port}`, '--port', port2))
  await vi.waitFor(async () => expect(await issuers('a')).toMatchObject({ c: last }), { timeout: 20_000, interval: 50 })
  await vxmesh('leave', '--control', at('b.sock'))
  lives[1] = up('b', '--port', await freePort())
  await vi.waitFor(async () => expect(await issuers('b')).toEqual({ a: last, b: last, c: last }), { timeout: 20_000, interval: 50 })
  for (const name of ['a', 'b', 'c']) expect((await vxmesh('leave', '--control', at(`${name}.sock`))).code).toBe(0)
  expect(await Promise.all(lives)).toEqual([0, 0, 0])
}, 90_000)

test('without a daemon nothing is rotated, and a key whose lines were lost is none', async () => {
  const first = readFileSync(at('mesh.key'), 'utf8')
  expect((await rotate()).code).toBe(3)
  expect([readFileSync(at('mesh.key'), 'utf8'), existsSync(at('mesh.key.old-1'))]).toEqual([first, false])
  for (const line of ['succession', 'succession x y', 'other']) {
    writeFileSync(at('mesh.key'), `${first}${line}\n`)
    expect((await vxmesh('invite', ...place())).err).toBe(
      'vxmesh: mesh.key: the lines after the key do not lead to it; restore it from a backup, all of it\n',
    )
  }
}, 60_000)
