/** The packet filter of a host in memory: a guard for each device that has one, whether there is such a device or not. */
import { accept, family, GUARD, refuse, slot, type DeviceName, type Entry, type Operation, type Result } from '@vxmesh/core'
import { EMPTY, type Tables } from './tables.ts'

const ABSENT = 'Could not process rule: No such file or directory'

export class MemoryGuards {
  readonly #tables = new Map<DeviceName, Tables>()
  readonly #changed: () => void

  constructor(changed: () => void) {
    this.#changed = changed
  }

  of(name: DeviceName): Tables {
    return this.#tables.get(name) ?? EMPTY
  }

  /** Writes or removes what a guard is made of. Returns what the tool would complain of. */
  change(name: DeviceName, kind: Operation['kind'], entry: Entry): string | undefined {
    const before = this.of(name)
    const after = kind === 'remove' ? erased(before, entry) : written(before, entry)
    if (!after.ok) return after.reason
    this.#tables.set(name, after.value)
    if (after.value !== before) this.#changed()
    return undefined
  }

  /** Somebody's `nft flush ruleset`. */
  flush(): void {
    this.#tables.clear()
    this.#changed()
  }
}

/** A guard that is written is a new one, and admits nobody yet. */
function written(before: Tables, entry: Entry): Result<Tables> {
  if (entry.kind === 'guard') return accept(holding([entry]))
  const guard = before.entries.get(GUARD)
  if (guard?.kind !== 'guard') return refuse(ABSENT)
  if (entry.kind === 'admitted' && family(entry.underlay) !== guard.family)
    return refuse('Could not resolve hostname: Address family for hostname not supported')
  return accept(before.entries.has(slot(entry)) ? before : holding([...before.entries.values(), entry]))
}

function erased(before: Tables, entry: Entry): Result<Tables> {
  if (!before.entries.has(slot(entry))) return refuse(ABSENT)
  return accept(entry.kind === 'guard' ? EMPTY : holding([...before.entries.values()].filter((each) => slot(each) !== slot(entry))))
}

function holding(entries: readonly Entry[]): Tables {
  return { entries: new Map(entries.map((entry) => [slot(entry), entry])), marked: new Set(entries.map(slot)) }
}
