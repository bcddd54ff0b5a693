import type { Bytes } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { frames, type Draft } from './draft.ts'
import { FRAME_MOST, parseFrame } from './message.ts'

const item = (length: number, fill: number): Bytes => new Uint8Array(length).fill(fill)

function drafted(items: readonly (readonly [record: Bytes, accusations: readonly Bytes[]])[], parts: Partial<Draft> = {}): Draft {
  const peers = items.map(([record, accusations], index) => [`peer ${String(index)}`, { record, accusations: [...accusations] }] as const)
  return { items: new Map(peers) as unknown as Draft['items'], wants: [], questions: [], answers: [], ...parts }
}

function read(draft: Draft) {
  return frames(draft).map((bytes) => {
    const frame = parseFrame(bytes)
    if (!frame.ok) throw new Error(frame.reason)
    return frame.value
  })
}

describe('what one turn has to say on a link', () => {
  test('leaves in one frame, when it is little', () => {
    expect(read(drafted([[item(300, 1), [item(200, 2)]]]))).toHaveLength(1)
  })

  test('leaves in frames that every receiver takes, however much it is, and nothing is lost', () => {
    const many = Array.from({ length: 500 }, (_, index) => [item(4000, index % 256), [item(300, 1), item(300, 2)]] as const)
    const all = frames(drafted(many))
    for (const bytes of all) expect(bytes.length).toBeLessThan(FRAME_MOST)
    const read = all.map((bytes) => parseFrame(bytes)).flatMap((frame) => (frame.ok ? [frame.value] : []))
    expect(read.flatMap((frame) => frame.records ?? [])).toHaveLength(500)
    expect(read.flatMap((frame) => frame.accusations ?? [])).toHaveLength(1000)
  })

  test('one member that a thousand accuse is not too much either, and its record comes first', () => {
    const accusations = Array.from({ length: 2000 }, (_, index) => item(300, index % 256))
    const [first, ...rest] = read(drafted([[item(4000, 1), accusations]]))
    expect(first?.records).toHaveLength(1)
    expect(rest.flatMap((frame) => frame.records ?? [])).toEqual([])
    expect([first!, ...rest].flatMap((frame) => frame.accusations ?? [])).toHaveLength(2000)
  })

  test('begins with the greeting, which stands alone', () => {
    const [hello, body] = read(drafted([[item(300, 1), []]], { hello: { chain: item(100, 9), successions: [] }, root: item(16, 3) }))
    expect(hello).toMatchObject({ hello: item(100, 9), records: [] })
    expect(hello?.root).toBeUndefined()
    expect(body).toMatchObject({ records: [item(300, 1)], root: item(16, 3) })
    expect(read(drafted([], { hello: { chain: item(100, 9), successions: [] } }))).toHaveLength(1)
  })
})
