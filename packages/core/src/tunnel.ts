/** What tells one tunnel from another, and what of a tunnel of multipoint GRE is true whoever its members are. */
import type { Entry } from './table.ts'
import { halves, type GreKey, type InterfaceAddress, type Vni } from './values.ts'

/** The kind of a tunnel. */
export type Mode = 'vxlan' | 'gre'

/** A VXLAN id, or the key of a GRE tunnel; undefined: GRE without a key. */
export type TunnelId = Vni | GreKey | undefined

export type TunnelName = { readonly mode: Mode; readonly id: TunnelId }

export function sameTunnel(a: TunnelName, b: TunnelName): boolean {
  return a.mode === b.mode && a.id === b.id
}

/** As people call it: `vxlan id 16`, `gre key 1234`, `gre`. */
export function tunnelWords({ mode, id }: { readonly mode: Mode; readonly id: number | null | undefined }): string {
  if (id === undefined || id === null) return mode
  return mode === 'vxlan' ? `vxlan id ${String(id)}` : `gre key ${String(id)}`
}

/**
 * What is unreachable but for the members, on a GRE device with these addresses. A packet for an address without a
 * neighbour makes the kernel invent one that leads to this host itself, and where the host forwards, such a packet circles
 * until its time is over. Two halves are unreachable, not the network, since that has the route which comes with the
 * device's address and which is not ours.
 */
export function unreachableOf(own: readonly InterfaceAddress[]): readonly Extract<Entry, { kind: 'unreachable' }>[] {
  return [...new Set(own.flatMap(halves))].map((network) => ({ kind: 'unreachable', network }))
}

/** What a tunnel needs in the kernel though nobody else be in it. */
export function wantedAlone({ mode, overlay }: { readonly mode: Mode; readonly overlay: readonly InterfaceAddress[] }): readonly Entry[] {
  return mode === 'gre' ? unreachableOf(overlay) : []
}
