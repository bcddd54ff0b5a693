/**
 * Wakes the loop when the kernel changes. `bridge monitor fdb` silently loses events under load, so what it says is
 * never read as a fact; that it says something is enough.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { DeviceName, Watch } from '@vxmesh/core'
import { open } from './iproute2.ts'
import type { Command } from './render.ts'

const FIRST_PAUSE_MS = 100
/** Also how long a child must have lived for its end to count as the first. */
const LONGEST_PAUSE_MS = 10_000

/**
 * Calls `wake` at every sign of a change that is not known, as often as they come: the caller gathers them. Children that
 * die are started again, with back-off. After a SIGKILL of this process they end at their next line, when nobody reads it.
 */
export function watchKernel(device: DeviceName, known: (line: string) => boolean, wake: () => void, commands: readonly Command[]): Watch {
  const stop = new AbortController()
  const wakeFor = (line: string) => {
    if (mayConcern(line, device) && !known(line)) wake()
  }
  const followers = commands.map(async (command) => followAlways(command, wakeFor, wake, stop.signal))
  return {
    close: async () => {
      stop.abort()
      await Promise.all(followers)
    },
  }
}

/** Whether a line about an entry may be of the device: a busy bridge beside ours learns and forgets all day. What names no device may be of any. */
export function mayConcern(line: string, device: DeviceName): boolean {
  const named = / dev (\S+)/.exec(line)
  return named === null || named[1] === device || UNREACHABLE.test(line)
}

/** What no address of a network can be reached by is of no device, or, with IPv6, of `lo`. */
const UNREACHABLE = /^(?:Deleted )?unreachable /

async function followAlways(command: Command, hear: (line: string) => void, restarted: () => void, signal: AbortSignal): Promise<void> {
  let wait = FIRST_PAUSE_MS
  while (!signal.aborted) {
    const settled = setTimeout(() => (wait = FIRST_PAUSE_MS), LONGEST_PAUSE_MS)
    await follow(command, hear, signal)
    clearTimeout(settled)
    if (signal.aborted) return
    restarted()
    if (!(await slept(wait, signal))) return
    restarted()
    wait = Math.min(wait * 2, LONGEST_PAUSE_MS)
  }
}

/** Hears the lines of a command, output and complaints alike, until it dies or is told to end. */
async function follow(command: Command, hear: (line: string) => void, signal: AbortSignal): Promise<void> {
  const ear = (line: string) => {
    if (!signal.aborted) hear(line)
  }
  const child = open(command, { stdout: ear, stderr: ear })
  const end = () => child.end()
  signal.addEventListener('abort', end)
  await child.ended
  signal.removeEventListener('abort', end)
}

async function slept(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await pause(milliseconds, undefined, { signal })
    return true
  } catch {
    return false
  }
}
