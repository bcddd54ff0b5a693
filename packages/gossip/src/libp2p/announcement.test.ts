import { encode, type Answer } from '@dnsquery/dns-packet'
import { parseIp, parseMeshId, parsePort, type ControlAddress, type MeshId, type PeerId } from '@vxmesh/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { languageOf } from './announcement.ts'

const MESH = mesh('12D3KooWD8PZTZrJLUjvJD4jnyGKmrJRgVSuL5sbLeGbZUWJHnpA')
const OTHER = mesh('12D3KooWS4yJ2Bxsg8dwRgbzop2UeVEmo1cS5hQFbK7FFdVQSzC9')
const PEER = '12D3KooWDp9m8oMYX5axQtM8L1nNy69EiCcCF88j14LtAihHJBsB' as PeerId
const ours = languageOf(MESH)

function mesh(text: string): MeshId {
  const parsed = parseMeshId(text)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

function at(host: string, number = 4788): ControlAddress {
  const [address, port] = [parseIp(host), parsePort(number)]
  if (!address.ok || !port.ok) throw new Error('no place')
  return { address: address.value, port: port.value }
}

describe('a mesh understands', () => {
  test.each(['192.168.226.4', 'fd00::4', '2001:db8:1111:2222:3333:4444:5555:6666'])('its own answers: %s', (host) => {
    const packet = ours.answer({ peer: PEER, at: at(host) })
    expect(ours.understand(packet)).toEqual({ kind: 'answer', peer: PEER, at: at(host) })
    expect(packet.length).toBeLessThan(512)
  })

  test('its own questions', () => {
    expect(ours.understand(ours.query())).toEqual({ kind: 'query' })
  })

  test('neither questions nor answers of another mesh, nor the other its', () => {
    const theirs = languageOf(OTHER)
    expect(theirs.service).not.toBe(ours.service)
    expect([theirs.query(), theirs.answer({ peer: PEER, at: at('10.0.0.1') })].map((each) => ours.understand(each))).toEqual([
      undefined,
      undefined,
    ])
  })

  test('a name that says nothing of its key', () => {
    expect(ours.service).toMatch(/^_vxmesh-[0-9a-f]{32}\._udp\.local$/)
    expect(ours.service).not.toContain(MESH.toLowerCase().slice(-12))
  })
})

describe('what a stranger says is not understood', () => {
  const texts = (data: readonly string[]): Uint8Array => {
    const pointer: Answer = { name: ours.service, type: 'PTR', data: `x.${ours.service}` }
    return encode({ type: 'response', answers: [pointer, { name: `x.${ours.service}`, type: 'TXT', data: [...data] }] })
  }
  const address = `dnsaddr=/ip4/10.0.0.1/tcp/4788/p2p/${PEER}`

  test.each<[string, Uint8Array]>([
    ['an answer without a tag', texts([address])],
    ['an answer with a tag of its own making', texts([address, 'tag=AAAAAAAAAAAAAAAAAAAAAA'])],
    ['an answer with an empty tag', texts([address, 'tag='])],
    ['an answer without an address', texts(['tag='])],
    ['an answer whose tag comes first', texts(['tag=AAAAAAAAAAAAAAAAAAAAAA', address])],
    ['an answer that ends with its address', texts([address]).subarray(0, -1)],
    ['nothing', new Uint8Array()],
    ['its name alone, in an answer', Buffer.concat([Buffer.of(0, 0, 0x84, 0), Buffer.from(ours.service)])],
    ['more than fits', Buffer.concat([ours.query(), Buffer.alloc(600)])],
  ])('%s', (_what, packet) => {
    expect(ours.understand(packet)).toBeUndefined()
  })

  test.each([
    ['loopback', '127.0.0.1'],
    ['a group', '224.0.0.5'],
    ['nobody', '0.0.0.0'],
    ['link-local', 'fe80::1'],
  ])('nor an address of %s, though it is well said', (_what, host) => {
    expect(ours.understand(ours.answer({ peer: PEER, at: at(host) }))).toBeUndefined()
  })

  test('nor another place or peer with the tag of this one', () => {
    const packet = Buffer.from(ours.answer({ peer: PEER, at: at('10.0.0.1') }))
    for (const [said, forged] of [
      ['/ip4/10.0.0.1/', '/ip4/10.0.0.2/'],
      ['/tcp/4788/', '/tcp/4789/'],
      [PEER, PEER.replace(/B$/, 'C')],
    ] as const) {
      const place = packet.indexOf(said)
      expect(place).toBeGreaterThan(0)
      const changed = Buffer.from(packet)
      changed.write(forged, place, 'latin1')
      expect(ours.understand(changed)).toBeUndefined()
    }
  })
})

describe('no packet does any harm', () => {
  const answer = ours.answer({ peer: PEER, at: at('192.168.226.4') })
  const pieces = fc.tuple(fc.nat(answer.length), fc.nat(30), fc.uint8Array({ maxLength: 30 }))

  test('a mutilated answer is understood as it was, or not at all', () => {
    fc.assert(
      fc.property(pieces, ([from, length, instead]) => {
        const packet = Buffer.concat([answer.subarray(0, from), instead, answer.subarray(from + length)])
        expect([undefined, 'query', `${PEER} 192.168.226.4 4788`]).toContain(said(packet))
      }),
      { numRuns: 1000 },
    )
  })

  test('nor do other bytes with its name among them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 200 }), (before, after) => {
        const packet = Buffer.concat([before, Buffer.from(ours.service.split('.')[0] ?? ''), after])
        expect([undefined, 'query']).toContain(said(packet))
      }),
      { numRuns: 1000 },
    )
  })

  function said(packet: Uint8Array): string | undefined {
    const heard = ours.understand(packet)
    return heard?.kind === 'answer' ? `${heard.peer} ${heard.at.address} ${String(heard.at.port)}` : heard?.kind
  }
})
