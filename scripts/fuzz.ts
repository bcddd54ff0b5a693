/** The fuzzer at length. Exit codes: 0 every parser answered, 1 one did not, 2 wrong usage. */
import { parseArgs } from 'node:util'
import { Found, fuzz } from '../test/fuzz/fuzz.ts'
import { targets } from '../test/fuzz/targets.ts'
import { number, usage } from './usage.ts'

const asked = usage('fuzz', () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      inputs: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
    },
  })
  const stray = positionals.find((name) => !targets.some((target) => target.name === name))
  if (stray !== undefined) throw new Error(`no target is called ${JSON.stringify(stray)}; --list names them`)
  return {
    list: values.list,
    inputs: number('--inputs', values.inputs, { least: 1, most: 1_000_000_000 }),
    seed: number('--seed', values.seed, { least: 0, most: 2 ** 32 - 1 }),
    chosen: positionals.length === 0 ? targets : targets.filter(({ name }) => positionals.includes(name)),
  }
})

if (asked.list) for (const { name, says } of targets) console.log(`${name.padEnd(16)}${says}`)
else {
  console.log(`${'target'.padEnd(16)}${['inputs', 'accepted', 'seconds', 'slowest'].map((each) => each.padStart(12)).join('')}`)
  for (const target of asked.chosen) await run(target, asked.inputs, asked.seed)
}

async function run(target: (typeof targets)[number], inputs: number, seed: number): Promise<void> {
  try {
    const { accepted, milliseconds, slowest } = await fuzz(target, { inputs, seed })
    const cells = [inputs, accepted, (milliseconds / 1000).toFixed(1), `${slowest.toFixed(1)} ms`]
    console.log(`${target.name.padEnd(16)}${cells.map((cell) => String(cell).padStart(12)).join('')}`)
  } catch (error) {
    if (!(error instanceof Found)) throw error
    console.log(
      `${target.name.padEnd(16)}FOUND\n${error.message}\nagain: ./scripts/fuzz ${target.name} --inputs ${String(inputs)} --seed ${String(seed)}`,
    )
    process.exitCode = 1
  }
}
