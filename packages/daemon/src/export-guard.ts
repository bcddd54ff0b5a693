/** The guard of a tunnel as a file of nftables, so that who leaves does not open the tunnel by that. */
import type { DeviceName, Mode, Port, TunnelId } from '@vxmesh/core'
import { guardLines, guardOf } from '@vxmesh/kernel-adapter'
import { text, type Endpoint, type HostFiles } from './exported.ts'

type Tunnel = { readonly device: DeviceName; readonly mode: Mode; readonly id: TunnelId }

/** What nft is told; undefined where there is no guard, or none that is known of. */
function lines({ device, mode, id }: Tunnel, host: Endpoint, others: readonly Endpoint[]): readonly string[] | undefined {
  if (host.guard !== 'on') return undefined
  const members = [...new Set(others.map(({ underlay }) => underlay))]
  const ports: readonly Port[] = [...new Set([host, ...others].map(({ port }) => port))].toSorted((a, b) => a - b)
  // The device is made anew, and sends as a guard wants it.
  return guardLines(guardOf({ mode, id, underlay: host.underlay, port: host.port, ports, privileged: true }), members, device)
}

/** For a shell script: before there is a device that packets could come in by. */
export function guardScript(tunnel: Tunnel, host: Endpoint, others: readonly Endpoint[]): readonly string[] {
  if (host.guard === 'untold') return ['# Whether it had a guard only that host can tell: "vxmesh export" there.']
  const guard = lines(tunnel, host, others)
  return guard === undefined ? [] : ["nft -f - <<'END'", ...guard, 'END']
}

/** For hosts whose tunnel comes from files. */
export function guardFiles(tunnel: Tunnel, host: Endpoint, others: readonly Endpoint[]): HostFiles {
  const guard = lines(tunnel, host, others)
  const about = `# The guard of ${tunnel.device} of ${host.name}: to be loaded at each boot, before the network, as by an include of /etc/nftables.conf`
  return guard === undefined ? [] : [{ name: `${tunnel.device}.nft`, content: text([about, ...guard]) }]
}
