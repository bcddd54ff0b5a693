/**
 * One daemon for one socket, one state directory, one tunnel. A listening unix socket is the lock: the kernel lets go of
 * it however its owner ends, and whether somebody still listens is found out by connecting.
 */
import { chmodSync, closeSync, constants, existsSync, lstatSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { MeshError } from '@vxmesh/core'
import { makeDirectory, removeEmpty, trouble } from './files.ts'

export type Lock = { release(): Promise<void> }

/** What a lock stands for when it is taken, and the flag that says where it is. */
export type Meaning = { readonly what: string; readonly flag: string }

/** Takes a lock, or throws `ALREADY_RUNNING` saying what is taken. */
export async function lock(path: string, meaning: Meaning): Promise<Lock> {
  const server = createServer((connection) => connection.destroy())
  server.unref()
  const withdraw = await listenAlone(path, meaning, async (reachable) => listen(server, reachable))
  return {
    release: async () => {
      withdraw()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * Lets `listen` bind a unix socket at `path`, mode 0600, unless somebody listens there already. A socket that a dead
 * process left behind is removed. Gives what takes the socket away again, and every directory that was made for it and
 * is empty. That comes before listening ends: once nobody listens any more, what is there may be somebody else's.
 * @param listen gets a path to the same place that is short whatever `path` is: a socket's may only have 107 bytes
 */
export async function listenAlone(
  path: string,
  { what, flag }: Meaning,
  listen: (reachable: string) => Promise<unknown>,
): Promise<() => void> {
  const { place, made } = reachOwn(path, flag)
  const taken = new MeshError({ code: 'ALREADY_RUNNING', reason: `${what} is taken by another daemon (${path})` })
  try {
    const there = occupant(path)
    if (there?.socket === false) throw invalid(flag, `${path} is there already and is no socket: it is left alone; choose another place`)
    if (there !== undefined && (await answers(place.path))) throw taken
    // Meanwhile another daemon that starts may have put its own there: then this one is too late, and finds out below.
    if (there !== undefined && occupant(path)?.identity === there.identity) rmSync(path)
    await listen(place.path)
    chmodSync(path, 0o600)
  } catch (error) {
    removeEmpty(made)
    if (error instanceof MeshError) throw error
    // Whoever was faster has it: of two that bind one name the kernel refuses the second.
    throw codeOf(error) === 'EADDRINUSE' ? taken : invalid(flag, `${unusable(error)}; choose another place`, error)
  } finally {
    place.close()
  }
  return () => {
    rmSync(path, { force: true })
    removeEmpty(made)
  }
}

/** What is at a path; undefined when nothing is. An inode alone is no identity: the next file may be given the same. */
function occupant(path: string): { readonly socket: boolean; readonly identity: string } | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  return there && { socket: there.isSocket(), identity: `${String(there.ino)} ${String(there.ctimeNs)}` }
}

/** Where Linux shows a process its open files; elsewhere a path is used as it is. */
const HANDLES = '/proc/self/fd'

type Place = { readonly path: string; close(): void }

/**
 * A path to the same place that is short whatever `path` is: through the directory, held open, under /proc. Throws
 * what the system says where the directory cannot be opened.
 */
export function reach(path: string): Place {
  const handle = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  if (existsSync(HANDLES)) return { path: join(HANDLES, String(handle), basename(path)), close: () => closeSync(handle) }
  closeSync(handle)
  return { path, close: () => {} }
}

function reachOwn(path: string, flag: string): { readonly place: Place; readonly made: readonly string[] } {
  let made: readonly string[] = []
  try {
    made = makeDirectory(dirname(path))
    return { place: reach(path), made }
  } catch (error) {
    removeEmpty(made)
    throw invalid(flag, `${trouble(error)}; choose another place`, error)
  }
}

/** Whether anybody listens at a path: every answer but these two, a full queue for one, is that of somebody. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', (error) => {
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? ''))
    })
  })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** Why nobody can listen there: what is too long for a socket the system calls an invalid argument. */
function unusable(error: unknown): string {
  return codeOf(error) === 'EINVAL' ? 'the name is too long for a socket' : trouble(error)
}

function invalid(where: string, reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause })
}
