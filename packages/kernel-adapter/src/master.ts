/**
 * The bridge that a device is to be a port of: one of Linux, or of Open vSwitch where its tool is. The kernel does not tell in
 * which bridge of Open vSwitch a port is, with its userspace datapath not even that it is one: `ovs-vsctl` does.
 */
import { MeshError, type DeviceName } from '@vxmesh/core'
import { ask, type Answer } from './iproute2.ts'
import type { Link } from './read.ts'
import { ovs } from './render.ts'

/** What is there by the name of a bridge; undefined: nothing. */
export type Master = { readonly kind: 'bridge' | 'ovs' } | { readonly kind: 'other'; readonly what: string }

/** What a name stands for, given the device of that name. */
export async function masterOf(name: DeviceName, link: Link | undefined): Promise<Master | undefined> {
  const what = link === undefined ? undefined : link.kind === 'other' ? link.what : link.kind
  if (what === 'bridge') return { kind: 'bridge' }
  // 0: there is such a bridge, 2: there is none; without its daemon it can tell neither.
  if ((await asked('br-exists', name))?.ok === true) return { kind: 'ovs' }
  return what === undefined ? undefined : { kind: 'other', what }
}

/** The bridge of Open vSwitch that has this port; undefined: none has, or it cannot be told. */
export async function ovsBridgeOf(port: DeviceName): Promise<string | undefined> {
  const answer = await asked('port-to-br', port)
  return answer?.ok === true ? answer.stdout.trim() : undefined
}

/** What Open vSwitch answers; undefined where its tool is not installed. */
async function asked(...question: readonly string[]): Promise<Answer | undefined> {
  try {
    return await ask(ovs(...question))
  } catch (error) {
    if (error instanceof MeshError && error.failure.code === 'NOT_PERMITTED') return undefined
    throw error
  }
}

export function isBridge(master: Master | undefined): boolean {
  return master?.kind === 'bridge' || master?.kind === 'ovs'
}
