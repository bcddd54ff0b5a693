/** Packets that come to a host, counted before anything there could refuse them. */
import type { Host } from './harness.ts'

const COUNT = 'add table ip count { chain came { type filter hook prerouting priority raw; counter; }; }'

/** How many packets of IP have come to a host since this was called: ask what it gives. */
export async function counter(host: Host): Promise<() => Promise<number>> {
  await host.run(['nft', COUNT])
  return async () => Number(/counter packets (\d+)/.exec(await host.run(['nft', 'list', 'table', 'ip', 'count']))?.[1])
}
