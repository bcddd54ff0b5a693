/** A mesh whose key is rotated, to test with: the statements, and what the next keys certify. */
import { UNBOUND, wallTime, type Bytes, type Lineage } from '@vxmesh/core'
import { certifyInvite, certifyMember, reissue } from '../certificate.ts'
import { sealSuccession } from '../succession.ts'
import type { Identity } from './signer.ts'
import { a, admissionOf, b, c, d, inviteIdentity, lineageOf, mesh, meshKey, otherKey, secondKey, Stepped } from './stepped.ts'

export const DAY = 86_400_000
/** When the overlap is over. */
export const END = wallTime(30 * DAY)
/** By two operators at once: the key with the lesser name wins. */
export const second = sealSuccession(mesh, meshKey, secondKey, END)
export const other = sealSuccession(mesh, meshKey, otherKey, END)
export const [winner, loser] = secondKey.peer < otherKey.peer ? [second, other] : [other, second]
export const [winnerKey, loserKey] = winner === second ? [secondKey, otherKey] : [otherKey, secondKey]
export const rotated = lineageOf(second)

/** A member with links to three others. */
export const met = () => new Stepped(a).meet(1, b).meet(2, c).meet(3, d)
export const anew = (of: Identity, key = secondKey): Bytes => reissue(key, mesh, admissionOf(of.peer), wallTime(1))
/** What one shows at the door that came by an invite of a later key. */
export const newcomer = (of: Identity, key = secondKey): Bytes =>
  certifyMember(mesh, inviteIdentity, certifyInvite(key, inviteIdentity.peer, UNBOUND, mesh), of.peer)
export const keysOf = (lineage: Lineage) => lineage.map(({ to }) => to)
