import type { Bytes } from '@vxmesh/core'

/** What a root begins with in a frame, as protobuf has it: field 4, of bytes; then their number. */
const ROOT_TAG = (4 << 3) | 2

/** The root of a frame that holds nothing else: nearly every frame is one, and can be read without a decoder. */
export function loneRoot(frame: Bytes, rootBytes: number): Bytes | undefined {
  return frame.length === 2 + rootBytes && frame[0] === ROOT_TAG && frame[1] === rootBytes ? frame.subarray(2) : undefined
}
