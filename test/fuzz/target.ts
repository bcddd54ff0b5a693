/** What a target of the fuzzer is, and what is kept for it in the repository. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { MeshError } from '@vxmesh/core'
import { bytesOf, textOf, type Form, type Input } from './inputs.ts'

/** What is fuzzed, and how. */
export type Target = {
  readonly name: string
  /** Whose parser it is. */
  readonly says: string
  readonly form: Form
  readonly samples: readonly Input[]
  /** Gives it an input. True: accepted. Throws `Wrong` when an answer is no answer; whatever else is thrown is a crash. */
  readonly check: (input: Input) => boolean | Promise<boolean>
}

/** A parser that answered, and should not have answered that. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
}

/** Fails unless two meanings are one. */
export function same(what: string, one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Wrong(`${what}: ${JSON.stringify(one)} became ${JSON.stringify(other)}`)
}

/** A refusal, or a `MeshError` where one is allowed, is an answer. */
export async function answered(act: () => unknown): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    if (error instanceof MeshError) return false
    throw error
  }
}

/** The samples that are kept in the repository: one a line, as a JSON string or in hexadecimal. */
export function corpus(name: string): readonly Input[] {
  const lines = readFileSync(`${import.meta.dirname}/corpus/${name}.txt`, 'utf8').split('\n')
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map(sample)
}

function sample(line: string): Input {
  if (!line.startsWith('"')) return Uint8Array.from(Buffer.from(line, 'hex'))
  const text: unknown = JSON.parse(line)
  return bytesOf(String(text))
}

/** How an input is written into the corpus. */
export function asSample(input: Input): string {
  const text = textOf(input)
  const isText = Buffer.from(bytesOf(text)).equals(Buffer.from(input)) && !text.includes('\0')
  return isText ? JSON.stringify(text) : Buffer.from(input).toString('hex')
}
