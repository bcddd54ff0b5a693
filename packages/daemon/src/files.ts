/** Files that must survive a crash at any moment, and that only their owner may read. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Bytes } from '@vxmesh/core'

/**
 * Makes a directory and its parents, for the owner alone: all of them, or none. Gives those that were not there, from the
 * outermost on. One by one, since Node's recursive `mkdir` never ends where the system allows none, as in /proc.
 */
export function makeDirectory(path: string): readonly string[] {
  const made: string[] = []
  try {
    for (const each of absent(resolve(path))) if (makeOne(each)) made.push(each)
  } catch (error) {
    removeEmpty(made)
    throw error
  }
  return made
}

/** Removes directories, the innermost first, as far as nothing is in them. */
export function removeEmpty(directories: readonly string[]): void {
  try {
    for (const each of directories.toReversed()) rmdirSync(each)
  } catch {
    // Somebody needs it, and so all those around it.
  }
}

/** A path and those above it that are no directories yet, from the outermost on. */
function absent(path: string): readonly string[] {
  return isDirectory(path) || path === dirname(path) ? [] : [...absent(dirname(path)), path]
}

/** Whether it was made here; false when somebody else was faster. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 })
    return true
  } catch (error) {
    if (isDirectory(path)) return false
    throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** What the system refused, in words for people. */
export function trouble(error: unknown): string {
  const { message, code = '', syscall, path = 'it' }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  switch (code) {
    case 'ENOENT':
      return syscall === 'mkdir' ? `${path} cannot be made there` : `there is no ${path}`
    case 'EEXIST':
      return syscall === 'mkdir' ? `${path} is no directory` : `${path} is there already`
    case 'ENOTDIR':
      return `what is above ${path} is no directory`
    case 'EISDIR':
      return `${path} is a directory`
    case 'EACCES':
    case 'EPERM':
      return `permission denied for ${path}: it takes its owner, or root`
    case 'EROFS':
      return `${path} is on a read-only file system`
    case 'ENAMETOOLONG':
      return 'the name is too long'
    default:
      return message
  }
}

/** What is in a file; undefined when there is none. Other errors are thrown: an unreadable file is not an absent one. */
export function readOptional(path: string): Bytes | undefined {
  try {
    return Uint8Array.from(readFileSync(path))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Replaces a file whole: written beside it, synced, renamed over it, and the directory synced, so that after a crash or
 * on a full disk there is the old content or the new and never a part. Mode 0600.
 */
export function replaceFile(path: string, content: string | Bytes): void {
  const beside = `${path}.new`
  rmSync(beside, { force: true })
  writeNew(beside, content, 0o600)
  try {
    renameSync(beside, path)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
  syncDirectory(dirname(path))
}

/** Makes a file that must not exist yet, whole or not at all; for its owner alone unless another mode is given. */
export function createFile(path: string, content: string | Bytes, mode = 0o600): void {
  writeNew(path, content, mode)
  syncDirectory(dirname(path))
}

function writeNew(path: string, content: string | Bytes, mode: number): void {
  const file = openSync(path, 'wx', mode)
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written)
    fsyncSync(file)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
