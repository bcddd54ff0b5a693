/**
 * Which keys speak for the mesh, one after the other. The first names the mesh for ever; each later one was put in its place
 * by a statement that the key before it and it itself signed. What a key certified holds until the overlap after it is over,
 * as a membership that ends then; what it evicted stays so. Of two lines that part, the one whose key is smaller where they
 * do holds, and of two that do not the longer: a total order, so that all come to hold the same one whatever they hear first.
 */
import type { Admission, Bounds } from './record.ts'
import { hasEnded } from './expiry.ts'
import { wallTime, type Bytes, type MeshId, type PeerId, type WallTime } from './values.ts'
import type { Belief, View } from './view.ts'

/** The verified word of one key of the mesh, and of the next, that the next takes its place. */
export type Succession = {
  readonly mesh: MeshId
  readonly from: PeerId
  readonly to: PeerId
  /** Until when certificates by the key before hold. */
  readonly until: WallTime
  /** The signed envelope, byte for byte as it was made. */
  readonly bytes: Bytes
  /** SHA-256 of the envelope in hexadecimal. */
  readonly hash: string
}

/** All successions from the first key on, in order. */
export type Lineage = readonly Succession[]

export const FIRST_KEY: Lineage = []

/** How often a key of a mesh can be followed by another: all of it is shown at every door. */
export const SUCCESSIONS_MOST = 16

/** A key of the mesh, and how many were before it; -1 where it is none, as far as is known. */
export type Issuer = { readonly key: PeerId; readonly generation: number }

/** The key that speaks for the mesh now. */
export function keyOf(mesh: MeshId, lineage: Lineage): PeerId {
  return lineage.at(-1)?.to ?? mesh
}

export function issuerIn(mesh: MeshId, lineage: Lineage, key: PeerId): Issuer {
  return { key, generation: [mesh, ...lineage.map(({ to }) => to)].indexOf(key) }
}

/** The one of the two that holds: the very same object. */
export function mergeLineages(a: Lineage, b: Lineage): Lineage {
  const at = parting(a, b)
  const [mine, theirs] = [a[at], b[at]]
  if (mine === undefined || theirs === undefined) return theirs === undefined ? a : b
  return order(mine) <= order(theirs) ? a : b
}

/** The first place in which they are not the same; the length of the shorter where one goes on from the other. */
function parting(a: Lineage, b: Lineage): number {
  const at = a.findIndex(({ hash }, index) => hash !== b[index]?.hash)
  return at === -1 ? a.length : at
}

function order({ to, hash }: Succession): string {
  return `${to} ${hash}`
}

/** The succession of `held` that is not in `heard`, where both say what comes after the same key; undefined where they do not part. */
export function partingFrom(held: Lineage, heard: Lineage): Succession | undefined {
  const at = parting(held, heard)
  return heard[at] === undefined ? undefined : held[at]
}

/** Whether what was heard would put another key in the place of one that has been followed, and has ended since. */
export function comesTooLate(held: Lineage, heard: Lineage, wall: WallTime): boolean {
  return hasEnded(partingFrom(held, heard)?.until, wall)
}

/** What a certificate of these bounds allows by a key of that generation: no more than until the overlap after it is over, or after a later one. */
export function boundedBy(certified: Bounds, { generation }: Issuer, lineage: Lineage): Bounds {
  const overlaps = generation < 0 ? [wallTime(0)] : lineage.slice(generation).map(({ until }) => until)
  if (overlaps.length === 0) return certified
  const end = wallTime(Math.min(...overlaps))
  return { ...certified, notAfter: sooner(certified.notAfter, end), until: sooner(certified.until, end) }
}

function sooner(own: WallTime | undefined, end: WallTime): WallTime {
  return wallTime(Math.min(own ?? end, end))
}

/** The word of a key of the mesh that a member whom an earlier one had certified is a member still: its invite's certificate, made anew for it alone. */
export type Reissue = {
  readonly subject: PeerId
  readonly invite: PeerId
  readonly issuer: Issuer
  /** When, by the clock of whoever has the key: a member may have come by another invite since. */
  readonly issued: WallTime
  readonly bytes: Bytes
  readonly hash: string
}

/** Of two about one member the one by the later key, and of two by one key the one that it made later. */
export function laterReissue(held: Reissue | undefined, heard: Reissue | undefined): Reissue | undefined {
  if (held === undefined || heard === undefined) return held ?? heard
  const newer = heard.issuer.generation - held.issuer.generation || heard.issued - held.issued
  return newer > 0 || (newer === 0 && heard.hash > held.hash) ? heard : held
}

/** The certificate that a member should take up, if there is one. */
export function pendingReissue({ signed: { admission }, reissue }: Belief): Reissue | undefined {
  const helps = reissue?.invite === admission.invite && reissue.issuer.generation > admission.issuer.generation
  return helps ? reissue : undefined
}

/** The view as the keys of the mesh are now: whose certificates are by which, and until when those hold. */
export function underLineage(view: View, lineage: Lineage): View {
  const [first] = lineage
  if (first === undefined) return view
  const known = (key: PeerId): Issuer => issuerIn(first.mesh, lineage, key)
  return view.map((belief) => {
    const { reissue, ...rest } = belief
    const admission = admittedUnder(rest.signed.admission, known, lineage)
    const signed = admission === rest.signed.admission ? rest.signed : { ...rest.signed, admission }
    // What a key says that has lost its place to another is as if it had not been said.
    const kept = reissue === undefined || known(reissue.issuer.key).generation < 0 ? undefined : reissue
    if (signed === rest.signed && kept === reissue) return belief
    return { ...rest, signed, ...(kept === undefined ? {} : { reissue: kept }) }
  })
}

function admittedUnder(admission: Admission, known: (key: PeerId) => Issuer, lineage: Lineage): Admission {
  const issuer = known(admission.issuer.key)
  const bounds = boundedBy(admission.certified, issuer, lineage)
  const { until, notAfter } = admission.bounds
  const same = issuer.generation === admission.issuer.generation && bounds.until === until && bounds.notAfter === notAfter
  return same ? admission : { ...admission, issuer, bounds }
}
