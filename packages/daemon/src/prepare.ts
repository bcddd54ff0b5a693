/** What a start writes down and makes before anybody else hears of it: all of it, or nothing that tells who this host is. */
import { messageOf } from '@vxmesh/core'
import type { ParsedInvite } from '@vxmesh/gossip'
import { loadMembership, undoFirstStart, type Membership } from './identity.ts'
import type { Log } from './log.ts'
import type { UpOptions } from './options.ts'
import { keepWithin, type Kernels } from './prelude.ts'
import { openStore, type Store, type StoreTrouble } from './store.ts'
import { establishAll, type Established } from './tunnel-runtime.ts'

export type Prepared = {
  readonly membership: Membership
  readonly store: Store
  readonly trouble: StoreTrouble
  readonly established: readonly Established[]
}

/**
 * Who this host is, and its devices: of a first start that cannot have them nothing stays. Throws `MeshError`.
 * @param invite needed at the first start
 */
export async function prepare(options: UpOptions, log: Log, kernels: Kernels, invite: ParsedInvite | undefined): Promise<Prepared> {
  const undo = undoFirstStart(options.stateDir)
  const trouble: StoreTrouble = (what, error) => log.error({ event: 'state', reason: messageOf(error) }, what)
  try {
    const membership = await loadMembership(options.stateDir, invite)
    keepWithin(membership.admission.bounds, options)
    const store = openStore(options.stateDir, trouble)
    return { membership, store, trouble, established: await establishAll(kernels, options, membership.mesh, store) }
  } catch (error) {
    undo()
    throw error
  }
}
