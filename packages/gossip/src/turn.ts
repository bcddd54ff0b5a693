import { rootOf } from './digest.ts'
import { encodeFrame, ITEM_BYTES_A_FRAME, ITEMS_A_FRAME } from './message.ts'
import type { Bytes, PeerId } from '@vxmesh/core'
import type { Draft, Link, LinkId, PeerItems, State, Turn } from './state.ts'

/** Replaces parts of the state of a turn. */
export function change(turn: Turn, parts: Partial<State>): void {
  turn.state = { ...turn.state, ...parts }
}

export function changeLink(turn: Turn, link: LinkId, parts: Partial<Link>): void {
  const held = turn.state.links.get(link)
  if (held !== undefined) change(turn, { links: turn.state.links.set(link, { ...held, ...parts }) })
}

/** The frame that this turn will send on a link. */
export function draft(turn: Turn, link: LinkId): Draft {
  const begun = turn.drafts.get(link)
  if (begun !== undefined) return begun
  const made: Draft = { items: new Map(), wants: [], questions: [], answers: [] }
  turn.drafts.set(link, made)
  return made
}

/** The items about one member in the frame that this turn will send on a link. */
export function draftItems(turn: Turn, link: LinkId, peer: PeerId): PeerItems {
  const { items } = draft(turn, link)
  const begun = items.get(peer)
  if (begun !== undefined) return begun
  const made: PeerItems = { accusations: [] }
  items.set(peer, made)
  return made
}

export function draftRoot(turn: Turn, link: LinkId): void {
  draft(turn, link).root = rootOf(turn.state.view)
}

export function openLinks(state: State): readonly Link[] {
  return [...state.links.values()].filter((link) => link.phase === 'open')
}

export function openLinkTo(state: State, peer: PeerId): Link | undefined {
  return openLinks(state).find((link) => link.peer === peer)
}

/** Drops a link from the state and asks the shell to close it. */
export function unlink(turn: Turn, link: LinkId, reason: string): void {
  change(turn, { links: turn.state.links.delete(link) })
  turn.drafts.delete(link)
  turn.effects.push({ kind: 'unlink', link, reason })
}

/** Something received is not believed: counted, and told to the shell, which logs it once. */
export function drop(turn: Turn, peer: PeerId, reason: string): void {
  change(turn, { dropped: turn.state.dropped.update(reason, 0, (count) => count + 1) })
  turn.effects.push({ kind: 'dropped', peer, reason })
}

/** The sends of a turn. */
export function flush(turn: Turn): void {
  for (const id of turn.drafts.keys()) flushLink(turn, id)
}

/** What this turn has to say on one link. A link that is congested gets nothing: it compares views when it drains. */
export function flushLink(turn: Turn, id: LinkId): void {
  const made = turn.drafts.get(id)
  const link = turn.state.links.get(id)
  turn.drafts.delete(id)
  if (made === undefined || link === undefined || link.congested) return
  for (const bytes of frames(made)) turn.effects.push({ kind: 'send', link: id, bytes })
}

type Chunk = { readonly records: Bytes[]; readonly accusations: Bytes[]; bytes: number }

/** Items in the order they were drafted, spread over as many frames as they need: a record never comes after what accuses its owner. */
function chunksOf(items: Iterable<PeerItems>): readonly Chunk[] {
  const chunks: Chunk[] = [{ records: [], accusations: [], bytes: 0 }]
  const put = (kind: 'records' | 'accusations', item: Bytes): void => {
    const last = chunks.at(-1)!
    const full = last.records.length + last.accusations.length === ITEMS_A_FRAME || last.bytes + item.length > ITEM_BYTES_A_FRAME
    const chunk = full ? { records: [], accusations: [], bytes: 0 } : last
    if (full) chunks.push(chunk)
    chunk[kind].push(item)
    chunk.bytes += item.length
  }
  for (const { record, accusations } of items) {
    if (record !== undefined) put('records', record)
    for (const accusation of accusations) put('accusations', accusation)
  }
  return chunks
}

/** A draft as bytes. */
export function frames(made: Draft): readonly Bytes[] {
  const { items, hello, ...rest } = made
  const chunks = chunksOf(items.values())
  // A greeting stands alone: what follows it is for an admitted peer, and frames before admission are short.
  const greeting = hello === undefined ? [] : [encodeFrame({ hello })]
  const only = items.size === 0 && hello !== undefined && isEmpty(rest)
  if (only) return greeting
  const bodies = chunks.map(({ records, accusations }, index) => encodeFrame({ records, accusations, ...(index === 0 ? rest : {}) }))
  return [...greeting, ...bodies]
}

function isEmpty(rest: Omit<Draft, 'items' | 'hello'>): boolean {
  const { root, summaries, farewell, wants, questions, answers } = rest
  return root === undefined && summaries === undefined && farewell === undefined && wants.length + questions.length + answers.length === 0
}
