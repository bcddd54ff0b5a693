/** Passphrases come from a file, from standard input, or from a person at a terminal: never from the command line or the environment, which others can read. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { MeshError } from '@vxmesh/core'
import { trouble } from './files.ts'

const LENGTH_LEAST = 8
const LENGTH_MOST = 1024

/** What is in a file, `-` for standard input: its first line. */
export function passphraseIn(file: string): string {
  const flag = `--passphrase-file ${file}`
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw invalid(flag, `cannot be read: ${trouble(error)}`, error)
  }
  const [line = ''] = text.split(/\r?\n/)
  if (line === '' || line.length > LENGTH_MOST)
    throw invalid(flag, `its first line is to be a passphrase of 1 to ${String(LENGTH_MOST)} characters`)
  return line
}

/** Whether there is somebody to ask. */
export function isAttended(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Asks the person at the terminal; what is typed is not shown. */
export async function askPassphrase(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // First the terminal stops to show what is typed, then it is asked for.
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  process.stderr.write(`${question}: `)
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('line', resolve)
      terminal.once('close', () => reject(new MeshError({ code: 'USAGE', reason: 'no passphrase was given' })))
    })
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

/** A new one: from a file, or asked for twice. */
export async function newPassphrase(file: string | undefined): Promise<string> {
  if (file === undefined && !isAttended()) {
    throw new MeshError({ code: 'USAGE', reason: '--ask-passphrase: there is no terminal to ask on; name a file with --passphrase-file' })
  }
  const passphrase = file === undefined ? await askPassphrase('new passphrase for the key of the mesh') : passphraseIn(file)
  const where = file === undefined ? 'passphrase' : `--passphrase-file ${file}`
  if (passphrase.length < LENGTH_LEAST) throw invalid(where, `too short: at least ${String(LENGTH_LEAST)} characters`)
  if (file === undefined && (await askPassphrase('once more')) !== passphrase) throw invalid(where, 'the two are not the same')
  return passphrase
}

function invalid(where: string, reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause })
}
