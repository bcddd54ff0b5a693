/** Anti-entropy over one link: roots are compared with every heartbeat, summaries only when roots stay different. */
import type { Bytes, PeerId } from '@vxmesh/core'
import { difference, rootOf, sameDigest, summarise } from './digest.ts'
import type { Summary } from './message.ts'
import { offer } from './beliefs.ts'
import { COMPARE_AFTER, COMPARE_EVERY, type Link, type LinkId, type Turn } from './state.ts'
import { change, changeLink, draft, draftRoot } from './turn.ts'

/** The peer's view has this root. */
export function receiveRoot(turn: Turn, link: Link, root: Bytes): void {
  if (sameDigest(root, rootOf(turn.state.view))) {
    if (link.differsSince !== undefined) changeLink(turn, link.id, { differsSince: undefined })
    if (!turn.state.exchanged) change(turn, { exchanged: true })
    return
  }
  const differsSince = link.differsSince ?? turn.now
  if (link.differsSince === undefined) changeLink(turn, link.id, { differsSince })
  // One side asks: the dialler on a new link, then the one with the smaller id; the other only if that one does not.
  const opening = link.summarisedAt === undefined && link.dialled !== undefined
  const patience = turn.env.signer.peer < link.peer ? COMPARE_AFTER : 3 * COMPARE_AFTER
  const due = turn.now - differsSince >= patience && turn.now - (link.summarisedAt ?? -Infinity) >= COMPARE_EVERY
  if (opening || due) compare(turn, link.id)
}

/** Sends the summary of our whole view. */
function compare(turn: Turn, link: LinkId): void {
  draft(turn, link).summaries = summarise(turn.state.view)
  changeLink(turn, link, { summarisedAt: turn.now })
}

/** The peer's whole view in summary: it gets what it lacks and is asked for what we lack. */
export function receiveSummaries(turn: Turn, link: LinkId, summaries: readonly Summary[]): void {
  const { offers, wants } = difference(turn.state.view, summaries)
  for (const peer of offers) offer(turn, link, peer)
  draft(turn, link).wants.push(...wants)
  draftRoot(turn, link)
}

export function receiveWants(turn: Turn, link: LinkId, wants: readonly PeerId[]): void {
  for (const peer of wants) offer(turn, link, peer)
  if (wants.length > 0) draftRoot(turn, link)
}
