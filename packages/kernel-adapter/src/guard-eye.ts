/** Looks at the guard of one device. */
import { isOfGuard, MeshError, sameTarget, slot, GUARD, type DeviceName, type Operation, type Rejection, type Watch } from '@vxmesh/core'
import { parseGuard, showGuard, type Guard } from './guard.ts'
import { ask } from './iproute2.ts'
import { NOTHING, type Marked } from './marked.ts'
import { rejections } from './outcome.ts'

/** Whoever flushes the rules of a host says so to nobody who does not ask. */
const LOOK_EVERY_MS = 2000

export class GuardEye {
  readonly #device: DeviceName
  /** What was shown last; undefined: nothing yet. */
  #shown: string | undefined
  #wanted = false
  /** How this host's nft shows a guard that we wrote, where it has other words for it than ours. */
  #translation: { readonly shown: Guard; readonly written: Guard } | undefined

  constructor(device: DeviceName) {
    this.#device = device
  }

  /** The guard and whom it admits. Where none is wanted, and none was there, nobody looks again. */
  async read(wanted: boolean): Promise<Marked> {
    this.#wanted = wanted
    if (!wanted && this.#shown === '') return NOTHING
    return this.#look()
  }

  /** Which of the operations on the guard it does not bear out; `reasons` by place among all operations, from 1. */
  async judge(operations: readonly Operation[], reasons: ReadonlyMap<number, string>): Promise<readonly Rejection[]> {
    const concerned = [...operations.entries()].filter(([, { entry }]) => isOfGuard(entry))
    if (concerned.length === 0) return []
    const said = concerned.flatMap(([index], place): [number, string][] => {
      const reason = reasons.get(index + 1)
      return reason === undefined ? [] : [[place + 1, reason]]
    })
    const seen = await this.#look()
    const found = seen.entries.get(GUARD)
    for (const [, { kind, entry }] of said.length > 0 ? [] : concerned) {
      const changed = kind !== 'remove' && entry.kind === 'guard' && found?.kind === 'guard' && !sameTarget(entry, found)
      if (changed) this.#translation = { shown: found, written: entry }
    }
    const all = concerned.map(([, operation]) => operation)
    return rejections(all, this.#device, this.#translated(seen).entries, new Map(said))
  }

  /** Calls `wake` when the guard is another than it was when it was read. */
  watch(wake: () => void): Watch {
    let looking: Promise<void> | undefined
    const look = async (): Promise<void> => {
      const before = this.#shown
      if ((await shownOf(this.#device)) !== before) wake()
      looking = undefined
    }
    const timer = setInterval(() => {
      if (this.#wanted) looking ??= look()
    }, LOOK_EVERY_MS)
    return {
      close: async () => {
        clearInterval(timer)
        await looking
      },
    }
  }

  async #look(): Promise<Marked> {
    this.#shown = await shownOf(this.#device)
    return this.#translated(parseGuard(this.#shown))
  }

  #translated(seen: Marked): Marked {
    const { entries, marked } = seen
    const found = entries.get(GUARD)
    if (this.#translation === undefined || found === undefined || !sameTarget(found, this.#translation.shown)) return seen
    return { entries: new Map([...entries, [slot(found), this.#translation.written]]), marked }
  }
}

/** Empty where there is none. So it is where it cannot be asked for: writing it tells why. */
async function shownOf(device: DeviceName): Promise<string> {
  try {
    const { ok, stdout } = await ask(showGuard(device))
    return ok ? stdout : ''
  } catch (error) {
    if (error instanceof MeshError) return ''
    throw error
  }
}
