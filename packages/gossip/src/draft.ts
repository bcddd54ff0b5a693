/** What a turn has to say on one link, before it is put into frames. */
import type { Bytes, Incarnation, IpAddress, PeerId } from '@vxmesh/core'
import type { Summaries } from './message.ts'

export type Draft = {
  /** Our certificates, and the successions up to the key that they begin with. */
  hello?: { readonly chain: Bytes; readonly successions: readonly Bytes[] }
  root?: Bytes
  buckets?: Bytes
  summaries?: Summaries
  farewell?: Incarnation
  readonly items: globalThis.Map<PeerId, PeerItems>
  readonly wants: PeerId[]
  readonly questions: { nonce: number; subject: PeerId }[]
  readonly answers: { nonce: number; age: number | undefined }[]
}

/** What of one key goes into a frame: of the first of the mesh its successors, of a member a record before the accusations against it. */
export type PeerItems = {
  successions?: readonly Bytes[]
  eviction?: Bytes
  record?: Bytes
  reissue?: Bytes
  reached?: readonly IpAddress[]
  readonly accusations: Bytes[]
}
