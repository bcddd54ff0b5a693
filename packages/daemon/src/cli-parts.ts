/** What the commands of the command line share. */
import { Option, type Command } from 'commander'
import { printableLines } from '@vxmesh/core'
import { DEFAULTS } from './defaults.ts'

export function controlOption(): Option {
  return new Option('--control <path>', 'the control socket').default(DEFAULTS.control).env('VXMESH_CONTROL')
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** The only way to standard output: what is printed cannot do more than be read. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`)
}

/** Those of the flags that were typed, or came by the environment: no defaults. */
export function typedOnly<Flags extends object>(flags: Flags, command: Command): Partial<Flags> {
  const typed: Partial<Flags> = {}
  for (const name in flags) if (command.getOptionValueSource(name) !== 'default') typed[name] = flags[name]
  return typed
}
