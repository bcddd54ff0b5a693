import type { Issuer } from './lineage.ts'
import type { Mode, TunnelId } from './tunnel.ts'
import type {
  Bytes,
  ControlAddress,
  Incarnation,
  InterfaceAddress,
  IpAddress,
  MacAddress,
  MemberName,
  PeerId,
  Port,
  WallTime,
} from './values.ts'

/** One tunnel that a member carries, and where packets for it go. */
export type TunnelClaim = {
  readonly mode: Mode
  readonly id: TunnelId
  /** Where the others send the encapsulated packets. */
  readonly underlay: IpAddress
  /** The UDP port the member's device really uses, read from its kernel; GRE has none. */
  readonly port: Port | undefined
  /** The MAC address of the member's device; zero where it is a port of a bridge, since others speak through it, and with GRE, which has none. */
  readonly mac: MacAddress
  /** The addresses on the member's device, inside the tunnel. */
  readonly overlay: readonly InterfaceAddress[]
  /** When the member first claimed these overlay addresses, by its own clock; decides conflicts, kept across restarts. */
  readonly claimedAt: WallTime
  /** Largest packet the member's device takes, in bytes. */
  readonly mtu: number
  /** Largest packet that may be sent to it whatever the others do, in bytes: more than `mtu` where the device follows the mesh. */
  readonly mtuLimit: number
}

/** What a member says about itself. Only its owner signs one; a higher incarnation overrides a lower. */
export type MemberRecord = {
  readonly peer: PeerId
  readonly incarnation: Incarnation
  /** Drawn anew at every start of the daemon, so that two machines with one key can be told apart. */
  readonly bootId: string
  /** The boot id of another record of its own key that this one was made to override: proof, to a machine that runs with the same key, that both do. */
  readonly overrides?: string
  /** The owner's word that it leaves: its entries go at once. */
  readonly leaving: boolean
  readonly name: MemberName
  /** The digest of all evictions that hold on the member's host, in hexadecimal: known, written down, and followed by its kernel. Empty where there are none. */
  readonly enforces: string
  readonly control: readonly ControlAddress[]
  readonly tunnels: readonly TunnelClaim[]
}

/** A record whose signature and admission have been verified, with the bytes to relay it by. */
export type SignedRecord = {
  readonly record: MemberRecord
  /** The signed envelope, byte for byte as its owner made it. */
  readonly bytes: Bytes
  /** SHA-256 of the envelope in hexadecimal: breaks the tie between two records of one incarnation. */
  readonly hash: string
  /** What admits the owner. */
  readonly admission: Admission
}

/** Certificates that were verified, and what they say. */
export type Admission = {
  /** The certificates as they stand in the envelope: what was verified once need not be again. */
  readonly chain: Bytes
  /** Whom they admit. */
  readonly peer: PeerId
  /** The key of the invite that they were made with. */
  readonly invite: PeerId
  /** The key of the mesh that certified the invite. */
  readonly issuer: Issuer
  /** What the invite's certificate says. */
  readonly certified: Bounds
  /** What the invite allows: that, but no longer than its issuer's certificates hold. See `lineage.ts`. */
  readonly bounds: Bounds
}

/** What an invite says of those who come by it; what it says nothing of is not bound. */
export type Bounds = {
  /** The only peer that may use it. */
  readonly peer: PeerId | undefined
  /** What they must be called; nobody else may be called that. */
  readonly name: MemberName | undefined
  /** Networks in which their overlay addresses must lie; there, they go before those who are not bound. Empty: anywhere. */
  readonly addresses: readonly InterfaceAddress[]
  /** How many members it is for; 0: any number. */
  readonly members: number
  /** Whoever is not known by then comes too late. */
  readonly notAfter: WallTime | undefined
  /** When the memberships by it end; undefined: never. See `expiry.ts`. */
  readonly until: WallTime | undefined
}

export const UNBOUND: Bounds = { peer: undefined, name: undefined, addresses: [], members: 0, notAfter: undefined, until: undefined }

/** Positive when `a` overrides `b`: by incarnation, then, should an owner have signed two, by hash, the same everywhere. */
export function compareRecords(a: SignedRecord, b: SignedRecord): number {
  if (a.record.incarnation !== b.record.incarnation) return a.record.incarnation - b.record.incarnation
  return a.hash === b.hash ? 0 : a.hash > b.hash ? 1 : -1
}
