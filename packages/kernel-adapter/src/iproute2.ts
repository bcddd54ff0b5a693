/** The one door to `ip` and `bridge`, to `nft`, and to `ovs-vsctl`. */
import { MeshError } from '@vxmesh/core'
import { execa } from 'execa'
import { batchOf, batchUntilRefused, type Call, type Command } from './render.ts'

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
export async function ask({ tool, args }: Call, input = ''): Promise<Answer> {
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
  return ask(batchOf(tool), script(lines))
}

/** Runs lines of one tool, in order, up to the first that it is refused. */
export async function untilRefused(tool: Command['tool'], lines: readonly string[]): Promise<Answer> {
  return ask(batchUntilRefused(tool), script(lines))
}

/** Runs lines of nft, all of them or none. */
export async function transact(lines: readonly string[]): Promise<Answer> {
  return ask({ tool: 'nft', args: ['-f', '-'] }, script(lines, /^[A-Za-z0-9.:/_ @,;&=!{}-]+$/))
}

/** The only way to the input of a batch, which takes an embedded newline for a second command. */
function script(lines: readonly string[], plain = /^[A-Za-z0-9.:/_ -]+$/): string {
  const odd = lines.find((line) => !plain.test(line))
  if (odd !== undefined) throw new Error(`not a line for a batch: ${JSON.stringify(odd)}`)
  return lines.map((line) => `${line}\n`).join('')
}

/** A command that runs on, is written to, and is heard by the line. */
export type Child = {
  write(lines: readonly string[]): void
  /** Closes its input, and kills it if that is not enough. */
  end(): void
  /** Resolves when it has ended and all it said was heard; never rejects. */
  readonly ended: Promise<unknown>
}

export type Ears = { readonly stdout: (line: string) => void; readonly stderr: (line: string) => void }

/** Starts a command to talk with. One that cannot be started has ended. It dies with this process, whose end it reads on its input. */
export function open({ tool, args }: Command, ears: Ears): Child {
  const child = execa(tool, args, { env: environment(), buffer: false, reject: false, forceKillAfterDelay: KILL_AFTER_MS })
  byLine(child.stdout, ears.stdout)
  byLine(child.stderr, ears.stderr)
  // Writing to one that has just died: that it has ended is told by its end.
  child.stdin.on('error', () => undefined)
  return {
    write: (lines) => void child.stdin.write(script(lines)),
    end: () => {
      child.stdin.end()
      child.kill()
    },
    ended: child,
  }
}

function byLine(stream: NodeJS.ReadableStream, hear: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const [first = '', ...others] = chunk.split('\n')
    rest += first
    for (const next of others) {
      hear(rest)
      rest = next
    }
  })
}

function notInstalled(tool: Call['tool']): string {
  const from = { ip: 'iproute2', bridge: 'iproute2', nft: 'nftables', 'ovs-vsctl': 'openvswitch-switch' }[tool]
  return `${tool} is not installed: it comes with ${from} (apt-get install ${from})`
}
