import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startCoprocess } from './coprocess.ts'

/**
 * A `bridge` that counts its lines and answers as iproute2 does: what is shown on one line, a reason and `Command failed`
 * on stderr; but out of order, stderr first. `die` is its end.
 */
const BRIDGE = `#!/bin/sh
number=0
while read -r line; do
  number=$((number + 1))
  case $line in
    *show*nope) printf 'Cannot find device "nope"\\nCommand failed -:%d\\n' $number >&2 ;;
    *show*) shown="$shown[\\"$line\\"]\\n" ;;
    *bad*) printf 'RTNETLINK answers: %s\\nCommand failed -:%d\\n' "$line" $number >&2 ;;
    die) exit 1 ;;
    hang) exec sleep 100 ;;
    end-of-lines) printf 'Object "end-of-lines" is unknown, try "bridge help".\\nCommand failed -:%d\\n' $number >&2
      printf "$shown"; shown= ;;
  esac
done
`

let tools: string

beforeEach(async () => {
  tools = await mkdtemp(join(tmpdir(), 'vxmesh-tools-'))
  vi.stubEnv('PATH', `${tools}:${process.env['PATH'] ?? ''}`)
  await writeFile(join(tools, 'bridge'), BRIDGE)
  await chmod(join(tools, 'bridge'), 0o755)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(tools, { recursive: true })
})

test('what is shown is the answer, one after the other, however they are asked', async () => {
  const bridge = startCoprocess('bridge')
  const lines = ['fdb show a', 'fdb show b', 'fdb show c']
  expect(await Promise.all(lines.map(async (line) => bridge.show(line)))).toEqual(
    lines.map((line) => ({ ok: true, stdout: `["${line}"]`, stderr: '' })),
  )
  await bridge.close()
})

test('what cannot be shown is a failure, and what is asked next is not', async () => {
  const bridge = startCoprocess('bridge')
  expect(await bridge.show('fdb show nope')).toEqual({ ok: false, stdout: '', stderr: 'Cannot find device "nope"' })
  expect(await bridge.show('fdb show a')).toMatchObject({ ok: true, stdout: '["fdb show a"]' })
  await bridge.close()
})

test('complaints are told by the number of the line in what was written, whatever was written before', async () => {
  const bridge = startCoprocess('bridge')
  expect(await bridge.write(['good', 'good'])).toEqual(new Map())
  expect(await bridge.write(['good', 'bad one', 'good', 'bad two'])).toEqual(
    new Map([
      [2, 'RTNETLINK answers: bad one'],
      [4, 'RTNETLINK answers: bad two'],
    ]),
  )
  expect(await bridge.write(['bad three'])).toEqual(new Map([[1, 'RTNETLINK answers: bad three']]))
  await bridge.close()
})

test('one that dies leaves nobody waiting, neither for this nor for what comes after', async () => {
  const bridge = startCoprocess('bridge')
  const answers = await Promise.allSettled([bridge.write(['good', 'die', 'good']), bridge.show('fdb show a')])
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(bridge.write(['good'])).rejects.toThrow('bridge has ended')
  await bridge.close()
})

test('one that hangs is given up, soon where it has never answered', async () => {
  const bridge = startCoprocess('bridge')
  await expect(bridge.write(['hang'])).rejects.toThrow('bridge does not answer')
  await bridge.close()
})

test('one that cannot be started has ended', async () => {
  vi.stubEnv('PATH', tools)
  await writeFile(join(tools, 'bridge'), '')
  const bridge = startCoprocess('bridge')
  await expect(bridge.write(['good'])).rejects.toThrow('bridge has ended')
  await bridge.close()
})
