/** Files that must survive a crash at any moment, and that only their owner may read. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Bytes } from '@vxmesh/core'

/** Makes a directory and its parents, for the owner alone. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
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
  writeNew(beside, content)
  try {
    renameSync(beside, path)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
  syncDirectory(dirname(path))
}

/** Makes a file that must not exist yet, whole or not at all. Mode 0600. */
export function createFile(path: string, content: string | Bytes): void {
  writeNew(path, content)
  syncDirectory(dirname(path))
}

function writeNew(path: string, content: string | Bytes): void {
  const file = openSync(path, 'wx', 0o600)
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
