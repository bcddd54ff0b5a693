/** What a member that was admitted and lies says to everybody it is linked to, at full speed. */
import { sealAccusation, sealRecord, encodeFrame, parseFrame, type Environment, type State } from '@vxmesh/gossip'
import { parseIncarnation, sure, type Bytes, type PeerId } from '@vxmesh/core'
import type { Dice } from './dice.ts'
import { signerOf } from './seals.ts'

/** A liar's surroundings: what it knows, what it overheard, and its dice. */
type Liar = { readonly state: State; readonly env: Environment; readonly overheard: readonly Bytes[]; readonly dice: Dice }

/** The frames that go to every link, each time the liar speaks. */
export type Lie = (liar: Liar) => readonly Bytes[]

/** Calls everybody silent, and sometimes gone, at the incarnation of the moment. */
export const accuseEverybody: Lie = ({ state, env, dice }) => {
  const accusations = [...state.view].flatMap(([peer, { signed }]) =>
    peer === env.signer.peer
      ? []
      : [sealAccusation(env.trust.mesh, env.signer, peer, signed.record.incarnation, dice.chance(0.8) ? 'silent' : 'gone').bytes],
  )
  return [encodeFrame({ accusations })]
}

/** Says again, whole, whatever it heard, in any order. */
export const replayEverything: Lie = ({ overheard, dice }) =>
  overheard.length === 0 ? [] : Array.from({ length: 3 }, () => dice.pick(overheard))

/** Speaks for others: their records with a changed byte, with its own signature, or at a higher incarnation. */
export const forgeRecords: Lie = ({ state, env, dice }) => {
  const others = [...state.view.values()].filter(({ signed }) => signed.record.peer !== env.signer.peer)
  if (others.length === 0) return []
  const { record, bytes, admission } = dice.pick(others).signed
  const altered = Uint8Array.from(bytes)
  const at = dice.below(altered.length)
  altered[at] = (altered[at] ?? 0) ^ (1 + dice.below(255))
  const incarnation = sure(parseIncarnation(record.incarnation + 1))
  const own = sealRecord(env.trust.mesh, env.signer, admission, { ...record, incarnation })
  const renamed = Uint8Array.from(sealRecord(env.trust.mesh, env.signer, env.admission, { ...record, incarnation, leaving: true }).bytes)
  renamed.set(bytes.subarray(0, 52))
  return [encodeFrame({ records: [altered, own.bytes, renamed] })]
}

/** Claims to be where somebody else is. */
export const claimAddresses: Lie = ({ state, env, dice }) => {
  const own = state.view.get(env.signer.peer)?.signed.record
  const others = [...state.view.values()].filter(({ signed }) => signed.record.peer !== env.signer.peer)
  if (own === undefined || others.length === 0) return []
  const underlay = dice.pick(others).signed.record.tunnels[0]?.underlay
  const tunnels = own.tunnels.map((tunnel) => ({ ...tunnel, underlay: underlay ?? tunnel.underlay }))
  const incarnation = sure(parseIncarnation(own.incarnation + 1))
  return [encodeFrame({ records: [sealRecord(env.trust.mesh, env.signer, env.admission, { ...own, incarnation, tunnels }).bytes] })]
}

/** Records that a replayer may still have, one by one, so that each is tried on its own. */
export const replayRecords: Lie = ({ overheard, dice }) => {
  const records = overheard.flatMap((bytes) => {
    const frame = parseFrame(bytes)
    return frame.ok ? [...(frame.value.records ?? [])] : []
  })
  return records.length === 0 ? [] : [encodeFrame({ records: Array.from({ length: 5 }, () => dice.pick(records)) })]
}

/** Says nothing, in a frame that is one. */
export const sayNothing: Lie = () => [encodeFrame({})]

/** Tells of itself again and again, each time anew. */
export const boast: Lie = ({ state, env, dice }) => {
  const own = state.view.get(env.signer.peer)?.signed.record
  if (own === undefined) return []
  const incarnation = sure(parseIncarnation(own.incarnation + 1 + dice.below(1000)))
  return [encodeFrame({ records: [sealRecord(env.trust.mesh, env.signer, env.admission, { ...own, incarnation }).bytes] })]
}

/** What is left of a frame when nothing is passed on that others said: a member that listens and keeps it to itself. */
export function ownWords(self: PeerId, bytes: Bytes): Bytes {
  const frame = parseFrame(bytes)
  if (!frame.ok) return bytes
  const { records = [], accusations = [] } = frame.value
  const own = (envelope: Bytes) => signerOf(envelope) === self
  if (records.every(own) && accusations.every(own)) return bytes
  return encodeFrame({ ...frame.value, records: records.filter(own), accusations: accusations.filter(own) })
}

/** What is left of a frame for who does not want to know that it is evicted. */
export function withoutEvictions(bytes: Bytes): Bytes {
  const frame = parseFrame(bytes)
  return frame.ok && frame.value.evictions?.length !== 0 ? encodeFrame({ ...frame.value, evictions: [] }) : bytes
}

/** Not a frame at all. */
export const garbage: Lie = ({ dice }) => [dice.bytes(1 + dice.below(300)).fill(0xff, 0, 1)]
