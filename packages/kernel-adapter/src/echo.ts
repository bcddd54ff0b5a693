/**
 * What the kernel says of our own writes. The line of `bridge monitor fdb` about a change is on its way before the change is
 * acknowledged, so a write that did what it should is soon followed by its echo; one that changed nothing has none.
 */
import { ZERO_MAC, type DeviceName, type Operation } from '@vxmesh/core'
import { describeTarget } from './render.ts'

/** A line of a monitor, in the words of iproute2 5.9 to 7.3, about an entry that stays, and without what it is for us to know. */
type Echo = string

/** What is said of an fdb entry that stays. */
const STAYS = ' self permanent'

/** What is said of a neighbour that stays; it fails before it is deleted. Whose mark it carries is seen when it is read. */
const NEIGHBOUR = /(?: PERMANENT| FAILED)(?: proto \S+)?\s*$/

/** `ip monitor` tells of the entries of `bridge` as of strange neighbours, which `bridge monitor` does better. */
const TOLD_ELSEWHERE = / NOARP PERMANENT\s*$/

/** A route that carries a mark: to one address, or of a network that is unreachable, which has with IPv6 the device `lo`. */
const ROUTE = /^((?:Deleted )?(?:unreachable \S+(?= )|\S+ dev \S+))(?: dev lo)? proto \S+ (?:scope|metric) /

function echoIn(line: string): Echo | undefined {
  if (line.endsWith(STAYS)) return line.slice(0, -STAYS.length)
  return NEIGHBOUR.test(line) ? line.replace(NEIGHBOUR, '').trim() : ROUTE.exec(line)?.[1]
}

/** The echoes that operations will have if they change the kernel. */
export function echoesOf(operations: readonly Operation[], device: DeviceName): readonly Echo[] {
  return operations.flatMap(({ kind, entry }) => {
    const removes = kind === 'remove'
    if (entry.kind === 'neighbour') {
      const about = `${entry.overlay} dev ${device}`
      return removes ? [about, `Deleted ${about}`] : [`${about} ${describeTarget(entry)}`]
    }
    if (entry.kind === 'route') return [`${removes ? 'Deleted ' : ''}${entry.overlay} dev ${device}`]
    if (entry.kind === 'unreachable') return [`${removes ? 'Deleted ' : ''}unreachable ${entry.network}`]
    if (entry.kind === 'guard' || entry.kind === 'admitted') return []
    const mac = entry.kind === 'flood' ? ZERO_MAC : entry.mac
    return [`${removes ? 'Deleted ' : ''}${mac} dev ${device} ${describeTarget(entry)}`]
  })
}

/** How long an echo is waited for: it is on its way, and only the monitor's own turn on a busy machine is in between. */
const PATIENCE_MS = 50

/** How long one that did not come in time is still known for what it is. What it tells is then no news: we wrote it. */
const MEMORY_MS = 5000

/** Tells echoes from news. */
export class Echoes {
  readonly #due = new Map<Echo, number>()
  #missing = new Set<Echo>()
  #complete: () => void = () => undefined

  /** From now on these are ours. */
  expect(echoes: readonly Echo[]): void {
    const now = performance.now()
    for (const [echo, until] of this.#due) if (until < now) this.#due.delete(echo)
    for (const echo of echoes) this.#due.set(echo, now + MEMORY_MS)
    this.#missing = new Set(echoes)
  }

  /** Whether a line is no news: an echo of ours, once for each. */
  hear(line: string): boolean {
    if (TOLD_ELSEWHERE.test(line)) return true
    const echo = echoIn(line)
    const until = echo === undefined ? undefined : this.#due.get(echo)
    if (echo === undefined || until === undefined) return false
    this.#due.delete(echo)
    this.#missing.delete(echo)
    if (this.#missing.size === 0) this.#complete()
    return until >= performance.now()
  }

  /** Whether all that are expected come, soon. */
  async come(): Promise<boolean> {
    if (this.#missing.size === 0) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timeout = setTimeout(() => resolve(false), PATIENCE_MS)
    this.#complete = () => resolve(true)
    const came = await promise
    clearTimeout(timeout)
    this.#complete = () => undefined
    return came
  }
}
