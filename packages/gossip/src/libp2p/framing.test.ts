import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode } from 'uint8-varint'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Bytes } from '@vxmesh/core'
import { deframer, frame } from './framing.ts'

const MOST = 300

const payload = fc.uint8Array({ maxLength: MOST }).map((bytes) => Uint8Array.from(bytes))

/** Cuts bytes into chunks of these lengths, over and over; what is left is the last. */
function cut(bytes: Uint8Array, lengths: readonly number[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const length = lengths[index % lengths.length] ?? bytes.length
    chunks.push(bytes.subarray(start, start + length))
    start += length
  }
  return chunks
}

const chunkings = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 })

function flat(...frames: readonly Bytes[]): Bytes {
  return Uint8Array.from(frames.flatMap((bytes) => [...frame(bytes).subarray()]))
}

describe('frames', () => {
  test('arrive as they were sent, whatever the chunks', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 10 }), chunkings, fc.boolean(), (sent, lengths, asLists) => {
        const take = deframer(MOST)
        const chunks = cut(flat(...sent), lengths).map((chunk) =>
          asLists ? new Uint8ArrayList(chunk.subarray(0, 1), chunk.subarray(1)) : chunk,
        )
        expect(chunks.flatMap((chunk) => take(chunk) ?? [])).toEqual(sent)
      }),
    )
  })

  test("are the receiver's own: a chunk that is written over later changes none", () => {
    const chunk = flat(Uint8Array.of(1, 2, 3))
    const frames = deframer(MOST)(chunk)
    chunk.fill(0)
    expect(frames).toEqual([Uint8Array.of(1, 2, 3)])
  })

  test.each([
    ['as long as may be', MOST, true],
    ['one byte longer', MOST + 1, false],
  ])('of a length %s', (_name, length, taken) => {
    const bytes = new Uint8Array(length)
    expect(deframer(MOST)(flat(bytes))).toEqual(taken ? [bytes] : undefined)
  })
})

describe('what is no frame', () => {
  test.each([
    ['a length above the most', encode(MOST + 1)],
    ['a length of four bytes that all go on', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['a length of five bytes', Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01)],
    ['one, spelt in two bytes', Uint8Array.of(0x81, 0x00, 7)],
    ['zero, spelt in four bytes', Uint8Array.of(0x80, 0x80, 0x80, 0x00)],
  ])('%s ends it, for ever after', (_name, bytes) => {
    const take = deframer(MOST)
    expect(take(bytes)).toBeUndefined()
    expect(take(flat(Uint8Array.of(1)))).toBeUndefined()
  })

  test('is found out as soon as its length is there, not when the frame would be', () => {
    const take = deframer(MOST)
    expect(take(Uint8Array.of(0xff))).toEqual([])
    expect(take(Uint8Array.of(0xff))).toEqual([])
    expect(take(Uint8Array.of(0x7f))).toBeUndefined()
  })

  test('never throws, and what comes out is never longer than the most', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }), (chunks) => {
        const take = deframer(MOST)
        const frames = chunks.flatMap((chunk) => take(chunk) ?? [])
        expect(Math.max(0, ...frames.map((each) => each.length))).toBeLessThanOrEqual(MOST)
      }),
    )
  })

  test('never holds more than one frame: what has gone in and not come out is less than one and its length', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 }), (chunks) => {
        const take = deframer(MOST)
        let held = 0
        for (const chunk of chunks) {
          const frames = take(chunk)
          if (frames === undefined) return
          held += chunk.length
          for (const each of frames) held -= frame(each).byteLength
          expect(held).toBeLessThan(MOST + encode(MOST).length)
        }
      }),
    )
  })
})
