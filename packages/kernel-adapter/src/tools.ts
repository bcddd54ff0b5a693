/** Two ways to `ip` and `bridge`: a process for each thing, or both kept running for one device. For `nft` there is the first. */
import { MeshError, type DeviceName } from '@vxmesh/core'
import { startCoprocess, type Coprocess } from './coprocess.ts'
import { ask, batch, transact, type Answer } from './iproute2.ts'
import { complaintOfNft, complaints, spoken } from './outcome.ts'
import { parseIndex } from './read.ts'
import { lineOf, showDevice, showFdb, words, type Command, type Write } from './render.ts'

export type Tools = {
  /** What a command that shows something answers. */
  show(command: Command): Promise<Answer>
  /** Carries out commands, in order, whatever becomes of the others. Gives the complaints, by place, from 1. */
  write(commands: readonly Write[]): Promise<ReadonlyMap<number, string>>
}

export type KeptTools = Tools & { readonly close: () => Promise<void> }

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** A process for each thing: slower, and always possible. */
export const singly: Tools = {
  show: async (command) => ask(command),
  write: async (commands) => inRuns(commands, batchOnce),
}

/**
 * The tools kept running for one device, for as long as they live: what one of them leaves undone is done singly, which
 * changes nothing that was done already, and after a pause another is started.
 *
 * A tool looks a name up once and never again. A device that has been made anew or renamed would then be missed, or worse,
 * another one written to. So the index is looked at: of the device that is shown, with each look, and around the start of
 * `bridge`, which does not tell it. When it is another, the tools are started afresh.
 */
export function keepTools(device: DeviceName): KeptTools {
  let kept: { ip?: Coprocess; bridge?: Coprocess } = {}
  let index: number | undefined
  let failures = 0
  let notBefore = 0
  let closed = false
  let before: Promise<unknown> = Promise.resolve()

  async function drop(): Promise<void> {
    const { ip, bridge } = kept
    kept = {}
    index = undefined
    await Promise.all([ip?.close(), bridge?.close()])
  }

  /** What the kept tools answer; undefined when they cannot. One thing at a time: what they know is found out step by step. */
  async function trying<Value>(talk: () => Promise<Value | undefined>): Promise<Value | undefined> {
    const answer = before.then(async () => {
      if (closed || performance.now() < notBefore) return undefined
      try {
        const value = await talk()
        failures = 0
        return value
      } catch {
        notBefore = performance.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures++)
        await drop()
        return undefined
      }
    })
    before = answer
    return answer
  }

  /** Shows the device, if it is the one that the tools know by its name; if not, neither is kept. */
  async function look(): Promise<Answer | undefined> {
    kept.ip ??= startCoprocess('ip')
    const answer = await kept.ip.show(lineOf(showDevice(device)))
    const seen = answer.ok ? parseIndex(answer.stdout, device) : undefined
    if (seen === undefined || (index !== undefined && seen !== index)) {
      await drop()
      return undefined
    }
    index = seen
    return answer
  }

  /** A tool that knows the device, started when it is first wanted; undefined when there is none, or no longer the same. */
  async function knowing(tool: Command['tool']): Promise<Coprocess | undefined> {
    if (index === undefined && (await look()) === undefined) return undefined
    if (tool === 'bridge' && kept.bridge === undefined) {
      kept.bridge = startCoprocess('bridge')
      await kept.bridge.show(lineOf(showFdb(device)))
      await look()
    }
    return kept[tool]
  }

  return {
    show: async (command) => {
      const looks = words(command) === words(showDevice(device))
      const answer = await trying(looks ? look : async () => (await knowing(command.tool))?.show(lineOf(command)))
      return answer ?? singly.show(command)
    },
    write: async (commands) => {
      const reasons = await trying(async () => {
        let missed = false
        const complained = await inRuns(commands, async (name, run) => {
          const tool = await knowing(name)
          missed ||= tool === undefined
          return tool === undefined ? new Map() : tool.write(run.map(lineOf))
        })
        // A complaint may be about a device that is no more.
        return !missed && (complained.size === 0 || (await look()) !== undefined) ? complained : undefined
      })
      return reasons ?? singly.write(commands)
    },
    close: async () => {
      closed = true
      await drop()
      await before
    },
  }
}

/** Commands of one tool that follow one another go together; the others wait, since the order of kinds matters. */
async function inRuns(
  commands: readonly Write[],
  carryOut: (tool: Command['tool'], run: readonly Write[]) => Promise<ReadonlyMap<number, string>>,
): Promise<ReadonlyMap<number, string>> {
  const runs: [Write, ...Write[]][] = []
  for (const command of commands) {
    const current = runs.at(-1)
    if (current?.[0].tool === command.tool) current.push(command)
    else runs.push([command])
  }
  const reasons = new Map<number, string>()
  let before = 0
  for (const run of runs) {
    const [{ tool }] = run
    for (const [line, reason] of await (tool === 'nft' ? transaction(run) : carryOut(tool, run))) reasons.set(before + line, reason)
    before += run.length
  }
  return reasons
}

/**
 * One batch. `ip` ends it at a neighbour that it is refused, without a word of which (iproute2 6.1 exits), so where it
 * complains each is tried by itself; doing one twice does no harm.
 */
async function batchOnce(tool: Command['tool'], run: readonly Write[]): Promise<ReadonlyMap<number, string>> {
  const { ok, stderr } = await batch(tool, run.map(lineOf))
  if (ok || tool === 'bridge') return complaints(stderr)
  const reasons = new Map<number, string>()
  for (const [index, command] of run.entries()) {
    const answer = await ask(command)
    if (!answer.ok) reasons.set(index + 1, spoken(answer.stderr))
  }
  return reasons
}

/** All of it or nothing, and then for one reason. */
async function transaction(run: readonly Write[]): Promise<ReadonlyMap<number, string>> {
  const reason = await complaintOf(run.map(lineOf))
  return new Map(reason === undefined ? [] : run.map((_, index) => [index + 1, reason]))
}

async function complaintOf(lines: readonly string[]): Promise<string | undefined> {
  try {
    const { ok, stderr } = await transact(lines)
    return ok ? undefined : complaintOfNft(stderr)
  } catch (error) {
    if (error instanceof MeshError) return error.message
    throw error
  }
}
