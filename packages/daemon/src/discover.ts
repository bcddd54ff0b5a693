/** Looks for members on the LANs that this host is on, as interfaces come and go, and says where that cannot work. */
import { isPublic, lansOf, seconds, type Duration, type HostInterface } from '@vxmesh/core'
import { startDiscovery, type DiscoveryReport, type Mesh } from '@vxmesh/gossip/libp2p'
import { monotonicClock as clock } from './clock.ts'
import type { Membership } from './identity.ts'
import type { UpOptions } from './options.ts'

/** Members that are there have answered by then. */
const ANSWERED_BY: Duration = seconds(10)

export type Finder = Disposable & {
  /** The interfaces of the host were read: they may have changed. Gives them back. */
  saw(host: readonly HostInterface[]): readonly HostInterface[]
  report(): DiscoveryReport
}

export type FinderOptions = {
  readonly options: Pick<UpOptions, 'discover'>
  readonly mesh: Pick<Mesh, 'listening' | 'state' | 'approach'>
  readonly membership: Pick<Membership, 'identity' | 'mesh'>
  /** Says a thing once. */
  readonly warn: (key: string, text: string) => void
  readonly discovery?: typeof startDiscovery
}

const REMEDY = 'name a member with --seed'

export function startFinder({ options: { discover }, mesh, membership, warn, discovery: start = startDiscovery }: FinderOptions): Finder {
  if (discover === 'off') {
    return { saw: (host) => host, report: () => ({ interfaces: [], candidates: 0, dials: 0 }), [Symbol.dispose]: () => undefined }
  }
  const discovery = start({
    mesh: membership.mesh,
    self: membership.identity.peer,
    clock,
    random: Math.random,
    listening: () => mesh.listening,
    state: () => mesh.state(),
    approach: (place) => mesh.approach(place),
    trouble: (lan, reason) => warn(`discover ${lan}`, `no member can be found by mDNS on ${lan}: ${reason}; ${REMEDY}`),
  })

  function sayAlone(): void {
    const { interfaces } = discovery.report()
    if (interfaces.length === 0 || mesh.state().view.size > 1) return
    const where = interfaces.join(', ')
    warn('discover alone', `no member has answered by mDNS on ${where}; where multicast does not pass, as in most clouds, ${REMEDY}`)
  }

  const open = mesh.listening.find(({ address }) => isPublic(address))
  if (open !== undefined) {
    const seldom = `${open.address} is a public address, and hosts that have one seldom share a LAN`
    warn('discover public', `${seldom}: where mDNS finds nobody, ${REMEDY}`)
  }
  const alone = setTimeout(sayAlone, ANSWERED_BY)
  return {
    saw(host) {
      const { found, lacking } = lansOf(
        host,
        discover,
        mesh.listening.map(({ address }) => address),
      )
      if (lacking !== undefined) warn('discover lacking', `members are not looked for by mDNS: ${lacking}; ${REMEDY}`)
      discovery.look(found)
      return host
    },
    report: () => discovery.report(),
    [Symbol.dispose]: () => {
      clearTimeout(alone)
      discovery.stop()
    },
  }
}
