/** The statements by which one key of the mesh takes the place of another, as bytes. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  accept,
  FIRST_KEY,
  keyOf,
  parsePeerId,
  parseWallTime,
  refuse,
  SUCCESSIONS_MOST,
  type Bytes,
  type Lineage,
  type MeshId,
  type Result,
  type Signer,
  type Succession,
  type Verifier,
  type WallTime,
} from '@vxmesh/core'
import { equals } from 'uint8arrays/equals'
import { decode } from './decode.ts'
import { Succession as SuccessionMessage } from './wire.js'

/** Longest succession envelope, in bytes: it says three keys and has two signatures. */
export const SUCCESSION_MOST = 512

/** What the key before signs, and in it what the next one does. */
function domains(mesh: MeshId): { readonly from: string; readonly to: string } {
  return { from: `vxmesh-succession/1/${mesh}`, to: `vxmesh-successor/1/${mesh}` }
}

/** The word of both keys that the one takes the place of the other, and that certificates by the other hold until then. */
export function sealSuccession(mesh: MeshId, from: Signer, to: Signer, until: WallTime): Bytes {
  const words = SuccessionMessage.encode({ mesh, from: from.peer, to: to.peer, until: BigInt(until) })
  return from.seal(domains(mesh).from, to.seal(domains(mesh).to, words))
}

/** All the successions of a mesh as they came, believed only if each follows from the one before. Those that are held already are not verified again. */
export function openLineage(
  { mesh, verifier }: { readonly mesh: MeshId; readonly verifier: Verifier },
  list: readonly Bytes[],
  held: Lineage = FIRST_KEY,
): Result<Lineage> {
  if (list.length > SUCCESSIONS_MOST) return refuse('too many successions')
  const lineage: Succession[] = []
  for (const bytes of list) {
    const known = held[lineage.length]
    const opened = known !== undefined && equals(known.bytes, bytes) ? accept(known) : openSuccession(mesh, verifier, bytes)
    if (!opened.ok) return opened
    const { from, to } = opened.value
    if (from !== keyOf(mesh, lineage) || to === mesh || lineage.some((each) => each.to === to)) return refuse('succession out of turn')
    lineage.push(opened.value)
  }
  return accept(lineage)
}

function openSuccession(mesh: MeshId, verifier: Verifier, bytes: Bytes): Result<Succession> {
  if (bytes.length > SUCCESSION_MOST) return refuse('succession too long')
  const outer = verifier.open(domains(mesh).from, bytes)
  const inner = outer.ok ? verifier.open(domains(mesh).to, outer.value.payload) : outer
  if (!outer.ok || !inner.ok) return refuse('succession that not both keys signed')
  const message = decode(SuccessionMessage, inner.value.payload)
  if (!message.ok) return refuse('malformed succession')
  const { mesh: named, from, to } = message.value
  const [before, next, until] = [parsePeerId(from), parsePeerId(to), parseWallTime(message.value.until)]
  if (named !== mesh || !before.ok || !next.ok || !until.ok) return refuse('malformed succession')
  if (before.value !== outer.value.signer || next.value !== inner.value.signer) return refuse('succession that not both keys signed')
  return accept({ mesh, from: before.value, to: next.value, until: until.value, bytes, hash: bytesToHex(sha256(bytes)) })
}

/** Whether these are the successions that are held, or the first of them. */
export function isKnown(held: Lineage, list: readonly Bytes[]): boolean {
  return list.every((bytes, index) => {
    const known = held[index]
    return known !== undefined && equals(known.bytes, bytes)
  })
}

/** As they travel, and are written down. */
export function bytesOf(lineage: Lineage): readonly Bytes[] {
  return lineage.map(({ bytes }) => bytes)
}
