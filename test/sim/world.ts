/** What all hosts of one simulation share, and the few constants of their world. */
import {
  parseDeviceName,
  parseIp,
  parseInterfaceAddress,
  parseMemberName,
  parsePort,
  parseVni,
  type InterfaceAddress,
  type IpAddress,
  type MemberName,
  type Result,
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

/** The value of a result that a simulation knows to be good. */
export function trusted<Value>(result: Result<Value>): Value {
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

export const DEVICE = trusted(parseDeviceName('provider0'))
export const VXLAN_ID = trusted(parseVni(16))
/** The tunnel that some have beside it. */
export const SECOND_DEVICE = trusted(parseDeviceName('provider1'))
export const SECOND_ID = trusted(parseVni(17))
export const CONTROL_PORT = trusted(parsePort(4788))
export const VXLAN_PORT = trusted(parsePort(4789))

/** What the wall clocks show when a simulation begins. */
export const WALL_START = 1_750_000_000_000

export function ip(text: string): IpAddress {
  return trusted(parseIp(text))
}

export function overlayAddress(text: string): InterfaceAddress {
  return trusted(parseInterfaceAddress(text))
}

export function memberName(text: string): MemberName {
  return trusted(parseMemberName(text))
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
