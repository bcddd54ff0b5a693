/**
 * Who may come in before anything is known of it but its address. A handshake costs us milliseconds, and whoever is in
 * takes a place until it is admitted or gone. So each address has few places and comes back at a slow pace; from how
 * many of them strangers ever knock, whoever comes from another finds its own door open.
 */
import { family, type Instant, type IpAddress } from '@vxmesh/core'

/** How many from one address may be in at once. */
const INSIDE_MOST = 8

/** How many from one address come in a second, and after a pause at once. */
const PACE = 4
const AT_ONCE = 8

/** How many addresses are remembered. Who is at one more than that comes in as if it were new. */
const REMEMBERED_MOST = 4096

type Visits = { inside: number; left: number; at: Instant }

export type Door = {
  /** Whether one from there would be let in. Whoever is not costs no more than this. */
  isOpen(address: IpAddress, now: Instant): boolean
  /** Lets one in, or not: gives what is to be called once it is gone. */
  enter(address: IpAddress, now: Instant): (() => void) | undefined
}

export function makeDoor(): Door {
  const visits = new Map<string, Visits>()

  function visitsFrom(place: string, now: Instant): Visits {
    const known = visits.get(place)
    // The last one that came is the last in the map.
    visits.delete(place)
    const made = known ?? { inside: 0, left: AT_ONCE, at: now }
    made.left = Math.min(AT_ONCE, made.left + ((now - made.at) / 1000) * PACE)
    made.at = now
    visits.set(place, made)
    const [first] = visits.keys()
    if (visits.size > REMEMBERED_MOST && first !== undefined) visits.delete(first)
    return made
  }

  const isWelcome = ({ inside, left }: Visits): boolean => inside < INSIDE_MOST && left >= 1

  return {
    isOpen: (address, now) => isWelcome(visitsFrom(placeOf(address), now)),
    enter(address, now) {
      const from = visitsFrom(placeOf(address), now)
      if (!isWelcome(from)) return undefined
      from.left--
      from.inside++
      let gone = false
      return () => {
        if (!gone) from.inside--
        gone = true
      }
    },
  }
}

/** Whoever has one IPv6 address has all of its network of 64 bits. */
function placeOf(address: IpAddress): string {
  if (family(address) === 'ipv4') return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  const zeros = Array.from({ length: missing }, () => '0')
  return [...groups, ...zeros, ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
