/** The one door to `ip` and `bridge`. */
import { MeshError } from '@vxmesh/core'
import { execa } from 'execa'
import { batchOf, type Command } from './render.ts'

/** What a tool answered. `ok` is its exit status, which says nothing of convergence. */
export type Answer = { readonly ok: boolean; readonly stdout: string; readonly stderr: string }

/** Long enough for ten thousand entries on a slow host (0.7 s measured), short enough to notice a stuck kernel. */
const TIMEOUT_MS = 10_000

const KILL_AFTER_MS = 2000

/** Messages are matched, so they must be in English; a user's PATH often lacks the system directories. */
function environment(): { LC_ALL: string; PATH: string } {
  return { LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` }
}

/** Runs one command. Throws `NOT_PERMITTED` when the tool is not installed; everything else it may say is an answer. */
export async function ask({ tool, args }: Command, input = ''): Promise<Answer> {
  const result = await execa(tool, args, {
    env: environment(),
    input,
    timeout: TIMEOUT_MS,
    forceKillAfterDelay: KILL_AFTER_MS,
    reject: false,
  })
  if (result.code === 'ENOENT' || result.code === 'EACCES') {
    throw new MeshError({ code: 'NOT_PERMITTED', reason: notInstalled(tool) }, { cause: result })
  }
  // A tool that was stopped, or ended without a word, is described by execa: `Command timed out after …`.
  const stderr =
    result.failed && (result.timedOut || result.stderr === '') ? `${result.stderr}\n${result.shortMessage ?? ''}`.trim() : result.stderr
  return { ok: !result.failed, stdout: result.stdout, stderr }
}

/** Runs lines of one tool, in order, whatever becomes of the others. A line with a foreign character is a bug and throws. */
export async function batch(tool: Command['tool'], lines: readonly string[]): Promise<Answer> {
  const odd = lines.find((line) => !/^[A-Za-z0-9.:/_ -]+$/.test(line))
  if (odd !== undefined) throw new Error(`not a line for a batch: ${JSON.stringify(odd)}`)
  return ask(batchOf(tool), lines.map((line) => `${line}\n`).join(''))
}

/** The lines, of output and complaint alike, of a command that runs until it dies or `signal` aborts. Never throws. */
export async function* follow({ tool, args }: Command, signal: AbortSignal): AsyncGenerator<string, void> {
  const child = execa(tool, args, {
    env: environment(),
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    cancelSignal: signal,
    forceKillAfterDelay: KILL_AFTER_MS,
  })
  yield* child.iterable({ from: 'all' })
  await child
}

function notInstalled(tool: Command['tool']): string {
  return `${tool} is not installed: it comes with iproute2 (apt-get install iproute2)`
}
