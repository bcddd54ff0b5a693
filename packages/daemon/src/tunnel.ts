/** What status says of a tunnel: its device, and what the kernel holds and should hold of entries, by kind. */
import { holds, type DeviceName, type Entry, type TunnelName } from '@vxmesh/core'
import { describe, describeTarget } from '@vxmesh/kernel-adapter'
import type { TunnelRow } from './answers.ts'
import type { Picture } from './reconciler.ts'

export type Tunnel = TunnelName & { readonly device: DeviceName }

export function tunnelRow(tunnel: Tunnel, { reading, decision, foreign, repairs }: Picture): TunnelRow {
  const wanted = [...decision.desired.table.values()]
  const present = wanted.filter((entry) => holds(reading?.entries, entry))
  const counts = (kind: Entry['kind']) => {
    const [all, some] = [wanted, present].map((entries) => entries.filter((entry) => entry.kind === kind).length)
    return { wanted: all ?? 0, present: some ?? 0 }
  }
  return {
    device: tunnel.device,
    mode: tunnel.mode,
    id: tunnel.id ?? null,
    port: reading?.device.port ?? null,
    mtu: reading?.device.mtu ?? null,
    local: reading?.device.local ?? null,
    addresses: reading?.device.addresses ?? [],
    origin: reading?.device.origin ?? null,
    entries: {
      wanted: wanted.length,
      present: present.length,
      foreign,
      kinds: {
        flood: counts('flood'),
        fdb: counts('fdb'),
        neighbour: counts('neighbour'),
        ...(tunnel.mode === 'gre' ? { route: counts('route'), unreachable: counts('unreachable') } : {}),
      },
    },
    repairs,
  }
}

/** What somebody else has in the kernel where an entry of ours should be, and what to do about it. */
export function conflictsIn({ obstacles }: Picture, device: DeviceName): readonly string[] {
  return obstacles.map(({ wanted, found }) => {
    const [write, remove] = [describe({ kind: 'add', entry: wanted }, device), describe({ kind: 'remove', entry: found }, device)]
    return `conflict: "${write}" is wanted, but somebody else has ${describeTarget(found)} there, which is left alone; to make room: ${remove}`
  })
}
