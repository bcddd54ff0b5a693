/** What the scripts make of their command lines: what is wrong is told in one line, and ends the script with 2. */
import { messageOf } from '@vxmesh/core'

type Range = { readonly least: number; readonly most: number; readonly whole?: boolean }

/** What a command line says. `parse` throws what is wrong with it. */
export function usage<Wanted>(script: string, parse: () => Wanted): Wanted {
  try {
    return parse()
  } catch (error) {
    const [line = ''] = messageOf(error).split('\n')
    console.error(`${script}: ${line}`)
    return process.exit(2)
  }
}

/** The number an option gives. Throws what is wrong with it. */
export function number(option: string, text: string | undefined, { least, most, whole = true }: Range): number {
  const value = text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value
  const kind = whole ? 'a whole number' : 'a number'
  throw new Error(
    `${option} is ${kind} from ${String(least)} to ${String(most)}${text === undefined ? ', and must be given' : ''}; see --help`,
  )
}

/** Numbers with commas between. Throws what is wrong with one. */
export function numbers(option: string, text: string, range: Range): readonly number[] {
  return text.split(',').map((each) => number(`each of ${option}`, each, range))
}
