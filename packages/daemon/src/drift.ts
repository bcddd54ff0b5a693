/** What somebody else did to the entries, seen from what the last turn left behind. */
import { holds, slot, unreachable, type Operation, type Slot, type Table } from '@vxmesh/core'
import { describeTarget } from '@vxmesh/kernel-adapter'

/** What a turn left behind: what it wanted, and the slots that it could not, or might not, bring there yet. */
export type Outcome = { readonly desired: Table; readonly undone: ReadonlySet<Slot> }

/** Whether an entry was changed by somebody else: the last turn wanted the same of its slot, and had it. */
export function isDrift({ kind, entry }: Operation, last: Outcome | undefined): boolean {
  const place = slot(entry)
  if (last === undefined || last.undone.has(place)) return false
  return kind === 'remove' ? !last.desired.has(place) : holds(last.desired, entry)
}

export function whatHappened(operation: Operation): string {
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
