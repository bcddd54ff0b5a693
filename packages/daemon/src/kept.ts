/** The membership of a daemon while it runs: what others make of it is written down as it comes. */
import { issuerIn, type Admission, type Lineage } from '@vxmesh/core'
import { saveMembership, type Membership } from './identity.ts'

export type Kept = {
  readonly membership: Membership
  /** Other keys speak for the mesh. */
  succeeded(lineage: Lineage): void
  /** A later key certified us anew, or has lost its place; `former`: what counts again should it do so. */
  admitted(admission: Admission, former: Admission | undefined): void
  /** We are a member by another invite. Throws where it cannot be written down. */
  renewed(next: Membership): void
}

/** @param trouble what could not be written down: it is told again by others, or by the next start */
export function keep(directory: string, first: Membership, trouble: (error: unknown) => void): Kept {
  let membership = first
  function save(next: Membership): void {
    membership = next
    try {
      saveMembership(directory, next)
    } catch (error) {
      trouble(error)
    }
  }
  return {
    get membership() {
      return membership
    },
    succeeded: (lineage) => {
      const { mesh, admission } = membership
      // Keys that have nothing to do with our certificates any more would make the file one that nobody can start with.
      if (issuerIn(mesh, lineage, admission.issuer.key).generation >= 0) save({ ...membership, lineage })
      else membership = { ...membership, lineage }
    },
    admitted: (admission, former) => save({ ...membership, admission, former }),
    renewed: (next) => {
      saveMembership(directory, next)
      membership = next
    },
  }
}
