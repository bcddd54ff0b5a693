/** What all hosts of one simulation share, and the few constants of their world. */
import {
  parseDeviceName,
  parseInterfaceAddress,
  parseIp,
  parseMemberName,
  parsePort,
  parseVni,
  sure,
  type InterfaceAddress,
  type IpAddress,
  type MemberName,
} from '@vxmesh/core'
import type { Seed } from '@vxmesh/gossip'
import type { Dice } from './dice.ts'
import type { Laws } from './laws.ts'
import type { Network } from './network.ts'
import type { Schedule } from './schedule.ts'
import type { Seals } from './seals.ts'
import type { Trace } from './trace.ts'

export type World = {
  readonly schedule: Schedule
  readonly dice: Dice
  readonly network: Network
  readonly seals: Seals
  readonly trace: Trace
  readonly laws: Laws
}

export const DEVICE = sure(parseDeviceName('provider0'))
export const VXLAN_ID = sure(parseVni(16))
/** The tunnel that some have beside it. */
export const SECOND_DEVICE = sure(parseDeviceName('provider1'))
export const SECOND_ID = sure(parseVni(17))
export const CONTROL_PORT = sure(parsePort(4788))
export const VXLAN_PORT = sure(parsePort(4789))

/** What the wall clocks show when a simulation begins. */
export const WALL_START = 1_750_000_000_000

export function ip(text: string): IpAddress {
  return sure(parseIp(text))
}

export function overlayAddress(text: string): InterfaceAddress {
  return sure(parseInterfaceAddress(text))
}

export function memberName(text: string): MemberName {
  return sure(parseMemberName(text))
}

/** In a simulation, where there are no names to resolve, a seed is an address. */
export function seedAt(address: IpAddress): Seed {
  const text: string = address
  if (!isSeed(text)) throw new Error(`not a seed: ${text}`)
  return text
}

function isSeed(text: string): text is Seed {
  return text.length > 0
}
