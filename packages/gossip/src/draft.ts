/** What a turn has to say on one link, and how it is put into frames. */
import type { Bytes, Incarnation, IpAddress, PeerId } from '@vxmesh/core'
import { bucketOf } from './digest.ts'
import {
  encodeFrame,
  ITEM_BYTES_A_FRAME,
  ITEMS_A_FRAME,
  SUMMARIES_A_FRAME,
  type Frame,
  type Reached,
  type Summaries,
  type Summary,
} from './message.ts'

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

const KINDS = ['successions', 'evictions', 'records', 'reissues', 'accusations'] as const

type Chunk = { readonly [kind in (typeof KINDS)[number]]: Bytes[] } & { readonly reached: Reached[]; bytes: number; count: number }

function emptyChunk(): Chunk {
  return { successions: [], evictions: [], records: [], reissues: [], accusations: [], reached: [], bytes: 0, count: 0 }
}

/** About as long as one address of a member is in a frame, its peer id included. */
const REACHED_BYTES = 80

/**
 * Items in the order they were drafted, spread over as many frames as they need: a record never comes after what accuses its
 * owner, nor before the successions that its certificates may need.
 */
function chunksOf(all: ReadonlyMap<PeerId, PeerItems>): readonly Chunk[] {
  const chunks: Chunk[] = []
  const room = (bytes: number): Chunk => {
    const last = chunks.at(-1)
    const full = last === undefined || last.count === ITEMS_A_FRAME || last.bytes + bytes > ITEM_BYTES_A_FRAME
    const chunk = full ? emptyChunk() : last
    if (full) chunks.push(chunk)
    chunk.count++
    chunk.bytes += bytes
    return chunk
  }
  const put = (kind: (typeof KINDS)[number], item: Bytes): void => void room(item.length)[kind].push(item)
  for (const { successions = [] } of all.values()) for (const succession of successions) put('successions', succession)
  for (const [peer, { eviction, record, reissue, accusations, reached = [] }] of all) {
    if (eviction !== undefined) put('evictions', eviction)
    if (record !== undefined) put('records', record)
    if (reissue !== undefined) put('reissues', reissue)
    if (reached.length > 0) room(reached.length * REACHED_BYTES).reached.push({ peer, addresses: reached })
    for (const accusation of accusations) put('accusations', accusation)
  }
  return chunks
}

/** Summaries spread over as many frames as they need, each with whole buckets. */
function portionsOf({ covered, summaries }: Summaries): readonly Summaries[] {
  if (summaries.length <= SUMMARIES_A_FRAME) return [{ covered, summaries }]
  const byBucket = Map.groupBy(summaries, ({ peer }) => bucketOf(peer))
  const portions: { readonly covered: Set<number>; readonly summaries: Summary[] }[] = []
  for (const bucket of covered) {
    // More in one bucket than in a frame: whoever made so many ids for it is told of the first.
    const inside = (byBucket.get(bucket) ?? []).slice(0, SUMMARIES_A_FRAME)
    const last = portions.at(-1)
    const portion =
      last === undefined || last.summaries.length + inside.length > SUMMARIES_A_FRAME ? { covered: new Set<number>(), summaries: [] } : last
    if (portion !== last) portions.push(portion)
    portion.covered.add(bucket)
    portion.summaries.push(...inside)
  }
  return portions
}

/** Most frames are heartbeats, and of those one turn sends the same on every link. */
const heartbeats = new WeakMap<Bytes, Bytes>()

function heartbeat(root: Bytes): Bytes {
  const known = heartbeats.get(root)
  if (known !== undefined) return known
  const made = encodeFrame({ root })
  heartbeats.set(root, made)
  return made
}

/** A draft as bytes. */
export function frames(made: Draft): readonly Bytes[] {
  const { items, hello, summaries, ...rest } = made
  const { root } = rest
  const few = items.size === 0 && summaries === undefined && rest.buckets === undefined && rest.farewell === undefined
  const quiet = few && rest.wants.length + rest.questions.length + rest.answers.length === 0
  if (quiet && hello === undefined && root !== undefined) return [heartbeat(root)]
  // A greeting stands alone: what follows it is for an admitted peer, and frames before admission are short.
  const greeting = hello === undefined ? [] : [encodeFrame({ hello: hello.chain, successions: hello.successions })]
  if (quiet && root === undefined) return greeting
  const parts: readonly Frame[] = [
    ...chunksOf(items),
    ...(summaries === undefined ? [] : portionsOf(summaries).map((portion) => ({ summaries: portion }))),
  ]
  // What the sender's view comes to is said after all that makes it so.
  return [...greeting, ...[...parts.slice(0, -1), { ...parts.at(-1), ...rest }].map(encodeFrame)]
}
