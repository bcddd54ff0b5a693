/** systemd-networkd on a host of the harness, with a configuration of its own and nothing of the machine's. */
import { readFileSync } from 'node:fs'
import type { Host } from './harness.ts'
import type { Process } from './process.ts'

/**
 * What the daemon would find on a machine: its directories, and a /sys that is read-only, as in a container, since else it
 * waits for udev, which knows nothing of the devices here.
 */
const SCRIPT = `
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/network /run/systemd/netif /run/dbus
chown systemd-network /run/systemd/netif
cp "$1"/*.netdev "$1"/*.network /run/systemd/network/
mount -t sysfs -o ro sysfs /sys
[ -z "$2" ] || dbus-daemon --system --fork --nopidfile
exec /lib/systemd/systemd-networkd
`

/** It gives up its root privileges for an account of its own, which a rootless lab has not. */
export const canNetworkd = readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295')

/** Starts it with the files of a directory. It manages the devices that they name, and no other. With a bus `networkctl` reaches it. */
export function networkd(host: Host, directory: string, bus: 'with a bus' | '' = ''): Process {
  return host.start(['unshare', '--mount', 'sh', '-euc', SCRIPT, 'networkd', directory, bus])
}

/** `networkctl`, where that networkd runs. */
export async function networkctl(host: Host, { pid }: Process, ...args: readonly string[]): Promise<string> {
  return host.run(['nsenter', `--mount=/proc/${String(pid)}/ns/mnt`, '--', 'networkctl', ...args])
}
