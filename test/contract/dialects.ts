/** What the two kinds of tunnels say differently where they keep the same contract. */
import { parseGreKey, sure, type Device, type Entry, type GreKey, type IpAddress, type Mode, type TunnelSpec } from '@vxmesh/core'
import {
  COMMON,
  HOST_00,
  ip,
  NARROW,
  OTHER,
  OVERLAY,
  OVERLAY_6,
  port,
  SPEC,
  to,
  UNDERLAY,
  UNDERLAY_6,
  vni,
  type ByHand,
} from './setting.ts'

/** What the two kinds of tunnels say differently. */
export type Dialect = {
  readonly spec: TunnelSpec
  /** What makes the packets for a member go to this address. */
  readonly to: (underlay: IpAddress) => Entry
  readonly port: number | undefined
  readonly mtu: number
  readonly made: readonly (readonly [string, Partial<TunnelSpec>, Partial<Device>])[]
  /** The device of the recipe, and what it is as that. */
  readonly byHand: ByHand & { readonly kind: Mode }
  readonly adopted: Partial<Device>
  readonly refused: readonly (readonly [string, ByHand, Partial<TunnelSpec>, string])[]
  readonly refusedOfOurs: readonly (readonly [string, Partial<TunnelSpec>, string])[]
  /** The tool's words when it is to write an entry that leads to `UNDERLAY_6`. */
  readonly refusal: { readonly command: string; readonly reason: string }
  /** How many entries are written at once beside some that are refused: where one is, `ip` has to be asked for each. */
  readonly many: number
}

const key = (number: number): GreKey => sure(parseGreKey(number))
const VXLAN_BY_HAND = { kind: 'vxlan', id: vni(16), local: UNDERLAY } as const
const GRE_BY_HAND = { kind: 'gre', id: key(1234), local: UNDERLAY } as const
const SEVERAL: Dialect['made'][number] = [
  'with several addresses, once each',
  { addresses: [OVERLAY, OVERLAY_6, OVERLAY] },
  { addresses: [OVERLAY, OVERLAY_6] },
]

export const DIALECTS: Readonly<Record<Mode, Dialect>> = {
  vxlan: {
    spec: SPEC,
    to,
    port: 4789,
    mtu: 1450,
    made: [
      ['50 bytes below an underlay of 1400', { local: NARROW }, { local: NARROW, mtu: 1350 }],
      ['70 bytes below an IPv6 underlay of 1500', { local: UNDERLAY_6 }, { local: UNDERLAY_6, mtu: 1430 }],
      ['on the port that was asked for', { port: port(8472) }, { port: port(8472) }],
      SEVERAL,
    ],
    byHand: VXLAN_BY_HAND,
    adopted: { port: port(8472), mtu: 1500 },
    refused: [
      ['of another kind', { kind: 'bridge' }, {}, '--device'],
      ['in external mode', { kind: 'external' }, {}, '--device'],
      ['with another id', { ...VXLAN_BY_HAND, id: vni(17) }, {}, '--device'],
      ['made by somebody else for another local address', { ...VXLAN_BY_HAND, local: OTHER }, {}, '--local'],
      ['without a local address, where one is asked for', { ...VXLAN_BY_HAND, local: undefined }, {}, '--local'],
      ['without a local address, where none is asked for', { ...VXLAN_BY_HAND, local: undefined }, { local: undefined }, '--device'],
      ['with another port', VXLAN_BY_HAND, { port: port(4789) }, '--vxlan-port'],
    ],
    refusedOfOurs: [
      ['that we made, and that uses another port', { port: port(8472) }, '--vxlan-port'],
      ['that we made, for an address of another family', { local: UNDERLAY_6 }, '--local'],
      ['that we made, for an address that the host does not have', { local: HOST_00 }, '--local'],
    ],
    refusal: {
      command: 'bridge fdb append 00:00:00:00:00:00 dst fd00:226::4 dev provider0',
      reason: 'RTNETLINK answers: Address family not supported by protocol',
    },
    many: 1000,
  },
  gre: {
    spec: { ...COMMON, mode: 'gre', id: key(1234), alias: 'vxmesh:12D3KooWcontract:gre:1234' },
    to: (underlay) => ({ kind: 'neighbour', overlay: opposite(underlay), underlay }),
    port: undefined,
    mtu: 1472,
    made: [
      ['28 bytes below an underlay of 1400', { local: NARROW }, { local: NARROW, mtu: 1372 }],
      ['24 bytes below without a key', { id: undefined }, { id: undefined, mtu: 1476 }],
      ['48 bytes below an IPv6 underlay', { local: UNDERLAY_6 }, { local: UNDERLAY_6, id: key(1234), mtu: 1452 }],
      SEVERAL,
    ],
    byHand: GRE_BY_HAND,
    adopted: { port: undefined, mtu: 1472 },
    refused: [
      ['of another kind', { kind: 'bridge' }, {}, '--device'],
      ['in external mode', { ...GRE_BY_HAND, id: undefined, local: undefined, external: true }, {}, '--device'],
      ['with another key', { ...GRE_BY_HAND, id: key(5) }, {}, '--device'],
      ['without a key', { ...GRE_BY_HAND, id: undefined }, {}, '--device'],
      ['to one host', { ...GRE_BY_HAND, remote: HOST_00 }, {}, '--device'],
      ['made by somebody else for another local address', { ...GRE_BY_HAND, local: OTHER }, {}, '--local'],
      ['without a local address', { ...GRE_BY_HAND, local: undefined }, {}, '--local'],
      ['over IPv6 for an IPv4 address', { kind: 'ip6gre', external: true }, {}, '--device'],
      ['over IPv6, where no address is asked for', { kind: 'ip6gre', external: true }, { local: undefined }, '--local'],
      ['over IPv6 and not external', { kind: 'ip6gre', external: false }, { local: UNDERLAY_6 }, '--device'],
    ],
    refusedOfOurs: [
      ['that we made, for an address of another family', { local: UNDERLAY_6 }, '--device'],
      ['that we made, for an address that the host does not have', { local: HOST_00 }, '--local'],
    ],
    refusal: {
      command: 'ip neighbour replace 10.234.0.4 lladdr fd00:226::4 dev provider0 nud permanent protocol 118',
      reason: '"fd00" is invalid lladdr.',
    },
    many: 12,
  },
}

/** An address inside the tunnel for a host. */
function opposite(underlay: IpAddress): IpAddress {
  const last = underlay.split(/[.:]/).slice(-2)
  return ip(`10.234.${last.map((part) => part || '0').join('.')}`)
}
