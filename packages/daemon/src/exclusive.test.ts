import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MeshError } from '@vxmesh/core'
import { lock, reach, type Lock } from './exclusive.ts'

let directory = ''
let path = ''
const held: Lock[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-exclusive-'))
  path = join(directory, 'lock')
})

afterEach(async () => {
  for (const each of held.splice(0)) await each.release()
  rmSync(directory, { recursive: true })
})

async function take(at = path): Promise<Lock> {
  const taken = await lock(at, { what: 'the test', flag: '--test' })
  held.push(taken)
  return taken
}

/** What comes of taking a lock, with the temporary directory left out. */
async function outcome(at = path): Promise<string> {
  try {
    await take(at)
    return 'taken'
  } catch (error) {
    if (error instanceof MeshError) return `${error.failure.code}: ${error.message.replaceAll(directory, '')}`
    throw error
  }
}

const OCCUPIED = 'CONFIG_INVALID: --test: /lock is there already and is no socket: it is left alone; choose another place'

/** A socket whose owner died. */
async function leaveStaleSocket(): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(`${path}.dying`, resolve))
  // A listening socket that was renamed is not found, and so not removed, when its owner closes it.
  renameSync(`${path}.dying`, path)
  await new Promise((resolve) => void server.close(resolve))
}

describe('a lock', () => {
  test('is a socket for its owner alone, in a directory that is made', async () => {
    await take(join(directory, 'a', 'b', 'lock'))
    expect((statSync(join(directory, 'a', 'b', 'lock')).mode & 0o777).toString(8)).toBe('600')
    expect((statSync(join(directory, 'a', 'b')).mode & 0o777).toString(8)).toBe('700')
  })

  test('that is held is refused to another, and still held after that', async () => {
    await take()
    expect(await outcome()).toBe('ALREADY_RUNNING: the test is taken by another daemon (/lock)')
    expect(await outcome()).toBe('ALREADY_RUNNING: the test is taken by another daemon (/lock)')
    expect(readdirSync(directory)).toEqual(['lock'])
  })

  test('that was let go of leaves nothing, and can be taken', async () => {
    await (await take()).release()
    held.length = 0
    expect(readdirSync(directory)).toEqual([])
    expect(await outcome()).toBe('taken')
  })

  test('whose owner died can be taken', async () => {
    await leaveStaleSocket()
    expect(statSync(path).isSocket()).toBe(true)
    expect(await outcome()).toBe('taken')
    expect(readdirSync(directory)).toEqual(['lock'])
  })

  test.each(['nothing is there', 'there is the socket of one that died'])(
    'that many want at once is had by one, where %s',
    async (what) => {
      if (what !== 'nothing is there') await leaveStaleSocket()
      const outcomes = await Promise.all(Array.from({ length: 8 }, async () => outcome()))
      expect(outcomes.filter((each) => each === 'taken')).toHaveLength(1)
      expect(new Set(outcomes)).toEqual(new Set(['taken', 'ALREADY_RUNNING: the test is taken by another daemon (/lock)']))
      expect(await outcome()).toMatch(/^ALREADY_RUNNING/)
    },
  )

  test('may have a path that is too long for a socket', async () => {
    const deep = join(directory, 'x'.repeat(60), 'y'.repeat(60))
    expect(await outcome(join(deep, 'lock'))).toBe('taken')
    expect(await outcome(join(deep, 'lock'))).toMatch(/^ALREADY_RUNNING/)
    expect(readdirSync(deep)).toEqual(['lock'])
  })

  test('may have a path from here', async () => {
    const before = process.cwd()
    process.chdir(directory)
    try {
      expect(await outcome('lock')).toBe('taken')
    } finally {
      process.chdir(before)
    }
    expect(await outcome()).toMatch(/^ALREADY_RUNNING/)
  })

  test('does not touch a file that is in its place', async () => {
    writeFileSync(path, 'precious')
    expect(await outcome()).toBe(OCCUPIED)
    expect(readFileSync(path, 'utf8')).toBe('precious')
  })

  test('does not touch a directory that is in its place', async () => {
    mkdirSync(path)
    expect(await outcome()).toBe(OCCUPIED)
  })

  test('below a file is refused', async () => {
    writeFileSync(path, '')
    expect(await outcome(join(path, 'lock'))).toBe('CONFIG_INVALID: --test: /lock is no directory; choose another place')
    expect(await outcome(join(path, 'deeper', 'lock'))).toBe('CONFIG_INVALID: --test: /lock is no directory; choose another place')
  })

  test('with a name that no file can have is refused in one line', async () => {
    expect(await outcome(join(directory, 'x'.repeat(300)))).toBe('CONFIG_INVALID: --test: the name is too long; choose another place')
  })

  test('with a name that no socket can have is refused in one line, and leaves nothing', async () => {
    expect(await outcome(join(directory, 'a', 'x'.repeat(150)))).toBe(
      'CONFIG_INVALID: --test: the name is too long for a socket; choose another place',
    )
    expect(readdirSync(directory)).toEqual([])
  })

  test('where the system lets nobody make a directory is refused at once', async () => {
    expect(await outcome('/proc/nope/deeper/lock')).toBe('CONFIG_INVALID: --test: /proc/nope cannot be made there; choose another place')
  })

  test('takes the directories that were made for it away again, unless something is in them', async () => {
    mkdirSync(join(directory, 'a'))
    for (const at of ['a/b/c/lock', 'a/d/lock']) await take(join(directory, at))
    writeFileSync(join(directory, 'a', 'd', 'file'), '')
    for (const each of held.splice(0)) await each.release()
    expect(readdirSync(directory, { recursive: true }).map(String).toSorted()).toEqual(['a', 'a/d', 'a/d/file'])
  })
})

test('nothing stays open after many tries', async () => {
  await take()
  const before = readdirSync('/proc/self/fd').length
  for (let count = 0; count < 20; count++) await outcome()
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 1)
})

test('a place is reached by a short path, until it is closed', () => {
  writeFileSync(join(directory, 'there'), 'x')
  const place = reach(join(directory, 'there'))
  expect(place.path.length).toBeLessThan(60)
  expect(readFileSync(place.path, 'utf8')).toBe('x')
  place.close()
})
