/** What became of operations, and what somebody else did to the entries, seen from what the last turn left behind. */
import {
  holds,
  ownEntries,
  passable,
  slot,
  unreachable,
  withStanding,
  type Actual,
  type Desired,
  type DeviceName,
  type Operation,
  type Reading,
  type Rejection,
  type Slot,
  type Table,
} from '@vxmesh/core'
import { describe, describeTarget } from '@vxmesh/kernel-adapter'
import type { Log } from './log.ts'

/** What is there, of it what is ours, and what should be there, given that. */
export function beside(
  reading: Reading,
  desired: Desired,
  written: ReadonlySet<Slot>,
): { readonly actual: Reading & Actual; readonly wanted: Table } {
  const actual = { ...reading, ours: ownEntries(reading, written) }
  return { actual, wanted: passable(withStanding(desired, reading.entries), actual) }
}

/** What a turn left behind: what it wanted, and the slots that it could not, or might not, bring there yet. */
export type Outcome = { readonly desired: Table; readonly undone: ReadonlySet<Slot> }

/** Whether an entry was changed by somebody else: the last turn wanted the same of its slot, and had it. What is added and is there comes along with something else. */
export function isDrift({ kind, entry }: Operation, last: Outcome | undefined, found: Table): boolean {
  const place = slot(entry)
  if (last === undefined || last.undone.has(place) || (kind === 'add' && found.has(place))) return false
  return kind === 'remove' ? !last.desired.has(place) : holds(last.desired, entry)
}

function whatHappened(operation: Operation): string {
  switch (operation.kind) {
    case 'add':
      return 'somebody had deleted it'
    case 'replace':
      return `somebody had changed it to ${describeTarget(operation.was)}`
    case 'remove':
      return 'somebody had added it'
    default:
      return unreachable(operation)
  }
}

/** Logs what became of an operation, in the words of the tools. */
export function say(log: Log, device: DeviceName, operation: Operation, rejection: Rejection | undefined, repair: boolean): void {
  const command = describe(operation, device)
  const fields = { event: 'kernel', operation: operation.kind, entry: slot(operation.entry), device }
  if (rejection !== undefined) log.error({ ...fields, reason: rejection.reason }, sentenceOf(rejection))
  else if (repair) log.warn({ ...fields, drift: true }, `${command} (repair: ${whatHappened(operation)})`)
  else log.info(fields, command)
}

export function sentenceOf({ command, reason }: Rejection): string {
  return `refused: ${command}: ${reason}`
}
