/** `vxmesh join`: a host becomes a member, or, where it is one, comes by another invite from then on, with its daemon running. */
import { join as path } from 'node:path'
import { MeshError } from '@vxmesh/core'
import type { ParsedInvite } from '@vxmesh/gossip'
import { renewAnswer, statusAnswer, type StatusReport } from './answers.ts'
import { ask } from './client.ts'
import { lock } from './exclusive.ts'
import { isMember, loadMembership, renewed, saveMembership, type Membership } from './identity.ts'
import { expiryOf } from './lifetimes.ts'
import { inBase64 } from './succeeding.ts'

export type JoinPlace = { readonly stateDir: string; readonly control: string }

export async function join(invite: ParsedInvite, place: JoinPlace, print: (line: string) => void): Promise<void> {
  const known = isMember(place.stateDir)
  const membership = await loadMembership(place.stateDir, invite)
  if (known) return renew(membership, invite, place, print)
  print(`${membership.identity.peer} may be a member of mesh ${membership.mesh}${until(membership)}; start it with: vxmesh up`)
}

async function renew(known: Membership, invite: ParsedInvite, place: JoinPlace, print: (line: string) => void): Promise<void> {
  const { peer } = known.identity
  const next = renewed(known, invite)
  const before = known.admission.invite
  if (next.admission.invite === before)
    return print(`${peer} is a member by the invite ${before} already${until(known)}: nothing was changed`)
  const taken = await takenUp(next, place)
  print(`${peer} is a member by the invite ${next.admission.invite} from now on${until(next)}`)
  print(
    taken
      ? `its daemon has taken it up and goes on; the others see the new invite at once, in "vxmesh status --json"`
      : `no daemon of this host answers at ${place.control}: the next "vxmesh up" takes it up, and the others see it then`,
  )
  print(`before it was the invite ${before}: "vxmesh join" with that one again undoes this`)
}

/** Whether a daemon runs with this membership, and has taken up the new one; otherwise it is written here. */
async function takenUp(next: Membership, { stateDir, control }: JoinPlace): Promise<boolean> {
  const { admission, seeds, identity, lineage } = next
  if ((await running(control))?.self.peer === identity.peer) {
    const chain = Buffer.from(admission.chain).toString('base64')
    await ask(control, 'POST', '/v1/renew', renewAnswer, { chain, seeds, successions: inBase64(lineage) })
    return true
  }
  const meaning = { what: `the state directory ${stateDir}, whose socket --control is to name,`, flag: `--state-dir ${stateDir}` }
  const held = await lock(path(stateDir, 'lock'), meaning)
  try {
    saveMembership(stateDir, next)
  } finally {
    await held.release()
  }
  return false
}

/** What a daemon says there, if one does. */
export async function running(control: string): Promise<StatusReport | undefined> {
  try {
    return await ask(control, 'GET', '/v1/status', statusAnswer)
  } catch (error) {
    if (error instanceof MeshError && error.failure.code === 'NO_DAEMON') return undefined
    throw error
  }
}

function until({ admission }: Membership): string {
  const end = expiryOf(admission.bounds)
  return end === null ? '' : `, until ${end}`
}
