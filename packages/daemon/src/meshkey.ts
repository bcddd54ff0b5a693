/** The key of the mesh, which admits and revokes: made by `init`, kept where that was, plain or under a passphrase. No host needs it. */
import { chmodSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseMeshId, type MeshId } from '@vxmesh/core'
import { certifyInvite, renderInvite } from '@vxmesh/gossip'
import { makeIdentity, parseIdentity, privateKeyBytes, type Identity } from '@vxmesh/gossip/libp2p'
import { createFile, makeDirectory } from './files.ts'
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
  const mesh = parseMeshId(meshKey.peer)
  if (!mesh.ok) throw new Error('a peer id that is no mesh id')
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
  return { mesh: mesh.value, keyFile, inviteFile }
}

/** The private key of the mesh, where `init` left it or its owner put it. */
export async function readMeshKey(place: KeyPlace): Promise<Identity> {
  const text = keyFileText(place.dir)
  const path = join(place.dir, MESH_KEY_FILE)
  if (isSealed(text)) return opened(path, text, await passphraseFor(place, path))
  const key = parseKey(Uint8Array.from(Buffer.from(text)))
  if (!key.ok) throw invalid(path, `${key.reason}; restore it from a backup`)
  return key.value
}

/** What is in the file: to be put back as it is. Refused where there is none. */
export function keyFileText(directory: string): string {
  const path = join(directory, MESH_KEY_FILE)
  const text = readable(path, '--dir')
  if (text === undefined)
    throw invalid(`--dir ${directory}`, `there is no ${MESH_KEY_FILE}; name the directory that "vxmesh init" put it in`)
  keepPrivate(path)
  return Buffer.from(text).toString('utf8')
}

/**
 * A backup of the key, one line that can be put back as mesh.key: under its passphrase where it has one, or under one that
 * is given now. It is opened first: a backup that nobody could open would be worse than none.
 */
export async function exportKey(place: KeyPlace): Promise<string> {
  const key = await readMeshKey(place)
  const text = keyFileText(place.dir)
  if (isSealed(text)) return text.trim()
  return (place.passphraseFile === undefined ? keyText(key) : sealedText(key, passphraseIn(place.passphraseFile))).trim()
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
