import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { privateKeyBytes } from '@vxmesh/gossip/libp2p'
import { readMeshKey } from './meshkey.ts'
import { typed } from './typed.ts'

const PASSPHRASE = 'correct horse battery'

let directory = ''
const at = (...names: readonly string[]): string => join(directory, ...names)
const vxmesh = async (...args: readonly string[]) => typed(directory, args)

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-meshkey-'))
  writeFileSync(at('right'), `${PASSPHRASE}\nand what comes after the first line\n`)
  writeFileSync(at('wrong'), 'correct horse batteries\n')
  writeFileSync(at('short'), 'horse\n')
  writeFileSync(at('empty'), '\n')
  await vxmesh('init', '--dir', at('locked'), '--passphrase-file', at('right'))
  await vxmesh('init', '--dir', at('plain'))
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

describe('a key under a passphrase', () => {
  test('says so, is its owner\u2019s alone, and is of no use without', async () => {
    const made = await vxmesh('init', '--dir', at('another'), '--passphrase-file', at('right'))
    expect(made).toMatchObject({ code: 0, err: '', out: expect.stringContaining('the key of the mesh, under the passphrase; ') })
    expect(statSync(at('another', 'mesh.key')).mode & 0o777).toBe(0o600)
    const key = await readMeshKey({ dir: at('another'), passphraseFile: at('right') })
    const text = readFileSync(at('another', 'mesh.key'), 'utf8')
    for (const form of secretForms(privateKeyBytes(key.identity))) expect(text).not.toContain(form)
  })

  test.each<[string, readonly string[], string]>([
    [
      'no passphrase',
      [],
      'locked/mesh.key: it is under a passphrase: name a file that holds it with --passphrase-file, - for standard input',
    ],
    ['another', ['--passphrase-file', 'wrong'], 'locked/mesh.key: the passphrase is wrong, or the key is damaged'],
    [
      'an empty one',
      ['--passphrase-file', 'empty'],
      '--passphrase-file empty: its first line is to be a passphrase of 1 to 1024 characters',
    ],
    ['none there', ['--passphrase-file', 'absent'], '--passphrase-file absent: cannot be read: there is no absent'],
  ])('with %s makes no invite and no backup, and says why in one line', async (_name, flags, reason) => {
    const given = flags.map((flag) => (flag.startsWith('--') ? flag : at(flag)))
    for (const command of [['invite'], ['key', 'export']]) {
      const outcome = await vxmesh(...command, '--dir', at('locked'), ...given)
      expect(outcome).toEqual({ code: 78, out: '', err: `vxmesh: ${reason}\n` })
    }
    expect(readdirSync(at('locked')).toSorted()).toEqual(['mesh.invite', 'mesh.key'])
  })

  test.each<[string, readonly string[], string, number]>([
    ['that is too short', ['--passphrase-file', 'short'], '--passphrase-file short: too short: at least 8 characters', 78],
    [
      'that nobody can be asked for',
      ['--ask-passphrase'],
      '--ask-passphrase: there is no terminal to ask on; name a file with --passphrase-file',
      2,
    ],
  ])('%s makes no mesh', async (_name, flags, reason, code) => {
    const given = flags.map((flag) => (flag.startsWith('--') ? flag : at(flag)))
    expect(await vxmesh('init', '--dir', at('never'), ...given)).toEqual({ code, out: '', err: `vxmesh: ${reason}\n` })
    expect(readdirSync(directory)).not.toContain('never')
  })

  test('makes invites with it, and lists them without', async () => {
    const { code, err } = await vxmesh('invite', '--dir', at('locked'), '--passphrase-file', at('right'))
    expect([code, err.slice(0, 14)]).toEqual([0, 'invite 12D3Koo'])
    expect((await vxmesh('invites', '--dir', at('locked'))).out).toContain('for 1 member, expires ')
    rmSync(at('locked', 'invites.json'))
  })
})

describe('a backup', () => {
  test.each<[string, string, readonly string[], boolean]>([
    ['of a plain key is plain', 'plain', [], false],
    ['of a plain key is under a passphrase that is given', 'plain', ['right'], true],
    ['of a key under a passphrase is under it', 'locked', ['right'], true],
  ])('%s, and opens when it is put back', async (_name, from, files, locked) => {
    const flags = files.flatMap((file) => ['--passphrase-file', at(file)])
    const { code, out, err } = await vxmesh('key', 'export', '--dir', at(from), ...flags)
    expect([code, err]).toEqual([0, 'whoever has this may admit and revoke members; to put it back, make it the file mesh.key\n'])
    expect(out.startsWith('{')).toBe(locked)
    const back = at(`back-${from}-${String(files.length)}`)
    mkdirSync(back)
    writeFileSync(join(back, 'mesh.key'), out, { mode: 0o644 })
    chmodSync(join(back, 'mesh.key'), 0o644)
    const place = { passphraseFile: at('right') }
    const [was, is] = [await readMeshKey({ dir: at(from), ...place }), await readMeshKey({ dir: back, ...place })]
    expect(is.identity.peer).toBe(was.identity.peer)
    // What was put back for all to read is its owner's alone as soon as it is used.
    expect(statSync(join(back, 'mesh.key')).mode & 0o777).toBe(0o600)
  })

  test('of a key that does not open is none', async () => {
    cpSync(at('locked'), at('damaged'), { recursive: true })
    const text = readFileSync(at('damaged', 'mesh.key'), 'utf8')
    writeFileSync(
      at('damaged', 'mesh.key'),
      text.replace(/(?<="sealed":".{30})./, (old) => (old === 'A' ? 'B' : 'A')),
    )
    expect(await vxmesh('key', 'export', '--dir', at('damaged'), '--passphrase-file', at('right'))).toMatchObject({ code: 78, out: '' })
  })
})

/** The ways a private key may stand in a text. */
function secretForms(key: Uint8Array): readonly string[] {
  // Protobuf, then the seed and the public key, which is no secret.
  const seed = Buffer.from(key).subarray(4, 36)
  return [seed.toString('hex'), Buffer.from(key).toString('base64').slice(0, 40), seed.toString('base64').slice(0, 40)]
}
