/** Members to test with: named by one letter, at addresses that follow from it. */
import { EMPTY_VIEW, withAccusation, withRecord, type View } from './view.ts'
import type { Accusation, Testimony } from './accusation.ts'
import type { Eviction } from './eviction.ts'
import { UNBOUND, type Bounds, type MemberRecord, type SignedRecord, type TunnelClaim } from './record.ts'
import {
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parsePeerId,
  parsePort,
  parseVni,
  parseWallTime,
  sure,
  type Bytes,
  type Incarnation,
  type IpAddress,
  type PeerId,
} from './values.ts'

export function peer(letter: string): PeerId {
  return sure(parsePeerId(`12D3KooW${letter.repeat(44)}`))
}

/** The letter of a peer. */
export function letter(of: PeerId): string {
  return of.slice(-1)
}

function incarnation(number: number): Incarnation {
  return sure(parseIncarnation(number))
}

export function ip(text: string): IpAddress {
  return sure(parseIp(text))
}

export const VNI = sure(parseVni(16))

const NO_BYTES: Bytes = new Uint8Array(0)

/** `a` is at 10.0.0.97 and 192.168.234.97, `b` at .98 and so on. */
export function claim(of: string, parts: Partial<TunnelClaim> = {}): TunnelClaim {
  const number = String(of.charCodeAt(0))
  return {
    mode: 'vxlan',
    id: VNI,
    underlay: ip(`10.0.0.${number}`),
    port: sure(parsePort(4789)),
    mac: sure(parseMac(`02:00:00:00:00:${of.charCodeAt(0).toString(16)}`)),
    overlay: [sure(parseInterfaceAddress(`192.168.234.${number}/23`))],
    claimedAt: sure(parseWallTime(1000)),
    mtu: 1450,
    mtuLimit: 1450,
    ...parts,
  }
}

export function signed(
  of: string,
  number: number,
  parts: Partial<MemberRecord> & { readonly hash?: string; readonly invite?: string; readonly bounds?: Partial<Bounds> } = {},
): SignedRecord {
  const { hash = `${of}${String(number)}`, invite = 'Z', bounds, ...rest } = parts
  const record: MemberRecord = {
    peer: peer(of),
    incarnation: incarnation(number),
    bootId: '1',
    leaving: false,
    enforces: '',
    name: sure(parseMemberName(of.toLowerCase())),
    control: [],
    tunnels: [claim(of)],
    ...rest,
  }
  return {
    record,
    bytes: NO_BYTES,
    hash,
    admission: {
      chain: NO_BYTES,
      peer: peer(of),
      invite: peer(invite),
      issuer: { key: peer('M'), generation: 0 },
      certified: { ...UNBOUND, ...bounds },
      bounds: { ...UNBOUND, ...bounds },
    },
  }
}

export function accusation(observer: string, subject: string, number: number, testimony: Testimony = 'silent'): Accusation {
  const hash = `${observer} ${subject} ${String(number)} ${testimony}`
  return { subject: peer(subject), incarnation: incarnation(number), observer: peer(observer), testimony, bytes: NO_BYTES, hash }
}

/** The word of the mesh key against a member, or an invite, of this letter. */
export function eviction(of: string): Eviction {
  return { key: peer(of), bytes: NO_BYTES, hash: `evicted ${of}` }
}

export function viewOf(records: Iterable<SignedRecord>, accusations: Iterable<Accusation> = []): View {
  return [...accusations].reduce(withAccusation, [...records].reduce(withRecord, EMPTY_VIEW))
}

/** A view as one line a member: `b 7, accused by a silent`. */
export function show(view: View): readonly string[] {
  return [...view.entries()]
    .map(
      ([
        of,
        {
          signed: { record, hash },
          accusations,
          evicted,
        },
      ]) => {
        const accusers = [...accusations.values()].map((each) => `${letter(each.observer)} ${each.testimony}`).toSorted()
        return [`${letter(of)} ${String(record.incarnation)} ${hash}${evicted ? ' evicted' : ''}`, ...accusers].join(', ')
      },
    )
    .toSorted()
}
