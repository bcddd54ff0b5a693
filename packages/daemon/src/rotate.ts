/**
 * Rotating the key of the mesh: the next one is written down where the key is, both sign that it follows, and a daemon says
 * so to the others, with a certificate made anew for each member. What is reported is how many live members have taken theirs
 * up. Until the overlap is over the same command goes on with the same rotation, so that it may be broken off at any time.
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  keyOf,
  MeshError,
  mergeLineages,
  SUCCESSIONS_MOST,
  wallTime,
  type Bytes,
  type Lineage,
  type MeshId,
  type PeerId,
  type WallTime,
} from '@vxmesh/core'
import { reissue, sealSuccession, verifyChain } from '@vxmesh/gossip'
import { envelopeVerifier, makeIdentity } from '@vxmesh/gossip/libp2p'
import { certificatesAnswer, REISSUES_MOST, rotationAnswer, type CertificatesReport, type RotationReport } from './answers.ts'
import { ask } from './client.ts'
import { timeIn } from './invites.ts'
import { checkMesh, readMeshKey, replaceMeshKey, type KeyPlace, type MeshKey } from './meshkey.ts'
import { LOOK_EVERY, patienceIn } from './revoke.ts'
import { inBase64, lineageFrom, successionWords, taken } from './succeeding.ts'

export type RotateOptions = KeyPlace & {
  readonly control: string
  /** How long certificates by the key before hold. */
  readonly overlap: string
  /** Not the rotation that is under way, but another. */
  readonly anew?: boolean
  readonly wait: string
}

/** Rotates, or goes on with it, says so, and waits. Throws `UNFINISHED` when not all live members have taken it up in time. */
export async function rotateKey(options: RotateOptions, print: (line: string) => void, now: number): Promise<void> {
  const { control } = options
  const patience = patienceIn(options.wait)
  const overlap = timeIn('--overlap', options.overlap)
  if (overlap === 0) throw usage('--overlap', 'members that are away need some time; as 24h or 30d')
  const before = await ask(control, 'GET', '/v1/rotation', rotationAnswer)
  const held = await readMeshKey(options)
  checkMesh(held, before.mesh, options)
  checkUpToDate(held, before, options)
  const { members } = await ask(control, 'GET', '/v1/certificates', certificatesAnswer)
  const key = await nextKey(held, options, { overlap, now }, print)
  const successions = inBase64(key.lineage)
  const former = members.flatMap((member) => reissuable(key, member, wallTime(now)))
  await ask(control, 'POST', '/v1/rotate', rotationAnswer, { successions, reissues: [] })
  for (let at = 0; at < former.length; at += REISSUES_MOST) {
    const reissues = former.slice(at, at + REISSUES_MOST).map(({ bytes }) => Buffer.from(bytes).toString('base64'))
    await ask(control, 'POST', '/v1/rotate', rotationAnswer, { successions, reissues })
  }
  if (former.length > 0) print('certified anew, each for itself; revoke whom you do not know:')
  for (const { name, peer, invite } of former) print(`  ${name} ${peer}, by the invite ${invite}`)
  const last = await inForce(control, patience, key.identity.peer)
  print(`in force at ${String(last.under)} of ${String(last.living)} live members`)
  if (last.under === last.living) return
  const waiting = last.waiting.map(({ name, state }) => `${name} (${state})`).join(', ')
  const reason = `not in force yet at ${waiting}: the same command again says how far it is, and certifies who came by an invite of the key before since`
  throw new MeshError({ code: 'UNFINISHED', reason })
}

/** The key to certify with: that of the rotation under way, or another, which is in its place from now on. */
async function nextKey(
  held: MeshKey,
  { dir, anew }: RotateOptions,
  { overlap, now }: { readonly overlap: number; readonly now: number },
  print: (line: string) => void,
): Promise<MeshKey> {
  if (anew !== true && (held.lineage.at(-1)?.until ?? 0) > now) {
    const { key, end } = successionWords(held.lineage)
    print(`the rotation to ${key} is under way until ${end}: it is said again; --anew begins another`)
    return held
  }
  const { mesh, lineage, passphrase } = held
  if (lineage.length >= SUCCESSIONS_MOST)
    throw usage('key rotate', `a mesh can have ${String(SUCCESSIONS_MOST)} rotations: begin a new one`)
  const identity = await makeIdentity()
  const words = sealSuccession(mesh, held.identity, identity, wallTime(now + overlap))
  const longer = lineageFrom(mesh, [...inBase64(lineage), Buffer.from(words).toString('base64')])
  if (!longer.ok) throw new Error(longer.reason)
  const next = { mesh, identity, lineage: longer.value, passphrase }
  const kept = replaceMeshKey(dir, next)
  const { key, end } = successionWords(next.lineage)
  for (const line of [
    `the key of the mesh is ${key} from now on, in mesh.key${passphrase === undefined ? '' : ' under the same passphrase'}: make a backup of it with "vxmesh key export"`,
    `${kept} is the key before: delete it once the new one is in force everywhere`,
    `the mesh is called ${mesh} as ever and goes on forwarding; members take the new key up by themselves, those that are away when they are back by ${end}`,
    `invites of the key before, mesh.invite too, let nobody in after ${end}: make new ones with "vxmesh invite"`,
    'nothing takes a rotation back: to be rid of the new key rotate again, with --anew; what was revoked stays so',
  ])
    print(line)
  return next
}

/** Refused where the mesh knows another key that goes before the one that is held. */
function checkUpToDate(held: MeshKey, { successions, key }: RotationReport, { dir }: RotateOptions): void {
  const theirs = lineageFrom(held.mesh, successions)
  if (theirs.ok && keyOf(held.mesh, mergeLineages(held.lineage, theirs.value)) === held.identity.peer) return
  throw new MeshError({
    code: 'CONFIG_INVALID',
    where: `--dir ${dir}`,
    reason: `the key there was followed by another, ${key}: go where that one is`,
  })
}

type Certified = { readonly name: string; readonly peer: PeerId; readonly invite: PeerId; readonly bytes: Bytes }

/** A member's certificate made anew, where it was made by a former key. */
function reissuable(
  { mesh, lineage, identity }: MeshKey,
  { name, chain }: CertificatesReport['members'][number],
  issued: WallTime,
): readonly Certified[] {
  const admitted = verified(mesh, lineage, chain)
  if (admitted === undefined || admitted.issuer.key === identity.peer) return []
  const { peer, invite } = admitted
  return [{ name, peer, invite, bytes: reissue(identity, mesh, admitted, issued) }]
}

function verified(mesh: MeshId, lineage: Lineage, chain: string) {
  const admitted = verifyChain({ mesh, verifier: envelopeVerifier, lineage }, Uint8Array.from(Buffer.from(chain, 'base64')))
  return admitted.ok ? admitted.value : undefined
}

/** How far it is. Throws `MeshError` when another key takes the place of this one meanwhile. */
async function inForce(control: string, patience: number, key: PeerId): Promise<RotationReport> {
  let report = await ask(control, 'GET', '/v1/rotation', rotationAnswer)
  for (const end = performance.now() + patience; report.key === key && report.under < report.living && performance.now() < end;) {
    await pause(LOOK_EVERY)
    report = await ask(control, 'GET', '/v1/rotation', rotationAnswer)
  }
  if (report.key !== key) throw taken(report.key)
  return report
}

function usage(where: string, reason: string): MeshError {
  return new MeshError({ code: 'USAGE', reason: `${where}: ${reason}` })
}
