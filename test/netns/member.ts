/** A mesh member on a host of the harness: the real daemon, driven by the command line alone, as an operator would. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { seconds, type Duration } from '@vxmesh/core'
import { statusAnswer, type MemberRow, type StatusReport } from '@vxmesh/daemon'
import { z } from 'zod'
import { until, type Host } from './harness.ts'
import { outcome, run, start, type Outcome, type Process } from './process.ts'

/** The program: what scripts/test has built, or the sources as they are. */
export const MAIN = process.env['VXMESH_MAIN'] ?? join(import.meta.dirname, '../../packages/daemon/src/main.ts')
const VXMESH = ['node', '--max-semi-space-size=2', '--initial-old-space-size=48', '--heap-growing-percent=30', MAIN] as const

/** A directory for one test, with the mesh key and the invite in it. */
export type Mesh = AsyncDisposable & { readonly directory: string; readonly invite: string }

export async function initMesh(parent = tmpdir()): Promise<Mesh> {
  const directory = await mkdtemp(join(parent, 'vxmesh-'))
  await run([...VXMESH, 'init', '--dir', directory])
  const dispose = async (): Promise<void> => rm(directory, { recursive: true, force: true })
  return { directory, invite: join(directory, 'mesh.invite'), [Symbol.asyncDispose]: dispose }
}

/** What of a host a member needs: where its commands run. */
export type Place = Pick<Host, 'name' | 'underlay' | 'run' | 'outcome' | 'start'>

export type Member<At extends Place = Host> = {
  readonly host: At
  readonly underlay: string
  readonly stateDirectory: string
  readonly control: string
  readonly overlayFlags: readonly string[]
  /** `vxmesh up` with what suits this host, and `flags` after that. The device is made, or adopted, as things are. */
  up(...flags: readonly string[]): Process
  /** `vxmesh up` with a file of this content, beside the mesh's invite, and nothing of what suits this host but its places. */
  carry(config: string): Promise<Process>
  /** Any command of the CLI on this host, with its control socket. */
  vxmesh(...args: readonly string[]): Promise<Outcome>
  status(): Promise<StatusReport>
  /** The zero-MAC destinations in this host's kernel, sorted. */
  flood(device?: string): Promise<readonly string[]>
  /** How this host sees another. */
  sees(other: Member<Place>): Promise<MemberRow | undefined>
  pings(address: string): Promise<boolean>
}

export const DEVICE = 'provider0'

const VXLAN: readonly string[] = ['--mode', 'vxlan', '--id', '16']

const fdb = z.array(z.object({ mac: z.string(), dst: z.string().optional() }))

/**
 * @param found whether it looks for others on the LAN, and is found there: most stories are about members that know where
 * to begin, and would be told by chance otherwise
 */
export function member<At extends Place>(
  mesh: Mesh,
  host: At,
  overlay: string | undefined,
  tunnel = VXLAN,
  found: 'by seeds' | 'on the LAN' = 'by seeds',
): Member<At> {
  const underlay = host.underlay.replace(/\/.*/, '')
  const stateDirectory = join(mesh.directory, host.name)
  const control = join(mesh.directory, `${host.name}.sock`)
  const overlayFlags = overlay === undefined ? [] : ['--address', overlay]
  const discoverFlags = found === 'by seeds' ? ['--discover', 'off'] : []
  const vxmesh = async (...args: readonly string[]): Promise<Outcome> => host.outcome([...VXMESH, ...args, '--control', control])
  // What `vxmesh status --json` prints, without a process for every look: tests poll it.
  const status = async (): Promise<StatusReport> => statusAnswer.parse(JSON.parse((await http(control, 'GET', '/v1/status')).body))
  return {
    host,
    underlay,
    stateDirectory,
    control,
    overlayFlags,
    vxmesh,
    status,
    up: (...flags) =>
      host.start([
        ...VXMESH,
        ...['up', '--invite', mesh.invite, '--device', DEVICE, ...tunnel, '--local', underlay, ...overlayFlags],
        ...['--state-dir', stateDirectory, '--control', control, '--name', host.name, ...discoverFlags, ...flags],
      ]),
    async carry(config) {
      const file = join(mesh.directory, `${host.name}.yaml`)
      await writeFile(file, `invite: mesh.invite\nname: ${host.name}\nstate-dir: ${host.name}\n${config}`)
      return host.start([...VXMESH, 'up', '--config', file, '--control', control, ...discoverFlags])
    },
    async flood(device = DEVICE) {
      const entries = fdb.parse(JSON.parse(await host.run(['bridge', '-json', 'fdb', 'show', 'dev', device])))
      return entries.flatMap(({ mac, dst }) => (mac === '00:00:00:00:00:00' && dst !== undefined ? [dst] : [])).toSorted()
    },
    async sees(other) {
      const { members } = await status()
      return members.find(({ name }) => name === other.host.name)
    },
    pings: async (target) => (await host.outcome(['ping', '-c', '1', '-W', '1', target])).code === 0,
  }
}

/** Waits until a daemon says that its device is up: it knows its mesh by then, or is about to. */
export async function started(daemon: Process): Promise<void> {
  const up = (): boolean => messages(daemon).some((line) => line.includes(' is up: '))
  await until('a daemon says that its device is up', () => up() || messages(daemon), { within: seconds(30) })
}

/** A request to a control socket, as curl would make it. Sockets are files, and files are the same on every host here. */
export async function http(
  control: string,
  method: string,
  path: string,
  body = '',
): Promise<{ readonly code: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': body.length }
    const outgoing = request({ socketPath: control, method, path, headers, timeout: 10_000 }, (incoming) => {
      resolve(text(incoming).then((answer) => ({ code: incoming.statusCode ?? 0, body: answer })))
    })
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')))
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** This machine in the place of a host: for daemons whose kernel is in memory. What it started ends with `dispose`. */
export function localHost(name: string, underlay: string): Place & { dispose(): Promise<void> } {
  const started: Process[] = []
  return {
    name,
    underlay,
    run,
    outcome,
    start(argv, options) {
      const made = start(argv, { ...process.env, ...options?.env })
      started.push(made)
      return made
    },
    async dispose() {
      for (const each of started) each.signal('SIGTERM')
      await Promise.all(started.map(async ({ exit }) => exit))
    },
  }
}

/** Waits until each of these members' kernels floods to exactly the others. */
export async function converged(members: readonly Member[], within: Duration = seconds(60)): Promise<number> {
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

const entry = z.object({ time: z.string(), event: z.string(), operation: z.string().optional(), entry: z.string().optional() })

/** When, by the log of a daemon, something first happened. */
export function when(daemon: Process, is: (line: z.infer<typeof entry>) => boolean): number | undefined {
  return daemon.lines
    .map((text) => entry.safeParse(text.startsWith('{') ? JSON.parse(text) : undefined))
    .flatMap(({ data }) => (data !== undefined && is(data) ? [Date.parse(data.time)] : []))[0]
}

/** How many members a restart would find in the state directory. */
export async function savedRecords({ stateDirectory }: Member): Promise<number> {
  const saved = z.object({ records: z.array(z.string()) })
  return saved.parse(JSON.parse(await readFile(join(stateDirectory, 'view.json'), 'utf8'))).records.length
}

export async function modeOf(path: string): Promise<string> {
  return (await run(['stat', '--format', '%a', path])).trim()
}
