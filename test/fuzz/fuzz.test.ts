import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bytesOf } from './inputs.ts'
import { Found, fuzz } from './fuzz.ts'
import { asSample, corpus, type Target } from './target.ts'
import { targets } from './targets.ts'

/** A slice; `./scripts/fuzz` goes on. */
const INPUTS = 1000

describe('every parser of what comes from outside answers whatever it is given', () => {
  test.each(targets.map(({ name, ...target }) => [name, { name, ...target }] as const))('%s', async (_, target) => {
    const { inputs, accepted } = await fuzz(target, { inputs: INPUTS, seed: 7 })
    expect(inputs).toBe(INPUTS)
    // What was refused from beginning to end was not tested.
    expect(accepted).toBeGreaterThan(20)
    expect(accepted).toBeLessThan(INPUTS)
  })

  test('and the samples in the repository are of targets', () => {
    const kept = readdirSync(`${import.meta.dirname}/corpus`).map((file) => file.replace(/\.txt$/, ''))
    expect(kept.filter((name) => !targets.some((target) => target.name === name))).toEqual([])
  })
})

describe('the fuzzer finds', () => {
  const planted = (check: Target['check']): Target => ({ name: 'planted', says: '', form: 'text', samples: [bytesOf('a: 1')], check })
  const run = async (check: Target['check']) => fuzz(planted(check), { inputs: 5000, seed: 1 })

  test('a parser that throws, and says how it comes again', async () => {
    const check = (input: Uint8Array): boolean => {
      if (input.includes(0x7f)) throw new RangeError('stumbled')
      return true
    }
    await expect(run(check)).rejects.toThrow(/^planted: RangeError: stumbled[^]*as a line of the corpus: "/)
  })

  test('one that throws later', async () => {
    await expect(run(async (input) => input.includes(0x7f) && Promise.reject(new Error('later')))).rejects.toBeInstanceOf(Found)
  })

  test('one that does not come back', async () => {
    const check = (): boolean => {
      for (const end = performance.now() + 100; performance.now() < end;);
      return true
    }
    await expect(fuzz(planted(check), { inputs: 1, seed: 1, patience: 10 })).rejects.toThrow(/took \d+ ms/)
  })

  test.each(['a: 1', '\u202E\n', ''])('and what it finds can be kept: %j', (text) => {
    expect(asSample(bytesOf(text))).toBe(JSON.stringify(text))
    expect(asSample(Uint8Array.of(0xff, 0))).toBe('ff00')
    expect(corpus('announcements').length).toBeGreaterThan(0)
  })
})
