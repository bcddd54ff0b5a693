/**
 * Real hosts without real machines: named network namespaces, joined by a switch, on the real kernel. Runs in a lab
 * (`scripts/lab`), whose own namespace is the switch; nothing here has a way out. Tests, demo and benchmarks share it.
 *
 *     await using net = await openSwitch()
 *     const bastion = await net.host('bastion', '192.168.226.4/24')
 *     const daemon = bastion.start(['vxmesh', 'up', …])
 *     await until('bastion listens', () => daemon.lines.some((line) => line.includes('listening')) || daemon.lines, { within: seconds(5) })
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { outcome, run, start, type Outcome, type Process } from './process.ts'

/** One namespace with one network card, `eth0`, in the switch. */
export type Host = {
  readonly name: string
  /** Its address on the switch, with the length of the network: `192.168.226.4/24`. */
  readonly underlay: string
  /** Runs a command there that must succeed; gives its standard output. */
  run(argv: readonly string[]): Promise<string>
  /** Runs a command there that may fail, and says how it ended. */
  outcome(argv: readonly string[]): Promise<Outcome>
  /** Starts a program there and returns at once. `env` is added to this process's environment. */
  start(argv: readonly string[], options?: { readonly env?: NodeJS.ProcessEnv }): Process
  /** A monitor of neighbours, from now on. `bridge monitor fdb`: its lines are every change of every FDB of this host, ours or not. */
  monitor(argv?: readonly string[]): Promise<Process>
  /** As if the host lost its power or its cable: no packet passes, nobody is told. */
  linkDown(): Promise<void>
  linkUp(): Promise<void>
}

export type Switch = AsyncDisposable & {
  /** Plugs a new host in. Its name also names its namespace and is at most 10 characters long. */
  host(name: string, underlay: string): Promise<Host>
  /** Kills everything that runs on the hosts, and removes hosts and switch. */
  readonly dispose: () => Promise<void>
}

const BRIDGE = 'sw0'

/** Makes the switch. There is one at a time in a lab. */
export async function openSwitch(): Promise<Switch> {
  await forbidWayOut()
  await run(['ip', 'link', 'add', 'name', BRIDGE, 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0'])
  await run(['ip', 'link', 'set', 'dev', BRIDGE, 'up'])
  const plugs: Plug[] = []
  const host = async (name: string, underlay: string): Promise<Host> => {
    const plug = await plugIn(name, underlay)
    plugs.push(plug)
    return plug.host
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(plugs.splice(0).map(unplug))
    await run(['ip', 'link', 'delete', 'dev', BRIDGE])
  }
  return { host, dispose, [Symbol.asyncDispose]: dispose }
}

/** A host, and all that was started there. */
type Plug = { readonly host: Host; readonly started: readonly Process[] }

/** A test that runs on the machine itself by mistake would change its network: refuse unless this is a lab. */
async function forbidWayOut(): Promise<void> {
  const routes = (await run(['ip', 'route', 'show', 'default'])) + (await run(['ip', '-6', 'route', 'show', 'default']))
  if (process.env['VXMESH_LAB'] === undefined || routes !== '') throw new Error('not in a lab: run this by scripts/lab')
}

async function plugIn(name: string, underlay: string): Promise<Plug> {
  const started: Process[] = []
  const port = portOf(name)
  const within = (argv: readonly string[]): readonly string[] => ['nsenter', `--net=/run/netns/${name}`, '--', ...argv]
  const there = async (...argv: readonly string[]): Promise<string> => run(within(argv))
  await run(['ip', 'netns', 'add', name])
  await run(['ip', 'link', 'add', 'name', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
  await run(['ip', 'link', 'set', 'dev', port, 'master', BRIDGE, 'up'])
  await there('ip', 'link', 'set', 'dev', 'lo', 'up')
  // Without duplicate address detection an IPv6 address works at once, as an IPv4 one does.
  await there('ip', 'address', 'add', underlay, 'dev', 'eth0', ...(underlay.includes(':') ? ['nodad'] : []))
  await there('ip', 'link', 'set', 'dev', 'eth0', 'up')
  // On a busy machine the cable is noticed some time after it is plugged in.
  await until('eth0 has its carrier', async () => !(await there('ip', 'link', 'show', 'dev', 'eth0')).includes('NO-CARRIER'), {
    within: seconds(30),
  })
  const begin = (argv: readonly string[], env?: NodeJS.ProcessEnv): Process => {
    const process = start(within(argv), env)
    started.push(process)
    return process
  }
  const host: Host = {
    name,
    underlay,
    run: async (argv) => run(within(argv)),
    outcome: async (argv) => outcome(within(argv)),
    start: (argv, options) => begin(argv, { ...process.env, ...options?.env }),
    monitor: async (argv = ['bridge', 'monitor', 'fdb']) => {
      const monitor = begin(argv)
      await until(`${name}: ${argv.join(' ')} listens`, async () => hearsNeighbours(monitor.pid), { within: seconds(10) })
      return monitor
    },
    linkDown: async () => void (await run(['ip', 'link', 'set', 'dev', port, 'down'])),
    linkUp: async () => void (await run(['ip', 'link', 'set', 'dev', port, 'up'])),
  }
  return { host, started }
}

async function unplug({ host: { name }, started }: Plug): Promise<void> {
  // One that was started a moment ago may not have entered the namespace yet; one that was left behind by a killed
  // program is known to no handle. So both: every handle, and then whoever is found there.
  for (const process of started) process.signal('SIGKILL')
  await until(
    `${name} is empty`,
    async () => {
      const pids = (await run(['ip', 'netns', 'pids', name])).split('\n').filter((pid) => pid !== '')
      for (const pid of pids) kill(Number(pid))
      return pids.length === 0 || pids
    },
    { within: seconds(10) },
  )
  await Promise.all(started.map(async ({ exit }) => exit))
  // The veth would go with the namespace, but some time later.
  await run(['ip', 'link', 'delete', 'dev', portOf(name)])
  await run(['ip', 'netns', 'delete', name])
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Device names end at 15 characters. */
function portOf(host: string): string {
  return `port-${host}`.slice(0, 15)
}

/**
 * Whether a monitor hears what the kernel says. Having subscribed is not enough: it then reads the list of devices
 * from the same socket and throws away every event that comes in between. Only when it sleeps has it begun to listen.
 */
async function hearsNeighbours(pid: number): Promise<true | string> {
  const RTMGRP_NEIGH = 0x4
  const sockets = await readFile(`/proc/${String(pid)}/net/netlink`, 'utf8')
  const subscribed = sockets.split('\n').some((line) => {
    const [, protocol, portId, groups] = line.trim().split(/\s+/)
    return protocol === '0' && portId === String(pid) && (Number.parseInt(groups ?? '0', 16) & RTMGRP_NEIGH) !== 0
  })
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8')
  return (subscribed && /^State:\s+S/m.test(status)) || `${sockets}${status}`
}

/** Looking starts programs, which take from two cores what the daemons need that are waited for. */
const POLL_INTERVAL = milliseconds(100)

/**
 * Polls until `condition` answers true; anything else is what it saw instead, and the last one is part of the failure.
 * A condition that throws has not been met yet. Gives how long it took.
 */
export async function until(
  what: string,
  condition: () => unknown,
  { within, every = POLL_INTERVAL }: { readonly within: Duration; readonly every?: Duration },
): Promise<number> {
  const start = performance.now()
  for (;;) {
    const seen = await attempt(condition)
    const took = performance.now() - start
    if (seen === true) return took
    if (took > within) throw new Error(`not within ${String(within)} ms: ${what}\nlast seen: ${shown(seen)}`)
    await wait(every)
  }
}

async function attempt(condition: () => unknown): Promise<unknown> {
  try {
    return await condition()
  } catch (error) {
    return error instanceof Error ? error.message : error
  }
}

function shown(seen: unknown): string {
  return typeof seen === 'string'
    ? seen
    : Array.isArray(seen) && seen.every((line) => typeof line === 'string')
      ? `\n${seen.slice(-40).join('\n')}`
      : JSON.stringify(seen, null, 2)
}
