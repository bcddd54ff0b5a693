/** What the files with keys have in common: how a key is written, and what is said when a file cannot be. */
import { dirname } from 'node:path'
import { MeshError, type Bytes, type Result } from '@vxmesh/core'
import { parseIdentity, privateKeyBytes, type Identity } from '@vxmesh/gossip/libp2p'
import { readOptional, trouble } from './files.ts'

export function keyText(identity: Identity): string {
  return `${Buffer.from(privateKeyBytes(identity)).toString('base64')}\n`
}

export function parseKey(text: Bytes): Result<Identity> {
  return parseIdentity(Uint8Array.from(Buffer.from(Buffer.from(text).toString('utf8'), 'base64')))
}

export function readable(path: string, flag: string): Bytes | undefined {
  try {
    return readOptional(path)
  } catch (error) {
    throw invalid(`${flag} ${dirname(path)}`, `${path} cannot be read: ${trouble(error)}; choose another place`, error)
  }
}

/** Does what writes to a directory, and says of a failure where it was. */
export function writing(flag: string, directory: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    throw invalid(`${flag} ${directory}`, `cannot write there: ${trouble(error)}; choose another place`, error)
  }
}

export function invalid(where: string, reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause })
}
