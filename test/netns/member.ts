/** A mesh member on a host of the harness: the real daemon, driven by the command line alone, as an operator would. */
import { readFile } from 'node:fs/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seconds, type Duration } from '@vxmesh/core'
import type { MemberRow, StatusReport } from '@vxmesh/daemon'
import { until, type Host } from './harness.ts'
import { run, type Outcome, type Process } from './process.ts'

/** The command itself, without what `scripts/vxmesh` does to set a machine up. */
const VXMESH = ['node', join(import.meta.dirname, '../../packages/daemon/src/main.ts')] as const

/** A directory for one test, with the mesh key and the invite in it. */
export type Mesh = AsyncDisposable & { readonly directory: string; readonly invite: string }

export async function initMesh(): Promise<Mesh> {
  const directory = await mkdtemp(join(tmpdir(), 'vxmesh-'))
  await run([...VXMESH, 'init', '--dir', directory])
  const dispose = async (): Promise<void> => rm(directory, { recursive: true, force: true })
  return { directory, invite: join(directory, 'mesh.invite'), [Symbol.asyncDispose]: dispose }
}

export type Member = {
  readonly host: Host
  readonly underlay: string
  readonly stateDirectory: string
  readonly control: string
  /** `vxmesh up` with what suits this host, and `flags` after that. The device is made, or adopted, as things are. */
  up(...flags: readonly string[]): Process
  /** Any command of the CLI on this host, with its control socket. */
  vxmesh(...args: readonly string[]): Promise<Outcome>
  status(): Promise<StatusReport>
  /** The zero-MAC destinations in this host's kernel, sorted. */
  flood(): Promise<readonly string[]>
  /** How this host sees another. */
  sees(other: Member): Promise<MemberRow | undefined>
  pings(address: string): Promise<boolean>
}

export const DEVICE = 'provider0'

export function member(mesh: Mesh, host: Host, overlay: string | undefined): Member {
  const underlay = host.underlay.replace(/\/.*/, '')
  const stateDirectory = join(mesh.directory, host.name)
  const control = join(mesh.directory, `${host.name}.sock`)
  const address = overlay === undefined ? [] : ['--address', overlay]
  const vxmesh = async (...args: readonly string[]): Promise<Outcome> => host.outcome([...VXMESH, ...args, '--control', control])
  const status = async (): Promise<StatusReport> => {
    const { code, stdout, stderr } = await vxmesh('status', '--json')
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  return {
    host,
    underlay,
    stateDirectory,
    control,
    vxmesh,
    status,
    up: (...flags) =>
      host.start([
        ...VXMESH,
        ...['up', '--invite', mesh.invite, '--device', DEVICE, '--mode', 'vxlan', '--id', '16', '--local', underlay, ...address],
        ...['--state-dir', stateDirectory, '--control', control, '--name', host.name, ...flags],
      ]),
    async flood() {
      const entries: readonly { readonly mac: string; readonly dst?: string }[] = JSON.parse(
        await host.run(['bridge', '-json', 'fdb', 'show', 'dev', DEVICE]),
      )
      return entries.flatMap(({ mac, dst }) => (mac === '00:00:00:00:00:00' && dst !== undefined ? [dst] : [])).toSorted()
    },
    async sees(other) {
      const { members } = await status()
      return members.find(({ name }) => name === other.host.name)
    },
    pings: async (target) => (await host.outcome(['ping', '-c', '1', '-W', '1', target])).code === 0,
  }
}

/** Waits until each of these members' kernels floods to exactly the others. */
export async function converged(members: readonly Member[], within: Duration = seconds(20)): Promise<number> {
  return until(
    `${String(members.length)} hosts flood to each other`,
    async () => {
      const tables = await Promise.all(members.map(async (each) => each.flood()))
      const wanted = members.map((each) =>
        members
          .filter((other) => other !== each)
          .map(({ underlay }) => underlay)
          .toSorted(),
      )
      return (
        JSON.stringify(tables) === JSON.stringify(wanted) ||
        Object.fromEntries(members.map(({ host }, index) => [host.name, tables[index]]))
      )
    },
    { within },
  )
}

/** What a log in JSON says, line by line. */
export function messages(process: Process): readonly string[] {
  return process.lines.map((line) => {
    const parsed: unknown = line.startsWith('{') ? JSON.parse(line) : line
    return typeof parsed === 'object' && parsed !== null && 'msg' in parsed ? String(parsed.msg) : line
  })
}

export async function modeOf(path: string): Promise<string> {
  return (await run(['stat', '--format', '%a', path])).trim()
}

export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8')
}
