/** Where the daemon listens: at every address that its tunnels send from, as those change. */
import { messageOf, type IpAddress, type Port } from '@vxmesh/core'
import { CONTROL_MOST } from '@vxmesh/gossip'
import type { Mesh } from '@vxmesh/gossip/libp2p'
import { listeningTrouble } from './prelude.ts'

/** Where to listen for tunnels that send from these addresses. */
export function listeningPlaces(locals: Iterable<IpAddress>): readonly IpAddress[] {
  return [...new Set(locals)].slice(0, CONTROL_MOST)
}

/** Who follows the addresses of the tunnels, and hears of it. */
export type Following = {
  readonly locals: () => Iterable<IpAddress>
  readonly moved: () => void
  readonly warn: (key: string, text: string) => void
}

/**
 * Gives what has the mesh listen where the tunnels send from now, whenever it is called. To listen elsewhere ends every
 * link, so it does not try what would fail: an address that is not there, or not yet, is left out until it is.
 */
export function followTunnels(mesh: Pick<Mesh, 'listening' | 'move'>, { locals, moved, warn }: Following): () => Promise<void> {
  let moving = false

  async function usable(wanted: readonly IpAddress[], there: readonly IpAddress[], port: Port): Promise<readonly IpAddress[]> {
    const troubles = await Promise.all(wanted.map(async (address) => listeningTrouble(address, port)))
    return wanted.filter((address, index) => {
      const trouble = troubles[index]
      if (trouble === undefined || (trouble.code === 'EADDRINUSE' && there.includes(address))) return true
      warn(`listen ${address}`, `cannot listen on ${address}: ${trouble.message}; it is tried again`)
      return false
    })
  }

  async function follow(): Promise<void> {
    const [first] = mesh.listening
    const there = mesh.listening.map(({ address }) => address)
    const wanted = listeningPlaces(locals())
    if (first === undefined || same(wanted, there)) return
    const next = await usable(wanted, there, first.port)
    if (next.length === 0 || same(next, there)) return
    await mesh.move(next)
    moved()
  }

  return async () => {
    if (moving) return
    moving = true
    try {
      await follow()
    } catch (error) {
      warn('listen', `${messageOf(error)}; it is tried again`)
    } finally {
      moving = false
    }
  }
}

function same(one: readonly IpAddress[], other: readonly IpAddress[]): boolean {
  return one.length === other.length && one.every((address) => other.includes(address))
}
