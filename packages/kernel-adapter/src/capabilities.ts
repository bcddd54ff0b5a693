/** What this process needs from the machine, asked before anything is touched. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { family, MeshError, type TunnelSpec } from '@vxmesh/core'
import { TRY_TABLE } from './guard.ts'
import { ask, type Answer } from './iproute2.ts'
import { complaintOfNft, GRE, IP6GRE, VXLAN, without } from './outcome.ts'
import { version, type Command } from './render.ts'

/** capabilities(7): bit 12. */
const CAP_NET_ADMIN = 1n << 12n

/** One sentence that names what is missing and how to get it; undefined when nothing is. */
export async function missingCapability(): Promise<string | undefined> {
  return (await missingTool('ip')) ?? (await missingTool('bridge')) ?? missingNetAdmin(await readFile('/proc/self/status', 'utf8'))
}

/** The same of what a guard needs. */
export async function missingForGuard(): Promise<string | undefined> {
  const said = await installed(async () => ask(TRY_TABLE))
  if (typeof said === 'string' || said.ok) return typeof said === 'string' ? said : undefined
  return `nft cannot be used here: ${complaintOfNft(said.stderr)}`
}

/** What device a tunnel needs is unknown to a kernel that takes no modules and has it not built in; undefined where it may have it. */
export function missingKind({ mode, local }: Pick<TunnelSpec, 'mode' | 'local'>, root = '/'): string | undefined {
  const needed = mode === 'vxlan' ? VXLAN : local !== undefined && family(local) === 'ipv6' ? IP6GRE : GRE
  const shows = (path: string) => existsSync(join(root, path))
  // A /proc may show processes alone, and a /sys be none.
  if (!shows('proc/version') || !shows('sys/module')) return undefined
  return shows('proc/modules') || shows(`sys/module/${needed.module}`) ? undefined : without(needed)
}

async function missingTool(tool: Command['tool']): Promise<string | undefined> {
  const said = await installed(async () => ask(version(tool)))
  if (typeof said === 'string') return said
  return said.stdout.startsWith(`${tool} utility`) ? undefined : `${tool} is not the one of iproute2: install it (apt-get install iproute2)`
}

/** What a tool answers, or the sentence that says how to get it. */
async function installed(asked: () => Promise<Answer>): Promise<Answer | string> {
  try {
    return await asked()
  } catch (error) {
    if (error instanceof MeshError && error.failure.code === 'NOT_PERMITTED') return error.message
    throw error
  }
}

/**
 * Judges the text of /proc/self/status. It is the children, `ip` and `bridge`, that need the capability: those of root
 * have it, those of another user only by the ambient set, so `setcap` on the daemon's executable does not do.
 */
export function missingNetAdmin(status: string): string | undefined {
  const root = /^Uid:\s+\d+\s+0\s/m.test(status)
  if (has(status, 'CapEff') && (root || has(status, 'CapAmb'))) return undefined
  return 'CAP_NET_ADMIN is missing: run as root, or under systemd with AmbientCapabilities=CAP_NET_ADMIN'
}

function has(status: string, set: 'CapEff' | 'CapAmb'): boolean {
  const mask = new RegExp(`^${set}:\\s+([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & CAP_NET_ADMIN) !== 0n
}
