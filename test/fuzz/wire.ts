/** The parsers of what others of the network send. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import {
  accept,
  parseGreKey,
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parseMeshId,
  parsePeerId,
  parsePort,
  parseVni,
  parseWallTime,
  sure,
  UNBOUND,
  ZERO_MAC,
  type MemberRecord,
  type PeerId,
  type Signer,
  type Verifier,
} from '@vxmesh/core'
import { envelopeVerifier, parseIdentity, privateKeyBytes, type Identity } from '@vxmesh/gossip/libp2p'
import {
  certifyInvite,
  certifyMember,
  openEviction,
  openReissue,
  parseInvite,
  renderInvite,
  reissue,
  sealEviction,
  verifyChain,
} from '../../packages/gossip/src/certificate.ts'
import { openLineage, sealSuccession } from '../../packages/gossip/src/succession.ts'
import { deframer, frame } from '../../packages/gossip/src/libp2p/framing.ts'
import { languageOf } from '../../packages/gossip/src/libp2p/announcement.ts'
import {
  encodeFrame,
  FRAME_MOST,
  openAccusation,
  openRecord,
  parseFrame,
  sealAccusation,
  sealRecord,
  type Frame,
} from '../../packages/gossip/src/message.ts'
import { bytesOf, textOf, type Input } from './inputs.ts'
import { corpus, same, Wrong, type Target } from './target.ts'

/** A key that is the same in every run: a private key in libp2p's protobuf form, made of one byte. */
function identity(byte: number): Identity {
  const seed = Buffer.alloc(32, byte)
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const half = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  return sure(parseIdentity(Uint8Array.from(Buffer.concat([Buffer.from('08011240', 'hex'), seed, half]))))
}

const [meshKey, invite, member, other, second] = [identity(1), identity(2), identity(3), identity(4), identity(5)]
const END = sure(parseWallTime(1_900_000_000_000))
const mesh = sure(parseMeshId(meshKey.peer))
const bounds = {
  ...UNBOUND,
  peer: member.peer,
  name: sure(parseMemberName('host-02')),
  addresses: [sure(parseInterfaceAddress('192.168.234.9/32')), sure(parseInterfaceAddress('fd00:234::/64'))],
  members: 1,
  notAfter: sure(parseWallTime(1_900_000_000_000)),
}

/**
 * Envelopes that everybody can sign, so that what is in them is met as often as may be: whom it is from follows from what it
 * is for, and the envelope is its payload.
 */
const SIGNERS: readonly (readonly [domain: string, signer: PeerId])[] = [
  ['vxmesh-invite/', meshKey.peer],
  ['vxmesh-member/', invite.peer],
  ['vxmesh-eviction/', meshKey.peer],
  ['vxmesh-succession/', meshKey.peer],
  ['vxmesh-successor/', second.peer],
]
const believing: Verifier = {
  open: (domain, payload) => accept({ signer: SIGNERS.find(([of]) => domain.startsWith(of))?.[1] ?? member.peer, payload }),
}
/** The same after a rotation: certificates are by the key that came later. */
const succeeded: Verifier = { open: (_, payload) => accept({ signer: second.peer, payload }) }
const open = (peer: PeerId): Signer => ({ peer, seal: (_, payload) => payload })
const credulous = { mesh, verifier: believing }
const trust = { mesh, verifier: envelopeVerifier }
const nobody = () => undefined

const incarnation = sure(parseIncarnation(1_750_000_000_000))
const ipv4 = sure(parseIp('192.168.226.4'))
const content: Omit<MemberRecord, 'peer'> = {
  incarnation,
  bootId: 'c0ffee',
  leaving: false,
  name: bounds.name,
  enforces: '00112233445566778899aabbccddeeff',
  control: [
    { address: ipv4, port: sure(parsePort(4788)) },
    { address: sure(parseIp('fd00:226::4')), port: sure(parsePort(4788)) },
  ],
  tunnels: [
    {
      mode: 'vxlan',
      id: sure(parseVni(16)),
      underlay: ipv4,
      port: sure(parsePort(4789)),
      mac: sure(parseMac('02:00:00:00:00:01')),
      overlay: bounds.addresses,
      claimedAt: sure(parseWallTime(1_750_000_000_000)),
      mtu: 1450,
      mtuLimit: 1500,
    },
    {
      mode: 'gre',
      id: sure(parseGreKey(1234)),
      underlay: sure(parseIp('fd00:226::4')),
      port: undefined,
      mac: ZERO_MAC,
      overlay: [],
      claimedAt: sure(parseWallTime(0)),
      mtu: 1472,
      mtuLimit: 1472,
    },
  ],
}

/** What of these makes signed things. */
function world(sign: (of: Identity) => Signer) {
  const [unbound, bound] = [UNBOUND, bounds].map((each) => certifyInvite(sign(meshKey), invite.peer, each))
  if (unbound === undefined || bound === undefined) throw new Error('no certificates')
  const chains = [unbound, bound].map((each) => certifyMember(mesh, sign(invite), each, member.peer))
  const records = chains.flatMap((chain) => {
    const issuer = { key: mesh, generation: 0 }
    const admission = { chain, peer: member.peer, invite: invite.peer, issuer, certified: UNBOUND, bounds: UNBOUND }
    return [content, { ...content, leaving: true, enforces: '', control: [], tunnels: [], overrides: 'beef' }].map(
      (each) => sealRecord(mesh, sign(member), admission, each).bytes,
    )
  })
  const accusations = (['silent', 'gone'] as const).map((each) => sealAccusation(mesh, sign(member), other.peer, incarnation, each).bytes)
  const successions = [[meshKey, second] as const, [second, other] as const].map(([from, to]) =>
    sealSuccession(mesh, sign(from), sign(to), END),
  )
  const later = openLineage({ mesh, verifier: believing }, successions.slice(0, 1))
  const evictions = [
    ...[other, invite].map(({ peer }) => sealEviction(sign(meshKey), peer)),
    sealEviction(sign(second), other.peer, mesh, later.ok ? later.value : []),
  ]
  const reissues = [reissue(sign(second), mesh, { peer: member.peer, invite: invite.peer, certified: bounds }, END)]
  return { invites: [unbound, bound], chains, records, accusations, evictions, successions, reissues }
}

const genuine = world((of) => of)
const unsigned = world(({ peer }) => open(peer))

const fingerprint = Uint8Array.from({ length: 16 }, (_, index) => index)
const FRAMES: readonly Frame[] = [
  { hello: genuine.chains[0]! },
  { root: fingerprint },
  { hello: genuine.chains[0]!, successions: genuine.successions },
  {
    reissues: genuine.reissues,
    records: genuine.records,
    accusations: genuine.accusations,
    evictions: genuine.evictions,
    root: fingerprint,
  },
  {
    buckets: Uint8Array.from({ length: 2048 }, (_, index) => index & 0xff),
    summaries: { covered: new Set([0, 7, 255]), summaries: [{ peer: member.peer, incarnation, fingerprint }] },
    wants: [member.peer, other.peer],
    questions: [{ nonce: 7, subject: other.peer }],
    answers: [
      { nonce: 7, age: 12 },
      { nonce: 8, age: undefined },
    ],
    farewell: incarnation,
  },
]

function isFrame(input: Input): boolean {
  const parsed = parseFrame(input)
  if (!parsed.ok) return false
  same('a frame written again', parseFrame(encodeFrame(parsed.value)), parsed)
  return true
}

/** However a stream is cut into chunks, the frames are the same, and no more is held than one frame. */
function isStream(input: Input): boolean {
  const [whole, pieces] = [deframer(FRAME_MOST), deframer(FRAME_MOST)]
  const frames = whole(input)
  const found: Uint8Array[] = []
  let broken = false
  for (let at = 0; at < input.length && !broken; at += 1 + (at % 7)) {
    const more = pieces(input.slice(at, at + 1 + (at % 7)))
    if (more === undefined) broken = true
    else found.push(...more)
  }
  if (broken !== (frames === undefined)) throw new Wrong('broken in one piece or in many, and not in both')
  // Of a stream that breaks, what came before may have been told already.
  if (frames !== undefined) same('frames by pieces', found, frames)
  return frames !== undefined
}

const ENVELOPES = [
  ...genuine.records,
  ...genuine.accusations,
  ...genuine.evictions,
  ...genuine.invites,
  ...genuine.successions,
  ...genuine.reissues,
]
const GENUINE: ReadonlySet<string> = new Set(ENVELOPES.map((each) => Buffer.from(each).toString('hex')))

const later = sure(openLineage(trust, genuine.successions.slice(0, 1)))

/** Nothing that was not signed is opened, whatever it looks like. */
function isEnvelope(input: Input): boolean {
  const answers = [
    openRecord(trust, input, nobody),
    openAccusation(trust, input),
    openEviction(trust, input),
    openLineage(trust, [input]),
    openReissue({ ...trust, lineage: later }, input),
    envelopeVerifier.open('vxmesh-invite/1', input),
  ]
  const opened = answers.some(({ ok }) => ok)
  if (opened && !GENUINE.has(Buffer.from(input).toString('hex'))) throw new Wrong('an envelope that nobody signed was opened')
  return opened
}

function isRecord(input: Input): boolean {
  const opened = openRecord(credulous, input, nobody)
  if (!opened.ok) return false
  const { record, admission } = opened.value
  const again = openRecord(credulous, sealRecord(mesh, open(member.peer), admission, record).bytes, nobody)
  same('a record sealed again', again.ok && [again.value.record, again.value.admission], [record, admission])
  return true
}

function isAccusation(input: Input): boolean {
  const opened = openAccusation(credulous, input)
  if (!opened.ok) return false
  const { subject, incarnation, testimony } = opened.value
  const again = openAccusation(credulous, sealAccusation(mesh, open(member.peer), subject, incarnation, testimony).bytes)
  same('an accusation sealed again', again.ok && [again.value.subject, again.value.incarnation, again.value.testimony], [
    subject,
    incarnation,
    testimony,
  ])
  return true
}

function isEviction(input: Input): boolean {
  const opened = openEviction(credulous, input)
  if (!opened.ok) return false
  const again = openEviction(credulous, sealEviction(open(meshKey.peer), opened.value.key))
  same('an eviction sealed again', again.ok && again.value.key, opened.value.key)
  return true
}

/** Both signatures are believed: the outer of the first key, the inner of the one that follows. */
function isSuccession(input: Input): boolean {
  const opened = openLineage(credulous, [input])
  if (!opened.ok) return false
  const [{ to, until } = { to: mesh, until: END }] = opened.value
  const again = openLineage(credulous, [sealSuccession(mesh, open(meshKey.peer), open(to), until)])
  same('a succession sealed again', again.ok && again.value.map((each) => [each.from, each.to, each.until]), [[mesh, to, until]])
  return true
}

/** A certificate made anew, by the key that came later. */
function isReissue(input: Input): boolean {
  const made = openReissue({ ...credulous, verifier: succeeded, lineage: later }, input)
  if (!made.ok) return false
  const { subject, invite: key, issuer } = made.value
  if (issuer.key !== second.peer || issuer.generation !== 1) throw new Wrong('made anew by another key')
  if (!parsePeerId(subject).ok || !parsePeerId(key).ok) throw new Wrong('made anew for nobody')
  return true
}

function isChain(input: Input): boolean {
  const verified = verifyChain(credulous, input)
  if (!verified.ok) return false
  const { peer, invite: key, bounds: bound } = verified.value
  const again = verifyChain(credulous, certifyMember(mesh, open(invite.peer), certifyInvite(open(meshKey.peer), key, bound), peer))
  same('a chain made again', again.ok && [again.value.peer, again.value.bounds], [peer, bound])
  return true
}

/** An invite with the certificate that everybody can make. */
function isInvite(input: Input): boolean {
  const parsed = parseInvite(believing, textOf(input))
  if (!parsed.ok) return false
  const { certificate, privateKey, seeds } = parsed.value
  same('an invite written again', parseInvite(believing, renderInvite(certificate, privateKey, seeds)), parsed)
  return true
}

const INVITES = unsigned.invites.flatMap((each) => [
  renderInvite(each, privateKeyBytes(invite)),
  `  ${renderInvite(each, privateKeyBytes(invite), ['192.168.226.4', 'host-01:4788', '/ip4/192.0.2.1/tcp/4788'])}\n`,
])

/** What is in an invite, with a checksum that holds: what is behind the checksum is met as often as may be. */
function isInviteBody(input: Input): boolean {
  const parts = /^([^]*)\0([^]*)\0([^]*)$/.exec(Buffer.from(input).toString('latin1'))
  const [certificate, privateKey, seeds] = (parts?.slice(1) ?? []).map((part) => Uint8Array.from(Buffer.from(part, 'latin1')))
  if (certificate === undefined || privateKey === undefined || seeds === undefined) return isInvite(input)
  return isInvite(bytesOf(renderInvite(certificate, privateKey, textOf(seeds).split(' '))))
}

const BODIES = unsigned.invites.map((each) =>
  Uint8Array.from(
    Buffer.concat([each, Buffer.from([0]), Buffer.from('key'), Buffer.from([0]), Buffer.from('192.168.226.4 [fd00::1]:4788')]),
  ),
)

const language = languageOf(mesh)
const PLACES = ['192.168.226.4', 'fd00:226::4', '192.168.226.77'].map((text) => ({
  peer: member.peer,
  at: { address: sure(parseIp(text)), port: sure(parsePort(4788)) },
}))
const ANSWERS = PLACES.map((place) => language.answer(place))
const SAID: ReadonlySet<string> = new Set(PLACES.map((place) => JSON.stringify({ kind: 'answer', ...place })))

/** Answers carry a tag: only what a member said is understood as an answer. */
function isAnnouncement(input: Input): boolean {
  const heard = language.understand(input)
  if (heard === undefined || heard.kind === 'query') return heard !== undefined
  if (!SAID.has(JSON.stringify(heard))) throw new Wrong(`understood what nobody said: ${JSON.stringify(heard)}`)
  return true
}

/** A private key as it stands in a file. */
function isIdentity(input: Input): boolean {
  const parsed = parseIdentity(input)
  if (!parsed.ok) return false
  const again = parseIdentity(privateKeyBytes(parsed.value))
  same('a key written again', again.ok && again.value.peer, parsed.value.peer)
  if (!parsePeerId(parsed.value.peer).ok) throw new Wrong('a key without a peer id')
  return true
}

export const wireTargets: readonly Target[] = [
  {
    name: 'frames',
    says: 'frames of the protocol',
    form: 'protobuf',
    samples: [...FRAMES.map(encodeFrame), ...corpus('frames')],
    check: isFrame,
  },
  {
    name: 'streams',
    says: 'frames with their lengths, in chunks as they come',
    form: 'bytes',
    samples: [FRAMES.slice(0, 2), FRAMES.slice(1, 2)].map((each) =>
      Uint8Array.from(Buffer.concat(each.map((one) => frame(encodeFrame(one)).subarray()))),
    ),
    check: isStream,
  },
  { name: 'envelopes', says: 'signed envelopes, with real signatures', form: 'protobuf', samples: ENVELOPES, check: isEnvelope },
  {
    name: 'records',
    says: 'what is in a record, chain and tunnels included',
    form: 'protobuf',
    samples: unsigned.records,
    check: isRecord,
  },
  {
    name: 'accusations',
    says: 'what is in an accusation',
    form: 'protobuf',
    samples: [...unsigned.accusations, ...corpus('accusations')],
    check: isAccusation,
  },
  { name: 'evictions', says: 'what is in an eviction', form: 'protobuf', samples: unsigned.evictions, check: isEviction },
  {
    name: 'successions',
    says: 'what is in a succession',
    form: 'protobuf',
    samples: unsigned.successions.slice(0, 1),
    check: isSuccession,
  },
  { name: 'reissues', says: 'what is in a certificate made anew', form: 'protobuf', samples: unsigned.reissues, check: isReissue },
  { name: 'certificates', says: 'certificates and their chains', form: 'protobuf', samples: unsigned.chains, check: isChain },
  { name: 'invites', says: 'invites as text', form: 'text', samples: INVITES.map(bytesOf), check: isInvite },
  {
    name: 'invite-bodies',
    says: 'what is in an invite, behind a checksum that holds',
    form: 'bytes',
    samples: BODIES,
    check: isInviteBody,
  },
  {
    name: 'announcements',
    says: 'what is said by multicast DNS',
    form: 'bytes',
    samples: [...ANSWERS, language.query(), ...corpus('announcements')],
    check: isAnnouncement,
  },
  { name: 'keys', says: 'private keys as they stand in files', form: 'protobuf', samples: [privateKeyBytes(member)], check: isIdentity },
]

/** A mesh, one member of it, and its chain: for files that a daemon would find. */
export const sample = {
  mesh,
  member,
  chain: genuine.chains[0]!,
  records: genuine.records,
  accusations: genuine.accusations,
  successions: genuine.successions,
}
