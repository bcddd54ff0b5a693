/** systemd-networkd on a host of the harness, with a configuration of its own and nothing of the machine's. */
import type { Host } from './harness.ts'
import type { Process } from './process.ts'

/**
 * What the daemon would find on a machine: its directories, and a /sys that is read-only, as in a container, since else it
 * waits for udev, which knows nothing of the devices here.
 */
const SCRIPT = `
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/network /run/systemd/netif
chown systemd-network /run/systemd/netif
cp "$1"/*.netdev "$1"/*.network /run/systemd/network/
mount -t sysfs -o ro sysfs /sys
exec /lib/systemd/systemd-networkd
`

/** Starts it with the files of a directory. It manages the devices that they name, and no other. */
export function networkd(host: Host, directory: string): Process {
  return host.start(['unshare', '--mount', 'sh', '-euc', SCRIPT, 'networkd', directory])
}
