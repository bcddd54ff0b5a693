/**
 * Revoking a member, or an invite: the mesh key signs it, a daemon says it to the others, and what is reported is how
 * many live members say that it holds there, their kernels included. Shown and not enforced would be worse than not done.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { issuerIn, MeshError, parsePeerId, type PeerId } from '@vxmesh/core'
import { sealEviction } from '@vxmesh/gossip'
import { evictionAnswer, statusAnswer, type EvictionReport, type MemberRow, type StatusReport } from './answers.ts'
import { ask } from './client.ts'
import { checkMesh, readMeshKey, type KeyPlace } from './meshkey.ts'

export type RevokeOptions = KeyPlace & {
  readonly member: string | undefined
  readonly invite: string | undefined
  readonly control: string
  /** How long to wait until all enforce it, in seconds. */
  readonly wait: string
}

/** How often a daemon is asked how far it is, in milliseconds. */
export const LOOK_EVERY = 100

/** Revokes, says so, and waits. Throws `UNFINISHED` when not all live members enforce it in time. */
export async function revoke(options: RevokeOptions, print: (line: string) => void): Promise<void> {
  const { control } = options
  const patience = patienceIn(options.wait)
  const report = await ask(control, 'GET', '/v1/status', statusAnswer)
  const key = subjectOf(options, report)
  const meshKey = await readMeshKey(options)
  checkMesh(meshKey, report.mesh, options)
  if (issuerIn(meshKey.mesh, meshKey.lineage, key).generation >= 0)
    throw usage(`revoke ${key}: that is a key of the mesh, and no member: "vxmesh key rotate" puts another in its place`)
  const eviction = Buffer.from(sealEviction(meshKey.identity, key, meshKey.mesh, meshKey.lineage)).toString('base64')
  const first = await ask(control, 'POST', '/v1/evict', evictionAnswer, { eviction })
  for (const line of options.invite === undefined ? memberLines(report, key) : inviteLines(report, key)) print(line)
  const last = await enforced(control, first, patience)
  print(`enforced by ${String(last.enforcing)} of ${String(last.living)} live members`)
  if (last.enforcing === last.living) return
  const waiting = last.waiting.map(({ name, state }) => `${name} (${state})`).join(', ')
  const reason = `not enforced yet by ${waiting}: their entries stay until they hear of it; the same command again says how far it is`
  throw new MeshError({ code: 'UNFINISHED', reason })
}

/** What `--wait` says, in milliseconds. */
export function patienceIn(wait: string): number {
  if (!/^[0-9]{1,6}$/.test(wait)) throw usage(`--wait ${wait}: a number of seconds`)
  return Number(wait) * 1000
}

async function enforced(control: string, first: EvictionReport, patience: number): Promise<EvictionReport> {
  let report = first
  for (const end = performance.now() + patience; report.enforcing < report.living && performance.now() < end;) {
    await pause(LOOK_EVERY)
    report = await ask(control, 'GET', '/v1/evictions', evictionAnswer)
  }
  return report
}

/** The key to be evicted. Refused when it is not clear whose, or when nobody would be left to carry it out. */
function subjectOf({ member, invite }: RevokeOptions, { members, self }: StatusReport): PeerId {
  if ((member === undefined) === (invite === undefined)) throw usage('revoke: name a member, or an invite with --invite')
  const key = member === undefined ? inviteNamed(invite ?? '', members) : memberNamed(member, members)
  const own = members.find(({ peer }) => peer === self.peer)
  if (key === self.peer || key === own?.invite)
    throw usage('revoke: that would evict the member whose daemon is to carry it out: name the socket of another with --control')
  return key
}

function memberNamed(text: string, members: readonly MemberRow[]): PeerId {
  const known = members.filter(({ name }) => name === text)
  if (known.length > 1) {
    const list = known.map(({ peer, state, underlay }) => `${peer} (${state}, ${underlay ?? 'no tunnel'})`).join(', ')
    throw usage(`revoke ${text}: ${String(known.length)} members are called that; name one by its peer id: ${list}`)
  }
  const peer = parsePeerId(known[0]?.peer ?? text)
  if (!peer.ok) throw usage(`revoke ${text}: no member is called that; see "vxmesh status"`)
  return peer.value
}

/** The end of an invite's key is enough, where it is that of one only. */
const ID_LEAST = 6

function inviteNamed(text: string, members: readonly MemberRow[]): PeerId {
  const known = [...new Set(members.flatMap(({ invite }) => (invite !== null && invite.endsWith(text) ? [invite] : [])))]
  if (text.length >= ID_LEAST && known.length > 1) throw usage(`revoke --invite ${text}: that may be any of ${known.join(', ')}`)
  const key = parsePeerId(text.length >= ID_LEAST ? (known[0] ?? text) : text)
  if (!key.ok) throw usage(`revoke --invite ${text}: no invite is called that; see "vxmesh invites"`)
  return key.value
}

const OTHERS =
  'every other member closes its connections to it, removes its entries, and refuses whatever it says; "vxmesh status" shows it as evicted'
const BACK =
  'there is no way back for this key; to let the host in again: stop its daemon, delete identity.key and member.json in its state directory, and start it with a new invite'

function memberLines({ members }: StatusReport, key: PeerId): readonly string[] {
  const row = members.find(({ peer }) => peer === key)
  const open = row?.invite ?? null
  return [
    `revoked ${row === undefined ? key : `${row.name} (${key})`}: it is a member no more`,
    OTHERS,
    BACK,
    ...(open === null
      ? []
      : [`the invite that it came by still admits hosts: "vxmesh revoke --invite ${open}" ends that, for all who came by it`]),
  ]
}

function inviteLines({ members }: StatusReport, key: PeerId): readonly string[] {
  const came = members.filter(({ invite }) => invite === key).map(({ name }) => name)
  return [
    `revoked the invite ${key}: it admits nobody any more, and ${came.length === 0 ? 'nobody came by it' : `${came.join(', ')}, who came by it, are members no more`}`,
    ...(came.length === 0
      ? []
      : [
          OTHERS,
          'there is no way back for it; the hosts can be let in again with another invite: give it to "vxmesh up --invite" after deleting member.json in their state directories',
        ]),
  ]
}

function usage(reason: string): MeshError {
  return new MeshError({ code: 'USAGE', reason })
}
