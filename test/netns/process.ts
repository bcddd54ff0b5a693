/** Programs run for a test: to their end, or kept running and watched. Whatever they print is bounded. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'

/** How a program ended. */
export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** A program that runs beside the test. */
export type Process = {
  readonly pid: number
  /** What it printed on stdout and stderr, as it came; only the last ones are kept. */
  readonly lines: readonly string[]
  /** Its exit code, or the signal that ended it, once its output has been read to the end. Never rejects. */
  readonly exit: Promise<number | NodeJS.Signals>
  /** Signals this one process, by its id; nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void
}

const LINES_KEPT = 10_000
const LINE_LENGTH_KEPT = 64 * 1024
const OUTPUT_KEPT = 16 * 1024 * 1024

/** A command that takes longer hangs: everything run to its end here is a matter of milliseconds. */
const COMMAND_TIMEOUT = 60_000

/** Runs a program to its end and says how it ended; an exit code is an answer, not a failure. */
export async function outcome([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
  const limits = { maxBuffer: OUTPUT_KEPT, timeout: COMMAND_TIMEOUT, killSignal: 'SIGKILL' } as const
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...limits, env, encoding: 'utf8' }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number') resolve({ code, stdout, stderr })
      else reject(new Error(`${[command, ...args].join(' ')}: ${error?.message ?? 'no exit code'}\n${stderr}`, { cause: error }))
    })
  })
}

/** Runs a program that must succeed and gives what it printed. */
export async function run(argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await outcome(argv, env)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${String(code)}\n${stderr}${stdout}`)
  return stdout
}

export function start([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = process.env): Process {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const keep = (line: string): void => {
    lines.push(line)
    if (lines.length > LINES_KEPT) lines.shift()
  }
  readLines(child.stdout, keep)
  readLines(child.stderr, keep)
  const exit = ended(child, keep)
  // A command that could not even be started has no pid; its exit says so.
  return { pid: child.pid ?? 0, lines, exit, signal: (name) => void child.kill(name) }
}

async function ended(child: ChildProcess, keep: (line: string) => void): Promise<number | NodeJS.Signals> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      keep(error.message)
      resolve(127)
    })
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 127)
    })
  })
}

function readLines(stream: NodeJS.ReadableStream, keep: (line: string) => void): void {
  let carry = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const parts = (carry + chunk).split('\n')
    carry = (parts.pop() ?? '').slice(-LINE_LENGTH_KEPT)
    parts.forEach(keep)
  })
  stream.on('end', () => {
    if (carry !== '') keep(carry)
  })
}
