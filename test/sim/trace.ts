/** What happened, in order: a digest of all of it, and the last minute to read when a law broke. */
import { seconds, unreachable, type Instant } from '@vxmesh/core'
import type { Effect, Input, Target } from '@vxmesh/gossip'
import { WALL_START } from './world.ts'

type Line = { readonly at: Instant; readonly who: string; readonly what: string }

/** How far back an account of a failure goes, and how long it may become. */
const MINUTE = seconds(60)
const LINES_MOST = 400

/** Lines are thrown away many at a time. */
const KEPT = 20_000

export class Trace {
  #lines: Line[] = []
  readonly #told: ((line: string) => void) | undefined
  #low = 0x811c_9dc5
  #high = 0x6c62_272e

  /** @param told is shown every line worth reading, at once */
  constructor(told?: (line: string) => void) {
    this.#told = told
  }

  /** A line worth reading: when, who, what. */
  note(at: Instant, who: string, what: string): void {
    this.count(at, `${who} ${what}`)
    const line = { at, who, what }
    this.#told?.(written(line))
    this.#lines.push(line)
    if (this.#lines.length > 2 * KEPT) this.#lines = this.#lines.slice(-KEPT)
  }

  /** Something too common to be read, but part of the history. */
  count(now: Instant, line: string): void {
    this.#mix(Math.round(now * 1000))
    for (let at = 0; at < line.length; at++) this.#mix(line.charCodeAt(at))
  }

  /** The last minute, between the command that tells it again and that command. */
  account(replay: string): string {
    const end = this.#lines.at(-1)?.at ?? 0
    const minute = this.#lines.filter(({ at }) => at >= end - MINUTE)
    const left = minute.length - LINES_MOST
    const more = left > 0 ? `, but for its first ${String(left)} lines` : ''
    return [`again: ${replay}`, `The last minute${more}:`, ...minute.slice(-LINES_MOST).map(written), `again: ${replay}`].join('\n')
  }

  /** Two histories with one digest are one history. */
  get digest(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ (value & 0xffff), 0x0100_0193)
    this.#high = Math.imul(this.#high ^ (value >>> 16) ^ this.#low, 0x85eb_ca6b)
  }
}

function written({ at, who, what }: Line): string {
  return `${(at / 1000).toFixed(3).padStart(9)}  ${who.padEnd(5)}  ${what}`
}

/** An input in a few words. */
export function describe(input: Input): string {
  switch (input.kind) {
    case 'linked':
      return `linked ${String(input.link)} ${short(input.peer)}${input.dialled === undefined ? '' : ' (our dial)'}`
    case 'frame':
      return `frame ${String(input.link)} ${String(input.bytes.length)}`
    case 'unlinked':
    case 'congested':
    case 'drained':
      return `${input.kind} ${String(input.link)}`
    case 'undialled':
      return `undialled ${short(input.target)}: ${input.failure}`
    case 'tried':
      return `${short(input.peer)} is ${input.found ? '' : 'not '}at ${input.address}`
    case 'approach':
      return `approach ${input.place}`
    case 'evict':
      return `evict ${short(input.eviction.key)}`
    case 'succeed':
      return `rotate to ${input.lineage.map(({ to }) => short(to)).join(', ')}`
    case 'reissue':
      return `certify ${short(input.reissue.subject)} anew`
    case 'announce':
    case 'renew':
    case 'leave':
    case 'tick':
      return input.kind
    default:
      return unreachable(input)
  }
}

/** An effect in a few words. */
export function describeEffect(effect: Exclude<Effect, { kind: 'send' | 'changed' }>): string {
  switch (effect.kind) {
    case 'persist':
      return `persist ${String(effect.incarnation - WALL_START)}`
    case 'evict':
      return `remember that ${short(effect.eviction.key)} is evicted`
    case 'succeed':
      return `remember that the key of the mesh is ${effect.lineage.map(({ to }) => short(to)).join(', ')}`
    case 'admitted':
      return `is certified by ${short(effect.admission.issuer.key)}`
    case 'contested':
      return `sees that ${short(effect.key)} lost its place`
    case 'dial':
      return `dial ${short(effect.target)}`
    case 'try':
      return `look for ${short(effect.peer)} at ${effect.place.address}`
    case 'unlink':
      return `unlink ${String(effect.link)}: ${effect.reason}`
    case 'member':
      return `${effect.record.name} was ${effect.was?.state ?? 'unknown'}, is ${effect.is.state}`
    case 'dropped':
      return `drop from ${short(effect.peer)}: ${effect.reason}`
    case 'trouble':
      return `seed ${effect.seed}: ${effect.trouble}`
    case 'cloned':
      return effect.clone === undefined ? 'is the only one with its key' : `is ${effect.clone.role} beside a clone`
    case 'left':
      return 'left'
    default:
      return unreachable(effect)
  }
}

function short(target: Target): string {
  return target.startsWith('12D3KooW') ? target.slice(8, 14) : target
}
