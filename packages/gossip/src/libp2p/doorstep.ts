/**
 * The door, as Node and libp2p ask who may come in. Node asks before it makes anything of a connection: for libp2p each
 * costs kilobytes that pile up until they are collected, a hundred megabytes of them while a thousand a second knock.
 */
import { BlockList, type SocketAddress } from 'node:net'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { instant, parseIp, type IpAddress } from '@vxmesh/core'
import { makeDoor } from './door.ts'

export type Doorstep = BlockList & {
  /** Whether a connection that has just come is ended before anything is read from it. */
  refuses(connection: MultiaddrConnection): boolean
  /** What is to be called once whoever came from there is a member: it leaves its place to others. */
  leave(from: Multiaddr): (() => void) | undefined
}

/** @param knows whether a member is there, as far as is known: it need not wait */
export function makeDoorstep(knows: (address: IpAddress) => boolean): Doorstep {
  return new Step(knows)
}

class Step extends BlockList {
  readonly #door = makeDoor()
  /** By where those are who are in. */
  readonly #inside = new Map<string, () => void>()
  readonly #knows: (address: IpAddress) => boolean

  constructor(knows: (address: IpAddress) => boolean) {
    super()
    this.#knows = knows
  }

  /** Whether one from there would be turned away: it only asks. */
  override check(from: string | SocketAddress): boolean {
    const address = ipOf(typeof from === 'string' ? from : from.address)
    return address !== undefined && !this.#knows(address) && !this.#door.isOpen(address, instant(performance.now()))
  }

  refuses(connection: MultiaddrConnection): boolean {
    const address = addressOf(connection.remoteAddr)
    if (address === undefined || this.#knows(address)) return false
    const leave = this.#door.enter(address, instant(performance.now()))
    if (leave === undefined) return true
    const from = socketOf(connection.remoteAddr)
    this.#inside.set(from, leave)
    connection.addEventListener('close', () => {
      this.#inside.delete(from)
      leave()
    })
    return false
  }

  leave(from: Multiaddr): (() => void) | undefined {
    return this.#inside.get(socketOf(from))
  }
}

/** The address that a connection is from or to. */
export function addressOf(place: Multiaddr): IpAddress | undefined {
  const host = place.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')
  return ipOf(host?.value ?? '')
}

/** An address as the system gives it, whose IPv4 may be wrapped in IPv6. */
function ipOf(text: string): IpAddress | undefined {
  const parsed = parseIp(text.replace(/^::ffff:(?=[0-9.]+$)/, ''))
  return parsed.ok ? parsed.value : undefined
}

/** The address and port of the other end, whoever that is. */
function socketOf(place: Multiaddr): string {
  const [socket = ''] = place.toString().split('/p2p/')
  return socket
}
