/** The three hosts of the operator's recipe, which most stories are about. */
import { seconds } from '@vxmesh/core'
import { openSwitch, until, type Switch } from './harness.ts'
import { converged, initMesh, member, type Member, type Mesh } from './member.ts'
import type { Process } from './process.ts'

export type Trio = AsyncDisposable & {
  readonly net: Switch
  readonly mesh: Mesh
  readonly bastion: Member
  readonly first: Member
  readonly second: Member
  readonly all: readonly Member[]
}

/** The recipe's hosts, not started yet. */
export async function trio(): Promise<Trio> {
  const net = await openSwitch()
  const mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), '192.168.234.3/23')
  const dispose = async (): Promise<void> => {
    await net.dispose()
    await mesh[Symbol.asyncDispose]()
  }
  return { net, mesh, bastion, first, second, all: [bastion, first, second], [Symbol.asyncDispose]: dispose }
}

/** All three up, the third knowing only the first, and converged. `flags`: of the first. */
export async function started(hosts: Trio, ...flags: readonly string[]): Promise<readonly [Process, Process, Process]> {
  const processes = [
    hosts.bastion.up(...flags),
    hosts.first.up('--seed', '192.168.226.4'),
    hosts.second.up('--seed', '192.168.226.4'),
  ] as const
  await converged(hosts.all)
  return processes
}

/** Waits until a member has nothing to say of its health: who has just met the others may still wait for all that they know. */
export async function healthy(...members: readonly Member[]): Promise<void> {
  const said = async (): Promise<unknown> => {
    const reports = await Promise.all(members.map(async (each) => (await each.status()).health))
    return reports.every(({ length }) => length === 0) || reports
  }
  await until('all are in health', said, { within: seconds(60) })
}

export async function seesState(at: Member, other: Member, state: string, within = seconds(60)): Promise<void> {
  const seen = async (): Promise<unknown> => (await at.sees(other))?.state === state || at.status()
  await until(`${at.host.name} sees ${other.host.name} ${state}`, seen, { within })
}
