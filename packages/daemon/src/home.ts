/** Where a tunnel is at home: the underlay address that it sends from, and the interface that has it. */
import { followHome, homeOf, type Device, type Home, type IpAddress, type Kernel, type TunnelSpec } from '@vxmesh/core'
import { mtuAt } from '@vxmesh/kernel-adapter'
import type { Store } from './store.ts'

/** What a device should be instead of what it is; `mtu` is in bytes. */
export type Change = { readonly local?: IpAddress; readonly mtu?: number }

export type Homing = {
  /** The host had the device's underlay address no longer, and no other in its place, when it was last looked at. */
  readonly lost: boolean
  /** The longest packet that the underlay has room for in the tunnel, in bytes; undefined while it is unknown. */
  readonly room: number | undefined
  /**
   * What is to be changed about the device, undefined when nothing is. One that we made sends from the address that came in
   * the place of its own, and its MTU follows that of its underlay, unless somebody has set it by hand or asked for another.
   * What somebody else made is theirs to change.
   */
  look(spec: TunnelSpec, device: Device): Promise<Change | undefined>
}

/** Remembers over restarts what the underlay of a device had room for. */
type Memory = Pick<Store, 'room' | 'noteRoom'>

export function homing(kernel: Kernel, memory: Memory): Homing {
  let home: Home | undefined
  let room: number | undefined
  let lost = false
  return {
    get lost() {
      return lost
    },
    get room() {
      return room
    },
    async look(spec, { local, mtu, origin }) {
      const host = await kernel.interfaces(spec.device)
      const before = home
      const now = homeOf(local, host) ?? (before === undefined || origin === 'adopted' ? undefined : followHome(before, host))
      lost = now === undefined
      if (now === undefined) return undefined
      home = now
      room = mtuAt(now, spec)
      if (origin === 'adopted') return undefined
      // Since the last look, or while nobody looked: then more than there is room for is not what somebody wanted.
      const former = before === undefined ? memory.room(spec.device) : mtuAt(before, spec)
      const followed = mtu === former || (before === undefined && mtu > room)
      const resized = followed && mtu !== room && spec.mtu === undefined
      if (now.local === local && !resized) {
        memory.noteRoom(spec.device, room)
        return undefined
      }
      return { ...(now.local === local ? {} : { local: now.local }), ...(resized ? { mtu: room } : {}) }
    },
  }
}

/** What the underlay has room for, asked once. */
export async function roomOn(kernel: Kernel, spec: TunnelSpec, { local }: Device): Promise<number | undefined> {
  const home = homeOf(local, await kernel.interfaces(spec.device))
  return home && mtuAt(home, spec)
}

export function wordsOf({ local, mtu }: Change): string {
  return [...(local === undefined ? [] : [`local ${local}`]), ...(mtu === undefined ? [] : [`mtu ${String(mtu)}`])].join(', ')
}
