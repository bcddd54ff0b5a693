import {
  parseGreKey,
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parseMeshId,
  parsePort,
  parseVni,
  parseWallTime,
  sure,
  ZERO_MAC,
  type Bytes,
  type MemberRecord,
  type Result,
  type TunnelClaim,
} from '@vxmesh/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { envelopeVerifier } from './libp2p/signer.ts'
import { a as self, admissionOf, b as other, chainOf, inviteIdentity as invite, mesh, trust } from './libp2p/stepped.ts'
import {
  encodeFrame,
  ENVELOPE_MOST,
  FRAME_MOST,
  NEVER,
  openAccusation,
  openRecord,
  parseFrame,
  sealAccusation,
  sealRecord,
  type Frame,
} from './message.ts'
import { Frame as FrameMessage, Record as RecordMessage } from './wire.js'

const [chain, otherChain, admission] = [chainOf(self.peer), chainOf(other.peer), admissionOf(self.peer)]

const incarnation = sure(parseIncarnation(1_750_000_000_000))
const tunnel = {
  mode: 'vxlan',
  id: sure(parseVni(16)),
  underlay: sure(parseIp('192.168.226.4')),
  port: sure(parsePort(4789)),
  mac: sure(parseMac('02:00:00:00:00:01')),
  overlay: [sure(parseInterfaceAddress('192.168.234.1/23'))],
  claimedAt: sure(parseWallTime(1_750_000_000_000)),
  mtu: 1450,
  mtuLimit: 1500,
} as const satisfies TunnelClaim
const record: Omit<MemberRecord, 'peer'> = {
  incarnation,
  bootId: 'c0ffee',
  leaving: false,
  name: sure(parseMemberName('host-00')),
  enforces: '00112233445566778899aabbccddeeff',
  control: [{ address: sure(parseIp('192.168.226.4')), port: sure(parsePort(4788)) }],
  tunnels: [tunnel],
}

const nobodyHeld = () => undefined
const open = (bytes: Bytes) => openRecord(trust, bytes, nobodyHeld)
const reasonOf = (result: Result<unknown>) => (result.ok ? 'believed' : result.reason)

describe('a record', () => {
  const signed = sealRecord(mesh, self, admission, record)

  test('is read as it was written', () => {
    expect(open(signed.bytes)).toEqual({ ok: true, value: { ...signed, record: { ...record, peer: self.peer } } })
    for (const id of [undefined, sure(parseGreKey(0)), sure(parseGreKey(2 ** 32 - 1))]) {
      const gre = { ...record, tunnels: [{ ...tunnel, mode: 'gre', id, port: undefined, mac: ZERO_MAC } as const] }
      expect(open(sealRecord(mesh, self, admission, gre).bytes)).toMatchObject({ ok: true, value: { record: gre } })
    }
    const before = { ...record, tunnels: [{ ...tunnel, mtuLimit: 0 }] }
    expect(open(sealRecord(mesh, self, admission, before).bytes)).toMatchObject({ value: { record: { tunnels: [{ mtuLimit: 1450 }] } } })
    const empty = sealRecord(mesh, self, admission, { ...record, leaving: true, control: [], tunnels: [] })
    expect(open(empty.bytes)).toMatchObject({ ok: true, value: { record: { leaving: true, control: [], tunnels: [] } } })
  })

  test('with the largest contents that are allowed fits', () => {
    const control = Array.from({ length: 8 }, () => record.control[0]!)
    const overlay = Array.from({ length: 8 }, () => tunnel.overlay[0])
    expect(reasonOf(open(sealRecord(mesh, self, admission, { ...record, control, tunnels: [{ ...tunnel, overlay }] }).bytes))).toBe(
      'believed',
    )
  })

  const message = RecordMessage.decode(RecordMessage.encode({}))
  const raw = (parts: Partial<RecordMessage>) => {
    const tunnels = [{ ...tunnel, overlay: [...tunnel.overlay], claimedAt: BigInt(tunnel.claimedAt) }]
    const whole = { ...message, incarnation: 5n, bootId: '1', name: 'a', chain, tunnels, control: [...record.control], ...parts }
    return self.seal(`vxmesh-record/1/${mesh}`, RecordMessage.encode(whole))
  }
  const claimed = (parts: Partial<RecordMessage['tunnels'][number]>) =>
    raw({ tunnels: [{ ...tunnel, overlay: [...tunnel.overlay], claimedAt: 1n, ...parts }] })

  const long = 'fd00:1111:2222:3333:4444:5555:6666:7777'
  const everything = {
    name: 'a'.repeat(63),
    control: Array.from({ length: 8 }, () => ({ address: long, port: 65_535 })),
    tunnels: Array.from({ length: 16 }, () => {
      const rest = { id: 2 ** 24 - 1, port: 65_535, mtu: 65_535, claimedAt: BigInt(Date.UTC(2100)) }
      return { ...tunnel, underlay: long, overlay: Array.from({ length: 8 }, () => `${long}/128`), ...rest }
    }),
  }

  test.each<[string, Bytes, string]>([
    ['as good as any', raw({}), 'believed'],
    ['with as much as there may be', raw(everything), 'believed'],
    ['of another mesh', sealRecord(sure(parseMeshId(invite.peer)), self, admission, record).bytes, 'record with a bad signature'],
    [
      'with the certificates of another member',
      sealRecord(mesh, self, { ...admission, chain: otherChain }, record).bytes,
      'record with the certificate of another member',
    ],
    [
      'without certificates',
      sealRecord(mesh, self, { ...admission, chain: new Uint8Array(0) }, record).bytes,
      'record without admission: invite certificate with a bad signature',
    ],
    ['longer than any may be', new Uint8Array(ENVELOPE_MOST + 1), 'record too long'],
    ['whose payload is no protobuf', self.seal(`vxmesh-record/1/${mesh}`, Uint8Array.of(255, 255)), 'malformed record'],
    ['of incarnation zero', raw({ incarnation: 0n }), 'malformed record'],
    ['of an incarnation above which there is none', raw({ incarnation: 2n ** 63n }), 'malformed record'],
    ['with a name that would reach a terminal', raw({ name: '\u001B[2J' }), 'malformed record'],
    ['with a boot id that is none', raw({ bootId: 'x y' }), 'malformed record'],
    ['with nine control addresses', raw({ control: Array.from({ length: 9 }, () => record.control[0]!) }), 'malformed record'],
    ['with a control address that is a name', raw({ control: [{ address: 'localhost', port: 1 }] }), 'malformed record'],
    ['with a control port of zero', raw({ control: [{ address: '10.0.0.1', port: 0 }] }), 'malformed record'],
    [
      'with seventeen tunnels',
      raw({ tunnels: Array.from({ length: 17 }, () => ({ ...tunnel, overlay: [], claimedAt: 1n })) }),
      'malformed record',
    ],
    ['with nine addresses in one tunnel', claimed({ overlay: Array.from({ length: 9 }, () => '10.0.0.1/24') }), 'malformed record'],
    ['with a tunnel of a mode to come', claimed({ mode: 'geneve' }), 'malformed record'],
    ['with a tunnel of VXLAN that has no id but a key', claimed({ id: 0, key: 16 }), 'malformed record'],
    ['with a VXLAN id of 25 bits', claimed({ id: 2 ** 24 }), 'malformed record'],
    ['with an underlay that is no address', claimed({ underlay: '10.0.0.1\nfdb add' }), 'malformed record'],
    ['with a MAC that is none', claimed({ mac: '' }), 'malformed record'],
    ['with an overlay address without its length', claimed({ overlay: ['10.0.0.1'] }), 'malformed record'],
    ['with an overlay of an impossible length, which is not quoted back', claimed({ overlay: ['10.0.0.1/99'] }), 'malformed record'],
  ])('%s', (_name, bytes, expected) => {
    expect(reasonOf(open(bytes))).toBe(expected)
  })

  test('with any one bit changed says nothing else', () => {
    const flipped = (at: number) => signed.bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
    const believed = Array.from(signed.bytes, (_, at) => open(flipped(at))).flatMap((opened) => (opened.ok ? [opened.value.record] : []))
    expect(believed).toEqual(believed.map(() => ({ ...record, peer: self.peer })))
  })

  test('with certificates that were verified before is not asked for more', () => {
    const distrust = {
      mesh,
      verifier: {
        open: (domain: string, bytes: Bytes) =>
          domain.startsWith('vxmesh-record') ? envelopeVerifier.open(domain, bytes) : { ok: false as const, reason: '' },
      },
    }
    expect(openRecord(distrust, signed.bytes, () => signed).ok).toBe(true)
    expect(openRecord(distrust, signed.bytes, nobodyHeld).ok).toBe(false)
  })
})

describe('an accusation', () => {
  const accusation = sealAccusation(mesh, self, other.peer, incarnation, 'gone')

  test('is read as it was written', () => {
    expect(openAccusation(trust, accusation.bytes)).toEqual({ ok: true, value: accusation })
  })

  test.each<[string, Bytes, string]>([
    ['of oneself', sealAccusation(mesh, self, self.peer, incarnation, 'silent').bytes, 'accusation of oneself'],
    [
      'of another mesh',
      sealAccusation(sure(parseMeshId(invite.peer)), self, other.peer, incarnation, 'silent').bytes,
      'accusation with a bad signature',
    ],
    ['that is a record', sealRecord(mesh, self, admission, record).bytes, 'accusation with a bad signature'],
    ['too long', new Uint8Array(ENVELOPE_MOST + 1), 'accusation too long'],
  ])('%s is refused', (_name, bytes, expected) => {
    expect(reasonOf(openAccusation(trust, bytes))).toBe(expected)
  })
})

describe('a frame', () => {
  const peer = fc.constantFrom(self.peer, other.peer)
  const bytes = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength }).map((each): Bytes => Uint8Array.from(each))
  const digest = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((each): Bytes => Uint8Array.from(each))
  const number = fc.integer({ min: 1, max: 2 ** 50 }).map((each) => sure(parseIncarnation(each)))
  const nonce = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  const frame: fc.Arbitrary<Frame> = fc.record(
    {
      hello: bytes(40),
      records: fc.array(bytes(40), { maxLength: 5 }),
      accusations: fc.array(bytes(40), { maxLength: 5 }),
      root: digest,
      buckets: fc.uint8Array({ minLength: 2048, maxLength: 2048 }).map((each): Bytes => Uint8Array.from(each)),
      summaries: fc.record({
        covered: fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 256 }).map((each) => new Set(each)),
        summaries: fc.array(fc.record({ peer, incarnation: number, fingerprint: digest }), { maxLength: 5 }),
      }),
      wants: fc.array(peer, { maxLength: 5 }),
      questions: fc.array(fc.record({ nonce, subject: peer }), { maxLength: 5 }),
      answers: fc.array(fc.record({ nonce, age: fc.option(fc.oneof(nonce, fc.constant(NEVER)), { nil: undefined }) }), { maxLength: 5 }),
      farewell: number,
      reached: fc.array(fc.record({ peer, addresses: fc.array(fc.ipV4().map((each) => sure(parseIp(each)))) }), { maxLength: 5 }),
    },
    { requiredKeys: [] },
  )

  test('is read as it was written, with nothing for what it lacks', () => {
    const nothing = { records: [], accusations: [], evictions: [], wants: [], questions: [], answers: [], reached: [] }
    fc.assert(
      fc.property(frame, (each) => {
        expect(parseFrame(encodeFrame(each))).toEqual({ ok: true, value: { ...nothing, ...each } })
      }),
    )
  })

  test.each<[string, Bytes, string]>([
    ['too long', new Uint8Array(FRAME_MOST + 1), 'frame too long'],
    ['of bytes that are no protobuf', Uint8Array.of(255, 255, 255), 'malformed frame'],
    [
      'with more records than may be',
      FrameMessage.encode({ records: Array.from({ length: 257 }, () => new Uint8Array(1)) }),
      'malformed frame',
    ],
    [
      'with more accusations than may be',
      FrameMessage.encode({ accusations: Array.from({ length: 1025 }, () => new Uint8Array(1)) }),
      'malformed frame',
    ],
    [
      'with more questions than may be',
      FrameMessage.encode({ questions: Array.from({ length: 65 }, (_, index) => ({ nonce: index, subject: self.peer })) }),
      'malformed frame',
    ],
    ['that wants a peer that is none', FrameMessage.encode({ wants: ['somebody'] }), 'malformed frame'],
    ['with a digest of another length', FrameMessage.encode({ root: new Uint8Array(15) }), 'malformed digest'],
    [
      'with a fingerprint of another length',
      FrameMessage.encode({ summaries: [{ peer: self.peer, incarnation: 1n, fingerprint: new Uint8Array(3) }] }),
      'malformed frame',
    ],
  ])('%s is refused', (_name, raw, expected) => {
    expect(reasonOf(parseFrame(raw))).toBe(expected)
  })

  test('a frame that is empty is a frame: a heartbeat needs no words', () => {
    expect(parseFrame(new Uint8Array(0)).ok).toBe(true)
  })
})

describe('whatever bytes come', () => {
  const readers: readonly ((bytes: Bytes) => Result<unknown>)[] = [parseFrame, open, (bytes) => openAccusation(trust, bytes)]
  const genuine = [
    encodeFrame({ root: new Uint8Array(16), wants: [self.peer], questions: [{ nonce: 1, subject: other.peer }] }),
    encodeFrame({
      summaries: { covered: new Set([7]), summaries: [{ peer: self.peer, incarnation, fingerprint: new Uint8Array(16) }] },
      farewell: incarnation,
    }),
    encodeFrame({ records: [sealRecord(mesh, self, admission, record).bytes] }),
    sealRecord(mesh, self, admission, record).bytes,
    sealAccusation(mesh, self, other.peer, incarnation, 'silent').bytes,
  ]
  const mutated = fc
    .tuple(
      fc.constantFrom(...genuine),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 8 }),
    )
    .map(([bytes, changes, cut, tail]) => {
      const copy = Uint8Array.from(bytes)
      for (const [at, value] of changes) copy[at % copy.length] = value
      return Uint8Array.from([...copy.subarray(0, copy.length - (cut % 3 === 0 ? cut % copy.length : 0)), ...tail])
    })

  test('they are refused in few words, or read, and nothing is thrown', () => {
    const reasons = new Set<string>()
    const any = fc.oneof(
      mutated,
      fc.uint8Array({ maxLength: 200 }).map((each): Bytes => Uint8Array.from(each)),
    )
    fc.assert(
      fc.property(any, (bytes) => {
        for (const read of readers) reasons.add(reasonOf(read(bytes)))
      }),
      { numRuns: 2000 },
    )
    expect(reasons.size).toBeLessThan(15)
  })
})
