/** Frames on a stream: each is preceded by its length, an unsigned varint, as everywhere in libp2p. */
import { decode, encode, encodingLength } from 'uint8-varint'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Bytes } from '@vxmesh/core'

export function frame(bytes: Bytes): Uint8ArrayList {
  return new Uint8ArrayList(encode(bytes.length), bytes)
}

/** How many bytes the length of a frame may take: 28 bits are more than any frame we accept. */
const LENGTH_MOST = 4

/**
 * Takes chunks as they arrive and returns the frames that have become whole. Returns undefined, for ever after, once a
 * length exceeds `most`: what follows cannot be made sense of. Never holds more than one frame and one chunk.
 */
export function deframer(most: number): (chunk: Uint8Array | Uint8ArrayList) => readonly Bytes[] | undefined {
  const pending = new Uint8ArrayList()
  let broken = false
  return (chunk) => {
    if (broken) return undefined
    pending.append(chunk)
    const frames: Bytes[] = []
    for (let length = nextLength(pending, most); length !== undefined; length = nextLength(pending, most)) {
      if (length === 'too long') {
        broken = true
        return undefined
      }
      const start = encodingLength(length)
      if (pending.byteLength < start + length) break
      frames.push(Uint8Array.from(pending.subarray(start, start + length)))
      pending.consume(start + length)
    }
    return frames
  }
}

function nextLength(pending: Uint8ArrayList, most: number): number | 'too long' | undefined {
  const head = pending.subarray(0, Math.min(LENGTH_MOST, pending.byteLength))
  const end = head.findIndex((byte) => byte < 0x80)
  if (end === -1) return head.length === LENGTH_MOST ? 'too long' : undefined
  const length = decode(head)
  // A length spelt in more bytes than it needs would be measured wrongly; nobody honest writes one.
  return length > most || encodingLength(length) !== end + 1 ? 'too long' : length
}
