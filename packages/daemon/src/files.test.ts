import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFile, makeDirectory, readOptional, removeEmpty, replaceFile, trouble } from './files.ts'

let directory = ''
let path = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-files-'))
  path = join(directory, 'state.json')
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8)
}

describe('a file that is replaced', () => {
  test('has the new content, whole, for its owner alone, and nothing lies beside it', () => {
    replaceFile(path, 'old, and longer')
    replaceFile(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(modeOf(path)).toBe('600')
    expect(readdirSync(directory)).toEqual(['state.json'])
  })

  test('may hold any bytes, many, or none', () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 256)
    replaceFile(path, bytes)
    expect(readOptional(path)).toEqual(bytes)
    replaceFile(path, '')
    expect(readOptional(path)).toEqual(new Uint8Array(0))
  })

  test('takes the place of what a crash left beside it, whoever might read that', () => {
    writeFileSync(`${path}.new`, 'half of', { mode: 0o644 })
    replaceFile(path, 'new')
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['new', '600'])
    expect(readdirSync(directory)).toEqual(['state.json'])
  })

  test('where there can be no new one stays as it was', () => {
    replaceFile(path, 'old')
    mkdirSync(`${path}.new`)
    expect(() => replaceFile(path, 'new')).toThrow(/EISDIR/)
    expect(readFileSync(path, 'utf8')).toBe('old')
  })

  test('that cannot be put in its place leaves nothing beside it', () => {
    mkdirSync(path)
    writeFileSync(join(path, 'theirs'), '')
    expect(() => replaceFile(path, 'new')).toThrow(/EISDIR|ENOTEMPTY/)
    expect(readdirSync(directory)).toEqual(['state.json'])
    expect(readdirSync(path)).toEqual(['theirs'])
  })

  test('in a directory that is none fails', () => {
    expect(() => replaceFile(join(directory, 'absent', 'file'), 'new')).toThrow(/ENOENT/)
  })
})

describe('a file that is made', () => {
  test('is for its owner alone', () => {
    createFile(path, 'key')
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['key', '600'])
  })

  test('never takes the place of another', () => {
    createFile(path, 'first')
    expect(() => createFile(path, 'second')).toThrow(/EEXIST/)
    expect(readFileSync(path, 'utf8')).toBe('first')
  })

  test('does not follow a link that leads nowhere', () => {
    symlinkSync(join(directory, 'elsewhere'), path)
    expect(() => createFile(path, 'key')).toThrow(/EEXIST/)
    expect(readdirSync(directory)).toEqual(['state.json'])
  })
})

describe('what is read', () => {
  test('is nothing where there is no file', () => {
    expect(readOptional(path)).toBeUndefined()
  })

  test('is an error where there is something else: an unreadable file is not an absent one', () => {
    mkdirSync(path)
    expect(() => readOptional(path)).toThrow(/EISDIR/)
    expect(() => readOptional(join(path, 'file', 'below'))).not.toThrow()
  })
})

test('a directory is made with its parents, for its owner alone, and left as it is if it is there', () => {
  const deep = join(directory, 'a', 'b')
  expect(makeDirectory(deep)).toEqual([join(directory, 'a'), deep])
  expect(modeOf(deep)).toBe('700')
  expect(makeDirectory(deep)).toEqual([])
})

test('directories are removed from the innermost on, up to one in which there is something', () => {
  const made = makeDirectory(join(directory, 'a', 'b', 'c'))
  writeFileSync(join(directory, 'a', 'file'), '')
  removeEmpty(made)
  expect(readdirSync(join(directory, 'a'))).toEqual(['file'])
})

test.each<[string, () => unknown, string]>([
  ['a directory where nobody can make one', () => makeDirectory('/proc/nope/deeper'), '/proc/nope cannot be made there'],
  ['a directory below a file', () => (writeFileSync(path, ''), makeDirectory(join(path, 'a'))), 'PATH is no directory'],
  ['a directory below a link to nothing', () => (symlinkSync('nowhere', path), makeDirectory(join(path, 'a'))), 'PATH is no directory'],
  ['a file that is not there', () => readFileSync(path), 'there is no PATH'],
  ['a file that is a directory', () => readFileSync(directory), 'it is a directory'],
  ['a file below a file', () => (writeFileSync(path, ''), readFileSync(join(path, 'a'))), 'what is above PATH/a is no directory'],
  ['a new file that is there', () => (writeFileSync(path, ''), createFile(path, '')), 'PATH is there already'],
  ['a name that is too long', () => readFileSync(join(directory, 'x'.repeat(300))), 'the name is too long'],
  ['anything else', (): unknown => JSON.parse('{'), "Expected property name or '}' in JSON at position 1 (line 1 column 2)"],
])('the trouble with %s is told in words', (_name, act, words) => {
  let told = ''
  try {
    act()
  } catch (error) {
    told = trouble(error)
  }
  expect(told.replaceAll(path, 'PATH')).toBe(words)
})
