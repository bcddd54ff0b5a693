/** What the commands of the command line share. */
import { fchmodSync, fstatSync } from 'node:fs'
import { Option, type Command } from 'commander'
import { printableLines } from '@vxmesh/core'
import { DEFAULTS } from './defaults.ts'

export function controlOption(): Option {
  return new Option('--control <path>', 'the control socket').default(DEFAULTS.control).env('VXMESH_CONTROL')
}

export function passphraseOption(): Option {
  return new Option('--passphrase-file <file>', 'a file with the passphrase of the key, - for standard input (default: asked for)')
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** The only way to standard output: what is printed cannot do more than be read. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`)
}

/** Prints what others must not read: where it goes into a file, that is its owner's alone from then on. */
export function printSecret(line: string): void {
  try {
    if (fstatSync(1).isFile()) fchmodSync(1, 0o600)
  } catch {
    // It is somebody else's file, who gave it to us to write to.
  }
  print(line)
}

/** Those of the flags that were typed, or came by the environment: no defaults. */
export function typedOnly<Flags extends object>(flags: Flags, command: Command): Partial<Flags> {
  const typed: Partial<Flags> = {}
  for (const name in flags) if (command.getOptionValueSource(name) !== 'default') typed[name] = flags[name]
  return typed
}
