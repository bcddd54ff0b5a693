/** Secrets stay in their files: whatever is typed, printed, logged, said to others or kept of them is looked through for each. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseInvite } from '@vxmesh/gossip'
import { envelopeVerifier } from '@vxmesh/gossip/libp2p'
import { expect, onTestFinished, test, vi } from 'vitest'
import { http, localHost, MAIN, member } from './netns/member.ts'
import { outcome } from './netns/process.ts'

const PASSPHRASE = 'correct horse battery'

/** The ways 32 bytes may stand in a text, wherever in it they begin. */
function forms(seed: Uint8Array): readonly string[] {
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), seed])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, 40),
  )
  return [Buffer.from(seed).toString('hex'), ...shifted]
}

/** Protobuf around the seed and the public key. */
function seedOf(privateKey: Uint8Array): Uint8Array {
  return privateKey.subarray(4, 36)
}

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const place = server.address()
  await new Promise((resolve) => void server.close(resolve))
  return String(typeof place === 'object' ? place?.port : place)
}

test('no secret is in an argument, an answer, a log, a status, an error, or what others keep', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'vxmesh-secrets-'))
  const [here, there] = [localHost('here', '10.0.0.1/24'), localHost('there', '10.0.0.2/24')]
  onTestFinished(async () => {
    await Promise.all([here.dispose(), there.dispose()])
    await rm(directory, { recursive: true })
  })
  const at = (...names: readonly string[]): string => join(directory, ...names)
  const said: string[] = []
  const vxmesh = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await outcome(['node', MAIN, ...args])
    said.push(args.join(' '), stderr)
    return { code, stdout }
  }
  const tell = async (...args: readonly string[]) => {
    const { code, stdout } = await vxmesh(...args)
    said.push(stdout)
    return code
  }

  await writeFile(at('passphrase'), PASSPHRASE)
  await tell('init', '--dir', directory)
  const meshKey = Buffer.from(await readFile(at('mesh.key'), 'utf8'), 'base64')
  const locked = await vxmesh('key', 'export', '--dir', directory, '--passphrase-file', at('passphrase'))
  said.push(locked.stdout)
  await writeFile(at('mesh.key'), locked.stdout)
  const made = await vxmesh('invite', '--dir', directory, '--passphrase-file', at('passphrase'))
  await writeFile(at('invite'), made.stdout)
  await tell('join', at('invite'), '--state-dir', at('there'))

  const mesh = { directory, invite: at('mesh.invite'), [Symbol.asyncDispose]: async () => {} }
  const [one, two] = [member(mesh, here, '192.168.234.1/24'), member(mesh, there, '192.168.234.2/24')]
  const port = await freePort()
  const quiet = ['--kernel', 'memory', '--log-level', 'debug'] as const
  const daemons = [one.up(...quiet, '--port', port), two.up(...quiet, '--port', await freePort(), '--seed', `127.0.0.1:${port}`)]
  await vi.waitFor(async () => expect((await one.sees(two))?.state).toBe('alive'), { timeout: 30_000, interval: 100 })
  for (const { control } of [one, two])
    for (const path of ['status', 'plan', 'evictions']) said.push((await http(control, 'GET', `/v1/${path}`)).body)
  const revoke = ['revoke', 'there', '--dir', directory, '--control', one.control, '--wait', '0'] as const
  await Promise.all([
    tell('invite', '--dir', directory),
    tell('invites', '--dir', directory),
    tell('export', '--control', one.control),
    tell('join', at('passphrase'), '--state-dir', at('third')),
    tell('up', '--invite', at('mesh.key'), '--device', 'provider1', '--id', '17', '--state-dir', at('third')),
    tell(...revoke, '--passphrase-file', at('invite')),
    tell(...revoke, '--passphrase-file', at('passphrase')),
  ])
  for (const { pid } of daemons)
    said.push(await readFile(`/proc/${String(pid)}/cmdline`, 'utf8'), await readFile(`/proc/${String(pid)}/environ`, 'utf8'))
  for (const daemon of daemons) {
    daemon.signal('SIGTERM')
    await daemon.exit
    said.push(...daemon.lines)
  }
  for (const state of ['here', 'there'])
    for (const file of (await readdir(at(state))).filter((name) => name !== 'identity.key'))
      said.push(await readFile(at(state, file), 'utf8'))
  for (const file of ['mesh.key', 'invites.json']) said.push(await readFile(at(file), 'utf8'))

  const identities = await Promise.all(
    ['here', 'there'].map(async (state) => Buffer.from(await readFile(at(state, 'identity.key'), 'utf8'), 'base64')),
  )
  const invites = await Promise.all(
    ['mesh.invite', 'invite'].map(async (name) => parseInvite(envelopeVerifier, await readFile(at(name), 'utf8'))),
  )
  const inviteKeys = invites.flatMap((invite) => (invite.ok ? [invite.value.privateKey] : []))
  const secrets = [meshKey, ...identities, ...inviteKeys].map(seedOf)
  expect(secrets.map(({ length }) => length)).toEqual([32, 32, 32, 32, 32])
  // The search would find them: each is in the file that it is kept in.
  const kept = [
    meshKey.toString('base64'),
    ...identities.map((key) => key.toString('base64')),
    await readFile(at('mesh.invite'), 'utf8'),
  ].join(' ')
  const found = (text: string, secret: Uint8Array): boolean => forms(secret).some((form) => spelt(text).includes(form))
  expect(secrets.map((secret) => found(kept, secret))).toEqual([true, true, true, true, false])
  expect(said.length).toBeGreaterThan(30)
  expect(said.filter((text) => text.includes(PASSPHRASE) || secrets.some((secret) => found(text, secret)))).toEqual([])
}, 180_000)

/** Of the two alphabets of base64 the usual one. */
function spelt(text: string): string {
  return text.replaceAll('-', '+').replaceAll('_', '/')
}
