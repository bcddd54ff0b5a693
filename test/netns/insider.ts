/**
 * An attacker's program, run in the namespace of a host: a member by a real invite that says what no honest daemon says.
 *
 *     node insider.ts INVITE TARGET WAY RATE
 *
 * RATE frames a second, while it is let in: `malformed`, ones that cannot be read; `rubbish`, ones with records that nobody
 * should believe: names that reach for a terminal or a shell, an incarnation beyond the last, and a bad signature. Others are
 * well-formed and of no use: `empty`, nothing; `again`, its own record; `asking`, questions and wishes; `replays`, what it has
 * heard; `boasting`, its own record, each time a later one; `accusing`, everybody, of silence, at what it last heard of them.
 *
 * At a slow pace it is not cut off for these, of a tunnel with the VXLAN id 16: `places`, that its packets go to TARGET itself,
 * nowhere, to all, or to 192.168.226.66; `claims`, that it has had the overlay address 192.168.234.2 for long; `limits`, as much as a
 * record holds, at the last incarnation that there is.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  LAST_INCARNATION,
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parsePort,
  parseVni,
  sure,
  wallTime,
  type Bytes,
  type Incarnation,
  type MemberRecord,
  type PeerId,
  type TunnelClaim,
} from '@vxmesh/core'
import {
  certifyMember,
  CONTROL_MOST,
  encodeFrame,
  OVERLAY_MOST,
  parseFrame,
  parseInvite,
  sealAccusation,
  sealRecord,
  TUNNELS_MOST,
  verifyChain,
} from '@vxmesh/gossip'
import { envelopeVerifier, makeIdentity, parseIdentity, parseSeed } from '@vxmesh/gossip/libp2p'
import { openRecord } from '../../packages/gossip/src/message.ts'
import { startTransport, type Transport } from '../../packages/gossip/src/libp2p/transport.ts'
import { Record as RecordMessage } from '../../packages/gossip/src/wire.js'

const [file = '', target = '', way = '', rate = '1000'] = process.argv.slice(2)
const { mesh, certificate, privateKey } = sure(parseInvite(envelopeVerifier, readFileSync(file, 'utf8')))
const identity = await makeIdentity()
const chain = certifyMember(mesh, sure(parseIdentity(privateKey)), certificate, identity.peer)
const content = { name: sure(parseMemberName('insider')), enforces: '', control: [], tunnels: [], bootId: '1', leaving: false }
const trust = { mesh, verifier: envelopeVerifier }
const admission = sure(verifyChain(trust, chain))
const recordOf = (incarnation: number) =>
  sealRecord(mesh, identity, admission, { ...content, incarnation: sure(parseIncarnation(incarnation)) })
const own = recordOf(Date.now())

const MAC = sure(parseMac(`02:00:00:00:${process.pid.toString(16).padStart(8, '0').slice(4).replace(/..$/, ':$&')}`))
const claimOf = (underlay: string, overlay: readonly string[], id = 16): TunnelClaim => ({
  ...{ mode: 'vxlan', id: sure(parseVni(id)), underlay: sure(parseIp(underlay)), port: sure(parsePort(4789)) },
  ...{ mac: MAC, overlay: overlay.map((each) => sure(parseInterfaceAddress(each))) },
  ...{ claimedAt: wallTime(1), mtu: 1450, mtuLimit: 1450 },
})
const claiming = (incarnation: number, parts: Partial<MemberRecord>): Bytes =>
  sealRecord(mesh, identity, admission, { ...content, ...parts, incarnation: sure(parseIncarnation(incarnation)) }).bytes
const PLACES = [target, '0.0.0.0', '224.0.0.1', '255.255.255.255', '192.168.226.255', '127.0.0.1', '192.168.226.66']
const HERE = '192.168.226.100'
const limits = claiming(LAST_INCARNATION, {
  name: sure(parseMemberName('x'.repeat(63))),
  control: Array.from({ length: CONTROL_MOST }, (_, index) => ({ address: sure(parseIp(HERE)), port: sure(parsePort(20_000 + index)) })),
  tunnels: Array.from({ length: TUNNELS_MOST }, (_, tunnel) => {
    return claimOf(
      HERE,
      Array.from({ length: OVERLAY_MOST }, (__, index) => `fd00:1:2:3:4:5:${String(tunnel)}:${String(index)}/64`),
      16 + tunnel,
    )
  }),
})

const NAMES = ['\u001b[31mred', 'two\nlines', '\u202egnp', '-rf', '', 'x'.repeat(9000)]

function forged(name: string, incarnation: bigint): Bytes {
  const rest = { bootId: '1', overrides: '', leaving: false, control: [], chain, enforces: new Uint8Array(), tunnels: [] }
  return identity.seal(`vxmesh-record/1/${mesh}`, RecordMessage.encode({ ...rest, incarnation, name }))
}

const rubbish = NAMES.map((name) => forged(name, 1n))
  .concat([forged('late', 2n ** 64n - 1n), own.bytes.with(200, 0)])
  .map((bytes) => encodeFrame({ records: [Uint8Array.from(bytes)] }))
const heard: Bytes[] = []
const latest = new Map<PeerId, Incarnation>()
const asked = encodeFrame({
  wants: [identity.peer],
  questions: Array.from({ length: 64 }, (_, nonce) => ({ nonce, subject: identity.peer })),
})
const frames: Readonly<Record<string, (count: number) => Bytes>> = {
  malformed: () => Uint8Array.from(randomBytes(400)),
  rubbish: (count) => rubbish[count % rubbish.length] ?? own.bytes,
  empty: () => encodeFrame({}),
  again: () => encodeFrame({ records: [own.bytes] }),
  asking: () => asked,
  replays: (count) => heard[count % Math.max(1, heard.length)] ?? encodeFrame({}),
  boasting: (count) => encodeFrame({ records: [recordOf(Date.now() + count).bytes] }),
  places: (count) =>
    encodeFrame({
      records: [claiming(Date.now(), { tunnels: [claimOf(PLACES[count % PLACES.length] ?? HERE, ['192.168.234.66/23'])] })],
    }),
  claims: () => encodeFrame({ records: [claiming(Date.now(), { tunnels: [claimOf(HERE, ['192.168.234.2/23'])] })] }),
  limits: () => encodeFrame({ records: [limits] }),
  accusing: () =>
    encodeFrame({
      accusations: [...latest].map(([peer, incarnation]) => sealAccusation(mesh, identity, peer, incarnation, 'silent').bytes),
    }),
}

/** Keeps what it hears, and of whom. */
function listen(bytes: Bytes): void {
  const frame = parseFrame(bytes)
  const records = frame.ok ? (frame.value.records ?? []) : []
  if (records.length > 0 && heard.length < 100) heard.push(bytes)
  for (const each of records) {
    const opened = openRecord(trust, each, () => undefined)
    if (opened.ok && opened.value.record.peer !== identity.peer) latest.set(opened.value.record.peer, opened.value.record.incarnation)
  }
}

let admitted: number | undefined
let since = 0
const ignore = (): undefined => undefined
const transport: Transport = await startTransport(
  identity,
  [{ address: sure(parseIp('127.0.0.1')), port: sure(parsePort(20_000 + (process.pid % 40_000))) }],
  4788,
  {
    linked: (link) => transport.send(link, encodeFrame({ hello: chain })),
    frame: (link, bytes) => {
      listen(bytes)
      if (admitted === link) return
      admitted = link
      since = performance.now()
      transport.send(link, encodeFrame({ records: [own.bytes] }))
      console.log('let in')
    },
    unlinked: (link) => {
      if (link === admitted) console.log(`cut off after ${String(Math.round(performance.now() - since))} ms, at frame ${String(count)}`)
      admitted = undefined
    },
    ...{ congested: ignore, drained: ignore, garbled: ignore, knows: () => true },
    undialled: () => console.log('turned away'),
  },
)

let count = 0
let due = 0
function say(link: number): void {
  for (due += Number(rate) / 100; due >= 1; due--) transport.send(link, frames[way]?.(count++) ?? own.bytes)
}
setInterval(() => {
  if (admitted !== undefined) say(admitted)
}, 10)
setInterval(() => {
  if (admitted === undefined) transport.dial(sure(parseSeed(target)), undefined)
}, 500)
setInterval(() => console.log(`said ${String(count)}`), 1000)
