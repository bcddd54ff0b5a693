/** The keys of the mesh, as a daemon keeps them, takes them from its operator, and tells of them. */
import {
  comesTooLate,
  isForwarded,
  keyOf,
  MeshError,
  type Bytes,
  type Lineage,
  type MeshId,
  type Result,
  type SignedRecord,
  type WallTime,
} from '@vxmesh/core'
import { openLineage, openReissue, type State } from '@vxmesh/gossip'
import { envelopeVerifier, type Mesh } from '@vxmesh/gossip/libp2p'
import type { CertificatesReport, RotationReport, StatusReport } from './answers.ts'

/** Successions as they are written down, and told to a daemon. */
export function inBase64(lineage: Lineage): readonly string[] {
  return lineage.map(({ bytes }) => Buffer.from(bytes).toString('base64'))
}

/** And read again. */
export function lineageFrom(mesh: MeshId, texts: readonly string[]): Result<Lineage> {
  return openLineage(
    { mesh, verifier: envelopeVerifier },
    texts.map((text) => Uint8Array.from(Buffer.from(text, 'base64'))),
  )
}

/** Successions that came with an invite, or from the operator who made them: taken in, and said to the others, where they hold. */
export function takeIn(mesh: Mesh, id: MeshId, successions: readonly string[], wall: WallTime): Lineage {
  const given = lineageFrom(id, successions)
  if (!given.ok) throw refusal(given.reason)
  const known = mesh.state().lineage
  if (comesTooLate(known, given.value, wall)) throw taken(keyOf(id, known))
  mesh.succeed(given.value)
  return given.value
}

/** What `vxmesh key rotate` brings. Throws `MeshError` when another key has that place. */
export function rotate(mesh: Mesh, id: MeshId, successions: readonly string[], reissues: readonly Bytes[], wall: WallTime): RotationReport {
  const key = keyOf(id, takeIn(mesh, id, successions, wall))
  const { lineage } = mesh.state()
  if (keyOf(id, lineage) !== key) throw taken(keyOf(id, lineage))
  for (const bytes of reissues) {
    const made = openReissue({ mesh: id, verifier: envelopeVerifier, lineage }, bytes)
    if (!made.ok) throw refusal(made.reason)
    mesh.reissue(made.value)
  }
  return rotationReport(id, mesh.state())
}

/** Somebody else made another key the next one. */
export function taken(key: string): MeshError {
  return refusal(`the key before was followed by another in this mesh, which holds: ${key}`)
}

function refusal(reason: string): MeshError {
  return new MeshError({ code: 'USAGE', reason })
}

/** How many members are named that are not certified by the key yet. */
const WAITING_MOST = 10

/** At whom the key that speaks for the mesh is in force: who of those that packets are sent to is certified by it, and says so. */
export function rotationReport(mesh: MeshId, state: State): RotationReport {
  const { view, standings, lineage } = state
  const key = keyOf(mesh, lineage)
  const living = [...view].flatMap(([peer, { signed }]) => {
    const standing = standings.get(peer)
    return standing !== undefined && isForwarded(standing) ? [{ signed, state: standing.state }] : []
  })
  const waiting = living.filter(({ signed }) => signed.admission.issuer.key !== key)
  return {
    version: 1,
    mesh,
    key,
    successions: inBase64(lineage),
    until: endOf(lineage),
    living: living.length,
    under: living.length - waiting.length,
    waiting: waiting
      .slice(0, WAITING_MOST)
      .map(({ signed: { record }, state: is }) => ({ name: record.name, peer: record.peer, state: is })),
  }
}

/** The last of the keys, and until when certificates by the one before hold, in words. */
export function successionWords(lineage: Lineage): { readonly key: string; readonly end: string } {
  return { key: lineage.at(-1)?.to ?? '', end: endOf(lineage) ?? '' }
}

function endOf(lineage: Lineage): string | null {
  const last = lineage.at(-1)
  return last === undefined ? null : dateOf(last.until)
}

/** More than a date can say is as good as the last that one can. */
export function dateOf(time: number): string {
  return new Date(Math.min(time, DATE_MOST)).toISOString()
}

const DATE_MOST = 8.64e15

/** What everybody who is known, and has not left, is a member by: for a later key to make it anew. */
export function certificatesReport({ view, standings }: State): CertificatesReport {
  const members = [...view].filter(([peer]) => !['evicted', 'left'].includes(standings.get(peer)?.state ?? ''))
  return {
    version: 1,
    members: members.map(([peer, { signed }]) => ({
      name: signed.record.name,
      peer,
      chain: Buffer.from(signed.admission.chain).toString('base64'),
    })),
  }
}

/** Some of so many, as the subject of a sentence. */
function named(some: RotationReport['waiting'], all: number): string {
  const more = all > some.length ? ` and ${String(all - some.length)} more` : ''
  return `${some.map(({ name }) => name).join(', ')}${more} ${all === 1 ? 'is' : 'are'}`
}

/** What status shows of it, and says where something is to be done. */
export function rotationStatus(mesh: MeshId, state: State, wall: WallTime): Pick<StatusReport, 'rotation' | 'health'> {
  if (state.lineage.length === 0) return { rotation: null, health: [] }
  const { key, until, living, under, waiting } = rotationReport(mesh, state)
  const end = until ?? ''
  const left = (state.lineage.at(-1)?.until ?? 0) > wall ? `ends on ${end}` : `ended on ${end}`
  const behind =
    waiting.length === 0
      ? []
      : [
          `${named(waiting, living - under)} certified by a former key of the mesh, which ${left}: "vxmesh key rotate" where mesh.key is takes over whom the key before admitted, while it lasts; a new invite does at any time`,
        ]
  const contested =
    state.contested === undefined
      ? []
      : [
          `two keys were each made the next of the mesh: ${key} holds everywhere, ${state.contested} counts for nothing: take its file away, and look who has copies of the key of the mesh`,
        ]
  return { rotation: { key, until: end, living, in_force: under }, health: [...contested, ...behind] }
}

/** What a member should note of another, or of itself. */
export function issuerNotes({ lineage }: State, { admission }: SignedRecord): readonly string[] {
  return lineage.length > 0 && admission.issuer.generation !== lineage.length ? ['certified by a former key of the mesh'] : []
}
