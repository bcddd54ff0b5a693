/** What people are told of memberships that end, in time. */
import { lifetime, type Bounds, type WallTime } from '@vxmesh/core'

/** How often it is looked at: the last warning comes a day before, so that a minute is nothing. */
const LOOK_EVERY = 60_000

const RENEWAL = 'renew it with "vxmesh join INVITE", an invite that "vxmesh invite" makes where mesh.key is; nothing has to be restarted'

/** As it stands in answers. */
export function expiryOf({ until }: Pick<Bounds, 'until'>): string | null {
  return until === undefined ? null : new Date(until).toISOString()
}

/** What to say of our own membership, if anything. */
export function ownExpiry(bounds: Pick<Bounds, 'until'> | undefined, wall: WallTime): readonly string[] {
  const until = bounds?.until
  const left = lifetime(until, wall)
  if (until === undefined || left.state === 'lasting') return []
  const when = new Date(until).toISOString()
  if (left.state === 'ending') return [`the membership of this host ends in ${within(until, wall)}, on ${when}: ${RENEWAL}`]
  return [
    `the membership of this host ended on ${when}: the others make no new links with it, and take its entries away when they have seen that for 7 days; ${RENEWAL}`,
  ]
}

/** What to note of another member. */
export function expiryNotes({ until }: Pick<Bounds, 'until'>, wall: WallTime): readonly string[] {
  const left = lifetime(until, wall)
  if (until === undefined || left.state === 'lasting') return []
  return [
    left.state === 'ending' ? `its membership ends in ${within(until, wall)}` : `its membership ended on ${new Date(until).toISOString()}`,
  ]
}

/** In whole days, or hours where there is less than two days. */
function within(until: WallTime, wall: WallTime): string {
  const hours = Math.max(0, Math.floor((until - wall) / 3_600_000))
  if (hours >= 48) return `${String(Math.floor(hours / 24))} days`
  return hours === 1 ? '1 hour' : `${String(hours)} hours`
}

/** Warns of the end of our own membership: thirty days, seven days and one day before, and when it is there, of each once. */
export function warnOfExpiry(
  bounds: () => Pick<Bounds, 'until'> | undefined,
  wall: () => WallTime,
  warn: (key: string, text: string) => void,
): Disposable {
  const look = (): void => {
    const own = bounds()
    const left = lifetime(own?.until, wall())
    const stage = left.state === 'ending' ? String(left.days) : left.state
    for (const text of ownExpiry(own, wall())) warn(`expiry ${String(own?.until)} ${stage}`, text)
  }
  const timer = setInterval(look, LOOK_EVERY)
  look()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
