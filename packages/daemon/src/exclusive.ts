/**
 * One daemon for one socket, one state directory, one tunnel. A listening unix socket is the lock: the kernel lets go of
 * it however its owner ends, and whether somebody still listens is found out by connecting.
 */
import { chmodSync, closeSync, constants, existsSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { MeshError } from '@vxmesh/core'
import { makeDirectory } from './files.ts'

export type Lock = { release(): Promise<void> }

/** Takes a lock, or throws `ALREADY_RUNNING` saying what is taken. */
export async function lock(path: string, what: string): Promise<Lock> {
  const server = createServer((connection) => connection.destroy())
  server.unref()
  await listenAlone(path, what, async (reachable) => listen(server, reachable))
  return {
    release: async () => {
      await new Promise((resolve) => {
        server.close(resolve)
      })
      rmSync(path, { force: true })
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
 * process left behind is removed.
 * @param listen gets a path to the same place that is short whatever `path` is: a socket's may only have 107 bytes
 */
export async function listenAlone(path: string, what: string, listen: (reachable: string) => Promise<unknown>): Promise<void> {
  const place = reachOwn(path)
  try {
    if (await answers(place.path)) throw new MeshError({ code: 'ALREADY_RUNNING', reason: `${what} is taken by another daemon (${path})` })
    rmSync(path, { force: true })
    await listen(place.path)
    chmodSync(path, 0o600)
  } finally {
    place.close()
  }
}

/** Where Linux shows a process its open files; elsewhere a path is used as it is. */
const HANDLES = '/proc/self/fd'

type Place = { readonly path: string; close(): void }

/**
 * A path to the same place that is short whatever `path` is: through the directory, held open, under /proc. Undefined
 * where there is no such directory.
 */
export function reach(path: string): Place | undefined {
  try {
    const handle = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
    if (!existsSync(HANDLES)) {
      closeSync(handle)
      return { path, close: () => {} }
    }
    return { path: join(HANDLES, String(handle), basename(path)), close: () => closeSync(handle) }
  } catch {
    return undefined
  }
}

function reachOwn(path: string): Place {
  const directory = dirname(path)
  let reason = 'not a directory'
  try {
    makeDirectory(directory)
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error)
  }
  const place = reach(path)
  if (place === undefined) throw new MeshError({ code: 'CONFIG_INVALID', where: directory, reason: `cannot be used: ${reason}` })
  return place
}

/** Whether anybody accepts connections at a path. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => {
      resolve(false)
    })
  })
}
