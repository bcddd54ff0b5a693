/** What the guest's kernel has as modules, loaded: IPv6 comes with GRE over it. */
import { run } from '../netns/process.ts'

export async function loadGre(): Promise<void> {
  await run(['sh', '-ec', 'for kind in gre ip6gre; do ip link add name provider0 type $kind external; ip link delete dev provider0; done'])
}
