/** Gives a target inputs, as many as are asked for, and watches what becomes of each. */
import { Dice } from '../sim/dice.ts'
import { mutated, type Input } from './inputs.ts'
import { asSample, type Target } from './target.ts'

/** How long an input may keep the processor, in milliseconds: a parser that takes longer holds a daemon up. */
const PATIENCE = 1000

/** What takes as long is looked at again. */
const SUSPICIOUS = 5

/** How many inputs that were accepted serve as samples as well. */
const POOL_MOST = 256
const POOL_BYTES_MOST = 4096

type Options = { readonly inputs: number; readonly seed: number; readonly patience?: number }

export type Findings = { readonly inputs: number; readonly accepted: number; readonly milliseconds: number; readonly slowest: number }

/** An input that a parser should have answered, and how it comes again. */
export class Found extends Error {
  override readonly name = 'Found'
  readonly input: string

  constructor(target: Target, input: Input, what: string, cause?: unknown) {
    const line = asSample(input)
    super(`${target.name}: ${what}; as a line of the corpus: ${line}`, { cause })
    this.input = line
  }
}

/** Runs a target: first its samples as they are, then what becomes of them. Throws `Found`. */
export async function fuzz(target: Target, { inputs, seed, patience = PATIENCE }: Options): Promise<Findings> {
  const dice = new Dice(seed)
  const pool = [...target.samples]
  const began = performance.now()
  let accepted = 0
  let slowest = 0
  for (let count = 0; count < inputs; count++) {
    const input = target.samples[count] ?? mutated(target.form, pool, dice)
    const start = performance.now()
    const took = await given(target, input)
    if (took) accepted += 1
    const elapsed = performance.now() - start
    // The machine may have been at something else: then the processor's time, of another try, is what counts.
    slowest = Math.max(slowest, elapsed > SUSPICIOUS ? await cpuTime(target, input) : elapsed)
    if (slowest > patience) throw new Found(target, input, `took ${slowest.toFixed(0)} ms`)
    if (took && input.length <= POOL_BYTES_MOST && count >= target.samples.length) {
      if (pool.length < target.samples.length + POOL_MOST) pool.push(input)
      else if (dice.chance(0.01)) pool[target.samples.length + dice.below(POOL_MOST)] = input
    }
  }
  return { inputs, accepted, milliseconds: performance.now() - began, slowest }
}

async function given(target: Target, input: Input): Promise<boolean> {
  try {
    const answer = target.check(input)
    return typeof answer === 'boolean' ? answer : await answer
  } catch (error) {
    throw new Found(target, input, String(error instanceof Error ? error.stack : error), error)
  }
}

/** Milliseconds of the processor that an input takes. */
async function cpuTime(target: Target, input: Input): Promise<number> {
  const before = process.threadCpuUsage()
  await given(target, input)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}
