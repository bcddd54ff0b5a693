/** The caller's side of the daemon's sockets. */
import { existsSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { MeshError, messageOf } from '@vxmesh/core'
import { z } from 'zod'
import { statusSocket } from './defaults.ts'
import { reach } from './exclusive.ts'

/** How long a daemon may take to answer, in milliseconds. */
const PATIENCE = 10_000

/** How often to look whether one has ended, in milliseconds. */
const LOOK_EVERY = 20

/** Why a daemon did not do what it was asked: the shape that fastify gives to errors. */
const complaintAnswer = z.object({ message: z.string() })

/** Asks the daemon. Throws `NO_DAEMON` when none answers, or none that speaks this version, and `UNFINISHED` when it refuses. */
export async function ask<Answer>(
  control: string,
  method: 'GET' | 'POST',
  path: string,
  answer: z.ZodType<Answer>,
  content?: object,
): Promise<Answer> {
  try {
    const { status, body } = await callAt(control, method, path, content)
    const parsed = status === 200 ? answer.safeParse(JSON.parse(body)) : undefined
    if (parsed?.success === true) return parsed.data
    const complaint = status === 200 ? undefined : complaintAnswer.safeParse(JSON.parse(body)).data
    // One that starts, or that knows no such question, is as good as none; one that refuses says why.
    if (complaint !== undefined && ![404, 503].includes(status)) throw new MeshError({ code: 'UNFINISHED', reason: complaint.message })
    throw noDaemon(control, complaint?.message ?? 'what answers there is of another version')
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw noDaemon(control, reasonOf(control, error), error)
  }
}

/** What waits until the daemon that has the control socket now has ended, at most for as long as one may take to answer: it takes that away last. */
export function endOf(control: string): () => Promise<void> {
  const before = identity(control)
  const gone = async (patience: number): Promise<void> => {
    if (patience <= 0 || before === undefined || identity(control) !== before) return
    await pause(LOOK_EVERY)
    await gone(patience - LOOK_EVERY)
  }
  return async () => gone(PATIENCE)
}

/** Tells a file from another of that name; undefined: there is none, or none that we may see. */
function identity(path: string): string | undefined {
  try {
    const { ino, ctimeNs } = statSync(path, { bigint: true })
    return `${String(ino)} ${String(ctimeNs)}`
  } catch {
    return undefined
  }
}

async function callAt(
  control: string,
  method: string,
  path: string,
  content: object | undefined,
): Promise<Awaited<ReturnType<typeof call>>> {
  // Who only asks may do so where more are let in; daemons of before have no such place.
  const telling = statusSocket(control)
  const place = reach(method === 'GET' && existsSync(telling) ? telling : control)
  try {
    return await call(place.path, method, path, content)
  } finally {
    place.close()
  }
}

async function call(
  socketPath: string,
  method: string,
  path: string,
  content: object | undefined,
): Promise<{ readonly status: number; readonly body: string }> {
  const headers = content === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    // A connection of its own: the short path may have led elsewhere the last time.
    const outgoing = request({ socketPath, method, path, headers, timeout: PATIENCE, agent: false }, (incoming) => {
      resolve(text(incoming).then((body) => ({ status: incoming.statusCode ?? 0, body })))
    })
    outgoing.once('timeout', () => outgoing.destroy(new Error('it does not answer in time')))
    outgoing.once('error', reject)
    outgoing.end(content === undefined ? undefined : JSON.stringify(content))
  })
}

function reasonOf(control: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such socket; start one with "vxmesh up", or name its socket with --control'
  if (code === 'ENOTDIR') return 'what is above it is no directory; name the socket of a daemon with --control'
  if (code === 'ECONNREFUSED')
    return isSocket(control) ? 'nobody listens on that socket any more' : 'that is no socket; name that of a daemon with --control'
  if (code === 'EINVAL' || code === 'ENAMETOOLONG') return 'the name is too long for a socket; name that of a daemon with --control'
  if (code === 'EAGAIN') return 'too many wait there already, and it does not answer them'
  if (error instanceof SyntaxError) return 'what answers there is no daemon'
  if (code === 'EACCES')
    return 'permission denied; it belongs to the user that runs the daemon, and what only tells to the group of the directory as well'
  if (code === 'ECONNRESET') return 'it hung up: too many may be asking it; try again'
  return messageOf(error)
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

function noDaemon(control: string, reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'NO_DAEMON', control, reason }, { cause })
}
