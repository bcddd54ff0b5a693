/**
 * Anti-entropy over one link: roots are compared with every heartbeat; where they stay different one side sends the
 * digests of its buckets, the other the summaries of those that differ, and then each gives what is newer on its side.
 * In a small mesh the summaries of everything are shorter than the digests, and go at once.
 */
import { elapsed, seconds, type Bytes, type PeerId } from '@vxmesh/core'
import { bucketsOf, difference, differingBuckets, sameDigest, summarise } from './digest.ts'
import { BUCKETS } from './buckets.ts'
import type { Summaries } from './message.ts'
import { askWhere } from './reach.ts'
import { COMPARE_AFTER, COMPARE_EVERY, type Link, type LinkId, type Turn } from './state.ts'
import { change, changeLink, draft, draftRoot, owe } from './turn.ts'

/** Up to this many members all summaries are about as long as the digests of the buckets. */
const SUMMARISED_MOST = 32

const EVERYTHING: ReadonlySet<number> = new Set(Array.from({ length: BUCKETS }, (_, bucket) => bucket))

/** The peer's view has this root. */
export function receiveRoot(turn: Turn, link: Link, root: Bytes): void {
  if (sameDigest(root, turn.state.root)) {
    if (link.differsSince !== undefined) changeLink(turn, link.id, { differsSince: undefined })
    if (!turn.state.exchanged && isFresh(turn, link)) begun(turn)
    return
  }
  const differsSince = link.differsSince ?? turn.now
  if (link.differsSince === undefined) changeLink(turn, link.id, { differsSince })
  // One side asks: the dialler on a new link, then the one with the smaller id; the other only if that one does not.
  const opening = link.summarisedAt === undefined && link.dialled !== undefined && !isComparing(turn)
  const patience = turn.env.signer.peer < link.peer ? COMPARE_AFTER : 3 * COMPARE_AFTER
  const due = turn.now - differsSince >= patience && turn.now - (link.summarisedAt ?? -Infinity) >= COMPARE_EVERY
  if (opening || due) compare(turn, link.id)
}

/** From now on we know what the others know, but where those are whom we remember. */
function begun(turn: Turn): void {
  change(turn, { exchanged: true })
  askWhere(turn)
}

/** Whether another link is at it: a newcomer that opens ten links at once needs to be told of everybody once. */
function isComparing(turn: Turn): boolean {
  return turn.state.links.some(({ summarisedAt, differsSince }) => {
    return differsSince !== undefined && summarisedAt !== undefined && turn.now - summarisedAt < COMPARE_EVERY
  })
}

/** What was on its way while we were alone, or stood still, has been read by then. */
const BACKLOG = seconds(1)

/** Whether what comes over a link was said since we are no longer alone. */
function isFresh({ now, state: { aloneUntil } }: Turn, link: Link): boolean {
  return link.since >= aloneUntil || elapsed(aloneUntil, now) >= BACKLOG
}

function compare(turn: Turn, link: LinkId): void {
  const { view, evictions, comparisons } = turn.state
  if (view.size + evictions.size <= SUMMARISED_MOST) draft(turn, link).summaries = { covered: EVERYTHING, summaries: summarise(turn.state) }
  else draft(turn, link).buckets = bucketsOf(turn.state)
  change(turn, { comparisons: { ...comparisons, begun: comparisons.begun + 1 } })
  changeLink(turn, link, { summarisedAt: turn.now })
}

/** The digests of the peer's buckets: it is told what we hold in those that differ. */
export function receiveBuckets(turn: Turn, link: LinkId, buckets: Bytes): void {
  const covered = differingBuckets(turn.state, buckets)
  if (covered.size > 0) draft(turn, link).summaries = { covered, summaries: summarise(turn.state, covered) }
}

/** What the peer holds of some members: it gets what it lacks and is asked for what we lack. */
export function receiveSummaries(turn: Turn, link: LinkId, { covered, summaries }: Summaries): void {
  const { offers, wants } = difference(turn.state, summaries, covered.size === BUCKETS ? undefined : covered)
  owe(turn, link, offers)
  draft(turn, link).wants.push(...wants)
  draftRoot(turn, link)
}

export function receiveWants(turn: Turn, link: LinkId, wants: readonly PeerId[]): void {
  owe(
    turn,
    link,
    wants.filter((key) => turn.state.view.has(key) || turn.state.evictions.has(key) || key === turn.state.lineage[0]?.mesh),
  )
  if (wants.length > 0) draftRoot(turn, link)
}
