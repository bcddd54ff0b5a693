/** Multipoint GRE as an operator types it, on three hosts. */
import { z } from 'zod'
import { openSwitch, type Host } from '../netns/harness.ts'
import { run, type Outcome } from '../netns/process.ts'

/** Three hosts on one wire, without a tunnel. */
export type Hosts = {
  readonly bastion: Host
  readonly first: Host
  readonly second: Host
  clear(): Promise<unknown>
  dispose(): Promise<void>
}

export async function openHosts(): Promise<Hosts> {
  const net = await openSwitch()
  return {
    bastion: await net.host('bastion', '192.168.226.4/24'),
    first: await net.host('host-00', '192.168.226.5/24'),
    second: await net.host('host-01', '192.168.226.6/24'),
    clear: async () => run(['sh', '-c', 'for host in bastion host-00 host-01; do ip -netns $host link delete dev provider0; done; true']),
    dispose: async () => net.dispose(),
  }
}

/** What a person types on a host, line by line; the first that fails ends it. */
export async function typed(host: Host, page: string): Promise<string> {
  return host.run(['sh', '-ec', page])
}

export async function tried(host: Host, page: string): Promise<Outcome> {
  return host.outcome(['sh', '-ec', page])
}

/** The operator's page, on each of the three hosts. */
export const PAGES = { bastion: page(1), first: page(2), second: page(3) }

/** Overlay addresses end in 1 to 3, underlay addresses in 4 to 6. */
function page(number: number): string {
  const neighbours = [1, 2, 3]
    .filter((each) => each !== number)
    .map((each) => `ip neighbour add 192.168.234.${String(each)} lladdr 192.168.226.${String(each + 3)} dev provider0`)
  return [
    `ip tunnel add provider0 mode gre local 192.168.226.${String(number + 3)} key 1234`,
    `ip addr add 192.168.234.${String(number)}/23 dev provider0`,
    ...neighbours,
    'ip link set up dev provider0',
  ].join('\n')
}

const neighbours = z.array(
  z.object({ dst: z.string(), lladdr: z.string().optional(), protocol: z.string().optional(), state: z.array(z.string()) }),
)

/** What is in a host's neighbour table, as `ADDRESS lladdr UNDERLAY STATE`, sorted. */
export async function entries(host: Host): Promise<readonly string[]> {
  const shown = await host.run(['ip', '-Numeric', '-json', '-4', 'neighbour', 'show', 'dev', 'provider0', 'nud', 'all'])
  return neighbours
    .parse(JSON.parse(shown))
    .map(({ dst, lladdr, state, protocol }) =>
      [dst, 'lladdr', lladdr, state, ...(protocol === undefined ? [] : ['proto', protocol])].join(' '),
    )
    .toSorted()
}

export const FIRST = '192.168.234.2 lladdr 192.168.226.5 PERMANENT'
export const SECOND = '192.168.234.3 lladdr 192.168.226.6 PERMANENT'
