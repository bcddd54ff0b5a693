import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MeshError } from '@vxmesh/core'
import { verifyChain } from '@vxmesh/gossip'
import { envelopeVerifier } from '@vxmesh/gossip/libp2p'
import { loadMembership, readInvite } from './identity.ts'
import { initMesh } from './meshkey.ts'

let directory = ''
let state = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-identity-'))
  state = join(directory, 'state')
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** What the files of a directory are and who may read them. */
function list(path: string): Readonly<Record<string, string>> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, (statSync(join(path, name)).mode & 0o777).toString(8)]))
}

/** Every byte in a directory, to see that none has changed. */
function content(path: string): Readonly<Record<string, string>> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'base64')]))
}

/** The sentence of a refusal, with the temporary directory left out. */
async function refusal(act: () => unknown): Promise<string> {
  try {
    await act()
  } catch (error) {
    if (error instanceof MeshError && error.failure.code === 'CONFIG_INVALID') return error.message.replaceAll(`${directory}/`, '')
    throw error
  }
  return 'accepted'
}

async function makeInvite(name = 'mesh'): Promise<ReturnType<typeof readInvite>> {
  return readInvite((await initMesh(join(directory, name))).inviteFile)
}

describe('init', () => {
  test('makes a mesh key and an invite that names the mesh, for their owner alone', async () => {
    const { mesh, inviteFile } = await initMesh(join(directory, 'a', 'b'))
    expect(list(join(directory, 'a', 'b'))).toEqual({ 'mesh.key': '600', 'mesh.invite': '600' })
    expect(readInvite(inviteFile).mesh).toBe(mesh)
  })

  test.each(['mesh.key', 'mesh.invite'])('refuses to touch a directory with a %s in it', async (file) => {
    writeFileSync(join(directory, file), 'precious')
    expect(await refusal(async () => initMesh(directory))).toBe(
      `${file}: there is a mesh here already; choose another --dir, or move these files away`,
    )
    expect(content(directory)).toEqual({ [file]: Buffer.from('precious').toString('base64') })
  })

  test('in a directory that is a file is refused', async () => {
    writeFileSync(state, '')
    expect(await refusal(async () => initMesh(state))).toBe(
      '--dir state: state/mesh.key cannot be read: what is above state/mesh.key is no directory; choose another place',
    )
  })

  test('that cannot write the invite leaves no key either', async () => {
    symlinkSync('nowhere', join(directory, 'mesh.invite'))
    expect(await refusal(async () => initMesh(directory))).toMatch(
      /^--dir \S+: cannot write there: mesh.invite is there already; choose another place$/,
    )
    expect(readdirSync(directory)).toEqual(['mesh.invite'])
  })
})

describe('an invite', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    [
      'that is not there',
      () => {},
      /^--invite x: cannot be read: there is no x; name the file that "vxmesh init" made, or a copy that this user may read$/,
    ],
    ['that is a directory', (path) => mkdirSync(path), /^--invite x: cannot be read: it is a directory; name the file/],
    ['that is empty', (path) => writeFileSync(path, ''), /^--invite x: not an invite: it does not begin with vxmesh-invite-1-$/],
    ['that is something else', (path) => writeFileSync(path, '#!/bin/sh\n'), /^--invite x: not an invite/],
  ])('%s is refused by its name', async (_name, make, message) => {
    const path = join(directory, 'x')
    make(path)
    expect(await refusal(() => readInvite(path))).toMatch(message)
  })

  test('with one letter mistyped is refused', async () => {
    const { inviteFile } = await initMesh(directory)
    const text = readFileSync(inviteFile, 'utf8')
    writeFileSync(inviteFile, `${text.slice(0, 40)}${text[40] === 'A' ? 'B' : 'A'}${text.slice(41)}`)
    expect(await refusal(() => readInvite(inviteFile))).toBe(
      '--invite mesh.invite: the invite is damaged: its checksum does not match, copy it again',
    )
  })
})

describe('a first start', () => {
  test('makes a key and a certificate that admits it, for their owner alone', async () => {
    const invite = await makeInvite()
    const { identity, mesh, admission } = await loadMembership(state, invite)
    expect(list(state)).toEqual({ 'identity.key': '600', 'member.json': '600' })
    expect(mesh).toBe(invite.mesh)
    expect(verifyChain({ mesh, verifier: envelopeVerifier }, admission.chain)).toEqual({ ok: true, value: admission })
    expect(admission.peer).toBe(identity.peer)
  })

  test('without an invite is refused, and makes nothing', async () => {
    expect(await refusal(async () => loadMembership(state, undefined))).toBe(
      '--invite: needed at the first start: there is no membership in state',
    )
    expect(readdirSync(directory)).toEqual([])
  })

  test('with the invite of one mesh and the private key of another makes nothing', async () => {
    const [one, other] = [await makeInvite('one'), await makeInvite('other')]
    expect(await refusal(async () => loadMembership(state, { ...one, privateKey: other.privateKey }))).toBe(
      '--invite: admits nobody: member certificate not signed by its invite',
    )
    expect(await refusal(async () => loadMembership(state, { ...one, privateKey: Uint8Array.of(1) }))).toBe(
      '--invite: damaged: not a private key',
    )
    expect(readdirSync(directory).toSorted()).toEqual(['one', 'other'])
  })

  test('that cannot write says where', async () => {
    const invite = await makeInvite()
    mkdirSync(join(state, 'member.json.new'), { recursive: true })
    expect(await refusal(async () => loadMembership(state, invite))).toMatch(/^--state-dir \S*state: cannot write there: /)
  })

  test('that ended after it had written the key goes on with that key', async () => {
    const invite = await makeInvite()
    const { identity } = await loadMembership(state, invite)
    rmSync(join(state, 'member.json'))
    expect((await loadMembership(state, invite)).identity.peer).toBe(identity.peer)
  })
})

describe('a later start', () => {
  test('needs no invite and is the same member', async () => {
    const first = await loadMembership(state, await makeInvite())
    const before = content(state)
    const later = await loadMembership(state, undefined)
    expect([later.identity.peer, later.mesh, later.admission]).toEqual([first.identity.peer, first.mesh, first.admission])
    expect(content(state)).toEqual(before)
  })

  test('may have the same invite again, and any other of the same mesh', async () => {
    const invite = await makeInvite()
    const first = await loadMembership(state, invite)
    expect((await loadMembership(state, invite)).identity.peer).toBe(first.identity.peer)
  })

  test('with an invite to another mesh is refused, and changes nothing', async () => {
    const [one, other] = [await makeInvite('one'), await makeInvite('other')]
    await loadMembership(state, one)
    const before = content(state)
    expect(await refusal(async () => loadMembership(state, other))).toBe(
      `--invite: is for mesh ${other.mesh}, this host is a member of ${one.mesh}; give each mesh its own --state-dir, or, to change over for good: "vxmesh leave" while its daemon runs, then remove state`,
    )
    expect(content(state)).toEqual(before)
  })

  const KEY = /^state\/identity.key: not a private key; restore it from a backup, or remove it to become a new member$/
  const DAMAGED = /^state\/member.json: is damaged; restore it, or remove it and start with --invite$/
  const NOT_OURS = /^state\/member.json: does not admit the key beside it; remove it and start with --invite$/
  test.each<[string, string, string | ((text: string) => string), RegExp]>([
    ['an empty key', 'identity.key', '', KEY],
    ['a key that was cut short', 'identity.key', (text) => text.slice(0, 40), KEY],
    ['a key of garbage', 'identity.key', '\u0000\u0001', KEY],
    ['an empty certificate', 'member.json', '', DAMAGED],
    ['half a certificate', 'member.json', (text) => text.slice(0, text.length / 2), DAMAGED],
    ['a certificate of another version', 'member.json', (text) => text.replace('"version":1', '"version":2'), DAMAGED],
    ['a certificate whose mesh is none', 'member.json', (text) => text.replace(/"mesh":"[^"]*"/, '"mesh":"x"'), DAMAGED],
    [
      'a certificate with a letter changed',
      'member.json',
      (text) => text.replace(/(?<="chain":".{60})./, (old) => (old === 'A' ? 'B' : 'A')),
      NOT_OURS,
    ],
  ])('with %s is refused by the file, with or without an invite, and changes nothing', async (_name, file, damage, message) => {
    const invite = await makeInvite()
    await loadMembership(state, invite)
    const path = join(state, file)
    writeFileSync(path, typeof damage === 'string' ? damage : damage(readFileSync(path, 'utf8')))
    const before = content(state)
    expect(await refusal(async () => loadMembership(state, undefined))).toMatch(message)
    expect(await refusal(async () => loadMembership(state, invite))).toMatch(message)
    expect(content(state)).toEqual(before)
  })

  test('with the certificate of another host is refused', async () => {
    const invite = await makeInvite()
    await loadMembership(state, invite)
    await loadMembership(join(directory, 'other'), invite)
    cpSync(join(directory, 'other', 'member.json'), join(state, 'member.json'))
    expect(await refusal(async () => loadMembership(state, undefined))).toMatch(NOT_OURS)
  })

  test('with a key that cannot be read is refused: it is not taken for a first start', async () => {
    const invite = await makeInvite()
    mkdirSync(join(state, 'identity.key'), { recursive: true })
    expect(await refusal(async () => loadMembership(state, invite))).toBe(
      '--state-dir state: state/identity.key cannot be read: it is a directory; choose another place',
    )
  })
})
