/** What the commands of the command line share. */
import { Option } from 'commander'
import { DEFAULTS } from './defaults.ts'

export function controlOption(): Option {
  return new Option('--control <path>', 'the control socket').default(DEFAULTS.control).env('VXMESH_CONTROL')
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
