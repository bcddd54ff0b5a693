/** A transport that writes down what it is told, to test it with. */
import type { Bytes, ControlAddress } from '@vxmesh/core'
import type { LinkId } from '../state.ts'
import { makeIdentity, type Identity } from './signer.ts'
import { startTransport, type Transport } from './transport.ts'

export type Station = {
  readonly identity: Identity
  readonly transport: Transport
  /** Where it listens. */
  readonly at: ControlAddress
  readonly heard: string[]
  readonly frames: Bytes[]
  /** Its newest link. */
  last(): LinkId
}

/** @param known whether all who come are taken for members, and wait at no door */
export async function openStation(listen: ControlAddress, known = true): Promise<Station> {
  const identity = await makeIdentity()
  const heard: string[] = []
  const frames: Bytes[] = []
  let last = 0
  const transport = await startTransport(identity, [listen], 1, {
    linked: (link, _peer, dialled) => {
      last = link
      heard.push(dialled === undefined ? 'linked' : 'linked by dial')
    },
    unlinked: () => heard.push('unlinked'),
    frame: (_link, bytes) => frames.push(bytes),
    congested: () => heard.push('congested'),
    drained: () => heard.push('drained'),
    undialled: (_target, failure) => heard.push(failure),
    knows: () => known,
    garbled: (_peer, reason) => heard.push(`garbled: ${reason}`),
  })
  const [at = listen] = transport.listening
  return { identity, transport, at, heard, frames, last: () => last }
}
