/**
 * A tool kept running with `-force -batch -`: a process for each change costs 3 ms and this 0.1 ms.
 *
 * The end of what it answers has to be found out. It says nothing of a line that it carried out; of one that failed it
 * says why, on stderr, and then `Command failed -:N`, N counting all lines since it was started. So what it is told ends
 * with a line that must fail: once that number is called, every line before it has been carried out, and all complaints
 * have been heard, since stderr is not buffered. What is shown comes on stdout, which is: but JSON is written out at its
 * end, as one line for each command. All that holds of iproute2 from 5.9 to 7.3 (tried). The two pipes keep no order
 * among each other, so both ends are waited for.
 */
import { open, type Answer } from './iproute2.ts'
import { complaintHearer } from './outcome.ts'
import { keptOf, type Command } from './render.ts'

/** No object of iproute2, in full or abbreviated, is named like this. */
const END = 'end-of-lines'

/** Long enough for ten thousand entries on a slow host (0.7 s measured), short enough to notice a stuck kernel. */
const TIMEOUT_MS = 10_000

/** One that takes longer to start will not do: single commands are quicker. */
const START_TIMEOUT_MS = 2000

export type Coprocess = {
  /** Carries out lines, in order. Gives the complaints, by the number of the line, from 1. Rejects when it died or hung. */
  write(lines: readonly string[]): Promise<ReadonlyMap<number, string>>
  /** What a line shows. Rejects when it died or hung. */
  show(line: string): Promise<Answer>
  close(): Promise<void>
}

/** What is being talked about: lines by their numbers, the end not included. */
type Talk = {
  readonly first: number
  readonly end: number
  readonly complaints: Map<number, string>
  readonly printed: string[]
  over: boolean
  readonly check: () => void
}

export function startCoprocess(tool: Command['tool']): Coprocess {
  let told = 0
  let talk: Talk | undefined
  let before: Promise<unknown> = Promise.resolve()
  let ended = false
  const complain = complaintHearer((number, reason) => {
    if (talk === undefined) return
    if (number === talk.end) talk.over = true
    else talk.complaints.set(number - talk.first + 1, reason)
    talk.check()
  })
  const child = open(keptOf(tool), {
    stderr: complain,
    stdout: (line) => {
      talk?.printed.push(line)
      talk?.check()
    },
  })
  const gone = (async () => {
    await child.ended
    ended = true
    talk?.check()
  })()

  /** `prints`: whether each line prints one, unless it fails. */
  async function converse(lines: readonly string[], prints: boolean): Promise<Talk> {
    const began = told
    told += lines.length + 1
    const { promise, resolve, reject } = Promise.withResolvers<Talk>()
    const current: Talk = {
      first: began + 1,
      end: told,
      complaints: new Map(),
      printed: [],
      over: false,
      check: () => {
        const awaited = prints ? lines.length - current.complaints.size : 0
        if (current.over && current.printed.length >= awaited) resolve(current)
        else if (ended) reject(new Error(`${tool} has ended`))
      },
    }
    talk = current
    const timeout = setTimeout(
      () => {
        reject(new Error(`${tool} does not answer`))
        child.end()
      },
      began === 0 ? START_TIMEOUT_MS : TIMEOUT_MS,
    )
    current.check()
    child.write([...lines, END])
    try {
      return await promise
    } finally {
      clearTimeout(timeout)
      talk = undefined
    }
  }

  /** One thing is talked about at a time. */
  async function inTurn(lines: readonly string[], prints: boolean): Promise<Talk> {
    const after = before.then(async () => converse(lines, prints))
    before = after.catch(() => undefined)
    return after
  }

  return {
    write: async (lines) => (await inTurn(lines, false)).complaints,
    show: async (line) => {
      const { complaints, printed } = await inTurn([line], true)
      const complaint = complaints.get(1)
      return { ok: complaint === undefined, stdout: printed.join('\n'), stderr: complaint ?? '' }
    },
    close: async () => {
      child.end()
      await gone
    },
  }
}
