/** The fuzzer at length. Exit codes: 0 every parser answered, 1 one did not, 2 wrong usage. */
import { parseArgs } from 'node:util'
import { Found, fuzz } from '../test/fuzz/fuzz.ts'
import { targets } from '../test/fuzz/targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
  },
})
const [inputs, seed] = [values.inputs, values.seed].map((text) => (/^[0-9]{1,10}$/.test(text) ? Number(text) : undefined))
const stray = positionals.find((name) => !targets.some((target) => target.name === name))
const chosen = positionals.length === 0 ? targets : targets.filter(({ name }) => positionals.includes(name))

if (values.list) for (const { name, says } of targets) console.log(`${name.padEnd(16)}${says}`)
else if (inputs === undefined || seed === undefined || stray !== undefined) {
  console.error(
    stray === undefined ? 'fuzz: --inputs and --seed are whole numbers' : `fuzz: no target is called ${stray}; --list names them`,
  )
  process.exitCode = 2
} else {
  console.log(`${'target'.padEnd(16)}${['inputs', 'accepted', 'seconds', 'slowest'].map((each) => each.padStart(12)).join('')}`)
  for (const target of chosen) await run(target, inputs, seed)
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
