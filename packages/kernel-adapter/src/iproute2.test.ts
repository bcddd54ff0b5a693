import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ask, batch, open } from './iproute2.ts'
import type { Command } from './render.ts'

const IP: Command = { tool: 'ip', args: ['link', 'show', 'dev', 'a b'] }

/** A directory in front of the PATH, with an `ip` and a `bridge` that do what the test says. */
let tools: string

beforeEach(async () => {
  tools = await mkdtemp(join(tmpdir(), 'vxmesh-tools-'))
  vi.stubEnv('PATH', `${tools}:${process.env['PATH'] ?? ''}`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(tools, { recursive: true })
})

async function install(tool: string, script: string): Promise<void> {
  const path = join(tools, tool)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}

test('arguments arrive as they are, in the C locale', async () => {
  await install('ip', 'printf "%s|" "$LC_ALL" "$@"')
  expect(await ask(IP)).toEqual({ ok: true, stdout: 'C|link|show|dev|a b|', stderr: '' })
})

test('a failure is an answer', async () => {
  await install('ip', 'echo "Device does not exist." >&2; exit 1')
  expect(await ask(IP)).toEqual({ ok: false, stdout: '', stderr: 'Device does not exist.' })
})

test('a tool that ends by a signal has failed, and something is said of it', async () => {
  await install('ip', 'kill -9 $$')
  const { ok, stderr } = await ask(IP)
  expect(ok).toBe(false)
  expect(stderr).toContain('SIGKILL')
})

test('lines of a batch arrive on the input of the tool', async () => {
  await install('bridge', 'echo "$@"; cat')
  const lines = ['fdb append 00:00:00:00:00:00 dst fd00::5 dev provider0', 'fdb delete 00:00:00:00:00:00 dst 10.0.0.1 dev a.b_c-d']
  expect(await batch('bridge', lines)).toMatchObject({ ok: true, stdout: ['-force -batch -', ...lines].join('\n') })
})

test('a line with anything but plain characters is not for a batch', async () => {
  await install('bridge', 'cat')
  const odd = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => /[^A-Za-z0-9.:/_ -]/.test(text))
  await fc.assert(
    fc.asyncProperty(odd, async (text) => {
      await expect(batch('bridge', ['fdb', `fdb ${text}`])).rejects.toThrow('not a line for a batch')
    }),
  )
  await expect(batch('bridge', ['fdb append\nfdb delete'])).rejects.toThrow('not a line for a batch')
  await expect(batch('bridge', [''])).rejects.toThrow('not a line for a batch')
})

async function hearAll(command: Command, lines: readonly string[] = []): Promise<{ readonly stdout: string[]; readonly stderr: string[] }> {
  const heard = { stdout: [] as string[], stderr: [] as string[] }
  const child = open(command, { stdout: (line) => void heard.stdout.push(line), stderr: (line) => void heard.stderr.push(line) })
  if (lines.length > 0) child.write(lines)
  await child.ended
  return heard
}

test('an open command is heard by its lines, of output and complaint, to its end', async () => {
  await install('bridge', 'echo one; echo two >&2; printf thr; printf "ee\\n\\nfour\\n"; exit 3')
  expect(await hearAll({ tool: 'bridge', args: [] })).toEqual({ stdout: ['one', 'three', '', 'four'], stderr: ['two'] })
})

test('an open command is written to by the line, and never a foreign character', async () => {
  await install('bridge', 'read one; read two; echo "$two $one"')
  expect(await hearAll({ tool: 'bridge', args: [] }, ['fdb show', 'fdb get'])).toEqual({ stdout: ['fdb get fdb show'], stderr: [] })
  await install('bridge', 'cat')
  const child = open({ tool: 'bridge', args: [] }, { stdout: () => undefined, stderr: () => undefined })
  expect(() => child.write(['fdb', 'fdb\nfdb'])).toThrow('not a line for a batch')
  child.end()
  await child.ended
})

test('an open command ends when it is told to, and one that is not there has ended', async () => {
  await install('bridge', 'echo $$; exec cat /dev/zero > /dev/null')
  const pids: number[] = []
  const child = open(
    { tool: 'bridge', args: [] },
    {
      stdout: (line) => {
        pids.push(Number(line))
        child.end()
      },
      stderr: () => undefined,
    },
  )
  await child.ended
  expect(pids).toHaveLength(1)
  expect(() => process.kill(pids[0]!, 0)).toThrow('ESRCH')
  vi.stubEnv('PATH', tools)
  await rm(join(tools, 'bridge'))
  const never: Command = { tool: 'bridge', args: ['--no-such-option'] }
  expect((await hearAll(never, ['fdb'])).stdout).toEqual([])
})
