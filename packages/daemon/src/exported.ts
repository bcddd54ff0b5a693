/** What the files of an export are made of. */
import type { DeviceName, InterfaceAddress, IpAddress, MacAddress, MemberName, Port } from '@vxmesh/core'

/** A host that carries the tunnel, as all others know it. */
export type Endpoint = {
  readonly name: MemberName
  readonly self: boolean
  readonly underlay: IpAddress
  readonly port: Port
  readonly mac: MacAddress | undefined
  readonly mtu: number
  readonly overlay: readonly InterfaceAddress[]
  /** The bridge that its device is a port of: of the host that was asked; others tell that there is one, not which. */
  readonly master: DeviceName | 'untold' | undefined
  /** Whether it takes in only what members send: of the host that was asked. Where that has none, nobody is thought to. */
  readonly guard: 'on' | 'off' | 'untold'
}

/** The files of one host: what each is called, and what is in it. */
export type HostFiles = readonly { readonly name: string; readonly content: string }[]

export function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}
