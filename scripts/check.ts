/** What can be said of the code without running it: one line a step. `--report FILE` also writes the totals, for scripts/test. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs, styleText } from 'node:util'

const root = `${import.meta.dirname}/..`

const steps = [
  { name: 'types of core, without any surroundings', argv: ['tsc', '--project', 'packages/core'] },
  { name: 'types of the protocol, without any surroundings', argv: ['tsc', '--project', 'packages/gossip'] },
  { name: 'types of everything', argv: ['tsc'] },
  { name: 'lint', argv: ['oxlint'] },
  { name: 'format', argv: ['oxfmt', '--check'] },
  { name: 'unused code', argv: ['knip', '--no-progress', '--no-config-hints'] },
  { name: 'what is known of the packages', argv: ['scripts/audit'], tells: true },
] as const

const { values } = parseArgs({ options: { report: { type: 'string' } } })
const totals = { passed: 0, failed: 0 }
for (const { name, argv, ...step } of steps) {
  const [command, ...args] = argv
  const start = performance.now()
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: Infinity })
  const took = `${((performance.now() - start) / 1000).toFixed(1)} s`
  totals[status === 0 ? 'passed' : 'failed'] += 1
  if (status === 0) console.log(`${styleText('green', 'ok')}    ${name} (${took})${'tells' in step ? `: ${stdout.trim()}` : ''}`)
  else console.log(`${styleText('red', 'FAIL')}  ${name} (${took}): ${argv.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`)
}
if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(totals))
process.exitCode = totals.failed === 0 ? 0 : 1
