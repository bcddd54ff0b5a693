/** Command lines, as a test types them. */
import { createServer } from 'node:net'
import { vi } from 'vitest'
import { runCli } from './cli.ts'

/** What a command line printed, with the temporary directory left out, and how it exited. */
type Outcome = { readonly code: number; readonly out: string; readonly err: string }

export async function typed(directory: string, args: readonly string[]): Promise<Outcome> {
  const said = { out: '', err: '' }
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((said.out += String(text)), true))
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((said.err += String(text)), true))
  try {
    const code = await runCli(args)
    const short = (text: string): string => text.replaceAll(`${directory}/`, '').replaceAll(directory, '.')
    return { code, out: short(said.out), err: short(said.err) }
  } finally {
    out.mockRestore()
    err.mockRestore()
  }
}

export async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const place = server.address()
  await new Promise((resolve) => void server.close(resolve))
  return String(typeof place === 'object' ? place?.port : place)
}
