/** The key of the mesh, which admits and revokes: made by `init`, kept where that was, plain or under a passphrase. No host needs it. */
import { chmodSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { accept, FIRST_KEY, keyOf, parseMeshId, type Lineage, type MeshId } from '@vxmesh/core'
import { certifyInvite, meshNamed, renderInvite } from '@vxmesh/gossip'
import { makeIdentity, parseIdentity, privateKeyBytes, type Identity } from '@vxmesh/gossip/libp2p'
import { createFile, makeDirectory, replaceFile } from './files.ts'
import { lineageFrom } from './succeeding.ts'
import { invalid, keyText, parseKey, readable, writing } from './keyfile.ts'
import { askPassphrase, isAttended, passphraseIn } from './passphrase.ts'
import { isSealed, seal, unseal } from './sealed.ts'

const MESH_KEY_FILE = 'mesh.key'
const INVITE_FILE = 'mesh.invite'

/** Where the key is, and the file with its passphrase, if it has one and is not to be asked for. */
export type KeyPlace = { readonly dir: string; readonly passphraseFile?: string | undefined }

/**
 * Makes a mesh: its key and an invite for all its hosts, in `directory`. Refuses to touch a mesh that is already there.
 * @param passphrase gives the one to keep the key under; called once nothing stands in the way
 */
export async function initMesh(
  directory: string,
  passphrase: () => Promise<string | undefined> = async () => undefined,
): Promise<{ readonly mesh: MeshId; readonly keyFile: string; readonly inviteFile: string }> {
  const keyFile = join(directory, MESH_KEY_FILE)
  const inviteFile = join(directory, INVITE_FILE)
  const meshKey = await makeIdentity()
  const invite = await makeIdentity()
  const line = renderInvite(certifyInvite(meshKey, invite.peer), privateKeyBytes(invite))
  for (const path of [keyFile, inviteFile]) {
    if (readable(path, '--dir') !== undefined)
      throw invalid(path, 'there is a mesh here already; choose another --dir, or move these files away')
  }
  const under = await passphrase()
  writing('--dir', directory, () => {
    makeDirectory(directory)
    createFile(keyFile, under === undefined ? keyText(meshKey) : sealedText(meshKey, under))
    try {
      createFile(inviteFile, `${line}\n`)
    } catch (error) {
      rmSync(keyFile)
      throw error
    }
  })
  return { mesh: meshNamed(meshKey.peer), keyFile, inviteFile }
}

/** A key of a mesh, and how it came to be one. */
export type MeshKey = {
  readonly identity: Identity
  readonly mesh: MeshId
  /** From the first key, which names the mesh, to this one. */
  readonly lineage: Lineage
  /** What it is kept under; undefined: it is plain. */
  readonly passphrase: string | undefined
}

/** The private key of the mesh, where `init` left it or its owner put it. */
export async function readMeshKey(place: KeyPlace): Promise<MeshKey> {
  const [text = '', ...lines] = keyFileText(place.dir).trim().split('\n')
  const path = join(place.dir, MESH_KEY_FILE)
  const passphrase = isSealed(text) ? await passphraseFor(place, path) : undefined
  const key = passphrase === undefined ? parseKey(Uint8Array.from(Buffer.from(text))) : accept(opened(path, text, passphrase))
  if (!key.ok) throw invalid(path, `${key.reason}; restore it from a backup`)
  return { ...descent(path, key.value, lines), identity: key.value, passphrase }
}

/** What begins a line after the key: then come the mesh, and the statement. */
const SUCCESSION = 'succession'

/** Which mesh a key is of, by the lines after it: one for each rotation, and what they say is no secret. */
function descent(path: string, { peer }: Identity, lines: readonly string[]): Pick<MeshKey, 'mesh' | 'lineage'> {
  const lineage = lineageOf(path, lines)
  const mesh = lineage[0]?.mesh ?? meshNamed(peer)
  if (keyOf(mesh, lineage) !== peer) throw invalid(path, ASTRAY)
  return { mesh, lineage }
}

const ASTRAY = 'the lines after the key do not lead to it; restore it from a backup, all of it'

function lineageOf(path: string, lines: readonly string[]): Lineage {
  const words = lines.map((line) => line.trim().split(' '))
  const mesh = parseMeshId(words[0]?.[1] ?? '')
  const texts = words.flatMap(([what, , text = '']) => (what === SUCCESSION ? [text] : []))
  if (words.length === 0) return FIRST_KEY
  const lineage = mesh.ok ? lineageFrom(mesh.value, texts) : mesh
  if (!lineage.ok || texts.length < lines.length) throw invalid(path, ASTRAY)
  return lineage.value
}

/** The keys of the mesh up to the one that is there, which is not opened for that. */
export function lineageIn(directory: string): Lineage {
  return lineageOf(join(directory, MESH_KEY_FILE), keyFileText(directory).trim().split('\n').slice(1))
}

/** The key with the lines that say which mesh it is of, as it stands in a file. */
function keyLines({ identity, lineage, passphrase }: Omit<MeshKey, 'mesh'>): string {
  const first = passphrase === undefined ? keyText(identity) : sealedText(identity, passphrase)
  return [first, ...lineage.map(({ mesh, bytes }) => `${SUCCESSION} ${mesh} ${Buffer.from(bytes).toString('base64')}\n`)].join('')
}

/** Puts another key in the place of the one that is there, which is kept beside it. Gives the file that it is in. */
export function replaceMeshKey(directory: string, next: MeshKey): string {
  const path = join(directory, MESH_KEY_FILE)
  const kept = `${path}.old-${String(next.lineage.length)}`
  const text = keyFileText(directory)
  const there = readable(kept, '--dir')
  if (there !== undefined && Buffer.from(there).toString('utf8') !== text)
    throw invalid(kept, 'the key before is to be kept there, and another file is: move it away')
  writing('--dir', directory, () => {
    if (there === undefined) createFile(kept, text)
    replaceFile(path, keyLines(next))
  })
  return kept
}

/** Refused unless a daemon is a member of the mesh that the key is of. */
export function checkMesh({ mesh }: MeshKey, theirs: string, { dir, control }: { readonly dir: string; readonly control: string }): void {
  if (mesh === theirs) return
  const reason = `the key there is of mesh ${mesh}, the daemon at ${control} is a member of ${theirs}`
  throw invalid(`--dir ${dir}`, reason)
}

/** What is in the file: to be put back as it is. Refused where there is none. */
function keyFileText(directory: string): string {
  const path = join(directory, MESH_KEY_FILE)
  const text = readable(path, '--dir')
  if (text === undefined)
    throw invalid(`--dir ${directory}`, `there is no ${MESH_KEY_FILE}; name the directory that "vxmesh init" put it in`)
  keepPrivate(path)
  return Buffer.from(text).toString('utf8')
}

/**
 * A backup of the key, one line and one for each rotation, that can be put back as mesh.key: under its passphrase where it has one, or under one that
 * is given now. It is opened first: a backup that nobody could open would be worse than none.
 */
export async function exportKey(place: KeyPlace): Promise<string> {
  const key = await readMeshKey(place)
  if (key.passphrase !== undefined || place.passphraseFile === undefined) return keyFileText(place.dir).trim()
  return keyLines({ ...key, passphrase: passphraseIn(place.passphraseFile) }).trim()
}

function sealedText(key: Identity, passphrase: string): string {
  return `${seal(key.peer, privateKeyBytes(key), passphrase)}\n`
}

function opened(path: string, text: string, passphrase: string): Identity {
  const bytes = unseal(text, passphrase)
  if (!bytes.ok) throw invalid(path, bytes.reason)
  const key = parseIdentity(bytes.value)
  if (!key.ok) throw invalid(path, `${key.reason}; restore it from a backup`)
  return key.value
}

async function passphraseFor({ passphraseFile }: KeyPlace, path: string): Promise<string> {
  if (passphraseFile !== undefined) return passphraseIn(passphraseFile)
  if (!isAttended()) throw invalid(path, 'it is under a passphrase: name a file that holds it with --passphrase-file, - for standard input')
  return askPassphrase(`passphrase of ${path}`)
}

/** A file that was put back by hand may have come with a mode that lets others read it. */
function keepPrivate(path: string): void {
  const { mode, uid } = statSync(path)
  if ((mode & 0o077) !== 0 && uid === process.getuid?.()) chmodSync(path, 0o600)
}
