import type { Bytes, Incarnation, PeerId } from './values.ts'

/**
 * What an observer testifies: `silent`, nothing is heard of the subject; `gone`, its host refuses connections, so the
 * host lives and its daemon does not.
 */
export type Testimony = 'silent' | 'gone'

/** One member's signed testimony about another at one incarnation. It binds nobody: the subject refutes it by a higher incarnation. */
export type Accusation = {
  readonly subject: PeerId
  readonly incarnation: Incarnation
  readonly observer: PeerId
  readonly testimony: Testimony
  /** The signed envelope, byte for byte as the observer made it. */
  readonly bytes: Bytes
  /** SHA-256 of the envelope in hexadecimal. */
  readonly hash: string
}

/** The one that stands when an observer has said both: silence is the graver word, and the last one said of a host that stopped refusing. */
export function graver(held: Accusation, heard: Accusation): Accusation {
  return heard.testimony === 'silent' && held.testimony !== 'silent' ? heard : held
}
