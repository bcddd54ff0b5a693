import type { Bytes } from '@vxmesh/core'

/** Members fall into this many buckets, each with a digest of this many bytes. */
export const BUCKETS = 256
export const BUCKET_BYTES = 8

/** A set of buckets as one bit each. */
export function bitmap(bits: ReadonlySet<number>): Bytes {
  const bytes = new Uint8Array(BUCKETS / 8)
  for (const bit of bits) bytes[bit >> 3]! |= 1 << (bit & 7)
  return bytes
}

/** The buckets whose bits are set. */
export function bitsOf(bytes: Bytes): ReadonlySet<number> {
  return new Set(Array.from({ length: BUCKETS }, (_, bit) => bit).filter((bit) => (bytes[bit >> 3]! & (1 << (bit & 7))) !== 0))
}
