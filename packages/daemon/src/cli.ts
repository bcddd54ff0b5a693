/** The command line: what people type, and the exit codes that scripts read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { MeshError, printable, printableJson, unreachable, type Failure } from '@vxmesh/core'
import { z } from 'zod'
import { addInvite, addJoin, addRevoke } from './cli-admission.ts'
import { addInit, addKey } from './cli-key.ts'
import { collect, controlOption, print, typedOnly } from './cli-parts.ts'
import { ask, endOf } from './client.ts'
import { leaveAnswer, planAnswer, statusAnswer, type PlanReport } from './answers.ts'
import { DEFAULTS } from './defaults.ts'
import type { RawUpOptions } from './options.ts'
import { entryCount, renderStatus } from './report.ts'

/** Exit codes, after sysexits.h where it has one. */
const EXIT = { ok: 0, failed: 1, usage: 2, noDaemon: 3, taken: 75, notPermitted: 77, config: 78, differs: 2 } as const

/** What `vxmesh up` was given. */
type UpFlags = RawUpOptions & { readonly config?: string; readonly dryRun?: true }

/** What a command that did what it should has to say by its exit code. */
type Outcome = { code: number }

/** Runs one command line, prints what there is to say, and returns the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    const outcome: Outcome = { code: EXIT.ok }
    const vxmesh = program(outcome)
    await vxmesh.parseAsync(withCommand(vxmesh, args), { from: 'user' })
    return outcome.code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (!(error instanceof MeshError)) throw error
    process.stderr.write(`vxmesh: ${error.message}\n`)
    return exitCode(error.failure)
  }
}

/** What the program itself answers; any other flag in the place of a command is one of status. */
const OWN_FLAGS = ['-h', '--help', '-V', '--version']

/** What was typed, with the command that was meant if none was named. */
function withCommand(vxmesh: Command, args: readonly string[]): readonly string[] {
  const [first = '--', second] = args
  // Of help for what is no command, commander makes help for everything.
  if (first === 'help' && second !== undefined && !vxmesh.commands.some((command) => command.name() === second)) return [second]
  return first.startsWith('-') && !OWN_FLAGS.includes(first) ? ['status', ...args] : args
}

function exitCode(failure: Failure): number {
  switch (failure.code) {
    case 'USAGE':
      return EXIT.usage
    case 'NO_DAEMON':
      return EXIT.noDaemon
    case 'ALREADY_RUNNING':
      return EXIT.taken
    case 'NOT_PERMITTED':
      return EXIT.notPermitted
    case 'CONFIG_INVALID':
      return EXIT.config
    case 'UNFINISHED':
    case 'KERNEL_REFUSED':
    case 'KERNEL_UNREADABLE':
      return EXIT.failed
    default:
      return unreachable(failure)
  }
}

function program(outcome: Outcome): Command {
  const vxmesh = new Command('vxmesh')
    .description('Multipoint VXLAN and GRE tunnels that build and mend themselves.')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`vxmesh: ${oneLine(text)}\n`) })
    .showHelpAfterError(false)
    .helpCommand('help [command]', 'show the flags of a command')
    .version(version(), '-V, --version', 'show the version')
    .addHelpText('after', EXIT_HELP)
  addInit(vxmesh)
  addUp(vxmesh, outcome)
  addStatus(vxmesh)
  addLeave(vxmesh)
  addPlan(vxmesh, outcome)
  addExport(vxmesh)
  addInvite(vxmesh)
  addJoin(vxmesh)
  addRevoke(vxmesh)
  addKey(vxmesh)
  return vxmesh
}

const EXIT_HELP = `
Exit codes: 0 done, 1 not done, or not everywhere yet, 2 wrong usage, 3 no daemon answers, 75 already running,
77 not permitted or not installed, 78 wrong configuration. On 2, 75, 77 and 78 nothing was changed.`

const UP_HELP = `
The device is made if there is none, or adopted if it is of the same kind and id or key. Stopped by SIGTERM, the daemon leaves
the device and its entries as they are and tells nobody anything; only "vxmesh leave" ends a membership.

Example, on the first host and on any other:
  vxmesh up --invite mesh.invite --device provider0 --id 16 --local 192.168.226.4 --address 192.168.234.1/23
  vxmesh up --invite mesh.invite --device provider0 --id 16 --local 192.168.226.5 --address 192.168.234.2/23 --seed 192.168.226.4
Members on one LAN find each other without --seed, by multicast DNS.

Several tunnels are asked for in a file, YAML in the words of netplan; none is read that is not named by --config:
  invite: mesh.invite             # paths are from the directory of the file
  seeds: [192.168.226.4]          # and discover, name, state-dir, control, port, log-level, guard, underlay: as the flags, which go before it
  tunnels:
    provider0: { mode: vxlan, id: 16, local: 192.168.226.5, addresses: [192.168.234.2/23], port: 4789 }
    provider1: { mode: gre, key: 1234, local: eth1, addresses: [192.168.240.2/24] }`

function addUp(vxmesh: Command, outcome: Outcome): void {
  vxmesh
    .command('up')
    .description('be a member: carry tunnels and keep their entries, until stopped')
    .option('--invite <file>', 'the invite to the mesh; needed at the first start only')
    .option('--config <file>', 'the member and its tunnels: a file in the place of flags')
    .option('--device <name>', 'the device of the tunnel; needed without --config')
    .option('--mode <mode>', 'the kind of tunnel: vxlan or gre', DEFAULTS.mode)
    .option('--id <number>', 'the VXLAN id; needed for one')
    .option('--key <number>', 'the key of a GRE tunnel (default: none)')
    .option('--local <address>', 'the underlay address of this host, or the interface that has it; needed to make the device')
    .option('--address <cidr>', 'an overlay address for the device; may be repeated', collect, [])
    .option('--seed <host[:port]>', 'a member to begin with: a host, host:port or multiaddr; may be repeated', collect, [])
    .option(
      '--discover <interface>',
      'where to look for members on the LAN, or off; may be repeated (default: where there is one)',
      collect,
      [],
    )
    .option('--name <name>', 'what the others call this member (default: the host name)')
    .option('--port <port>', 'TCP port for the other members', DEFAULTS.port)
    .option('--vxlan-port <port>', 'UDP port of the tunnel (default: 4789, or what the device has)')
    .option('--mtu <mtu>', 'mesh: the smallest of all members; or bytes (default: what the underlay has room for)')
    .option('--master <bridge>', 'put the device into this bridge, which must exist: of Linux, or of Open vSwitch')
    .option('--guard <guard>', 'on: take in only what members send, by nftables; or off', DEFAULTS.guard)
    .option(
      '--underlay <cidr>',
      'a network that underlay addresses of members are in; others are never sent to; may be repeated (default: any)',
      collect,
      [],
    )
    .option('--state-dir <directory>', 'where identity and memory are kept', DEFAULTS.stateDir)
    .addOption(controlOption())
    .option('--log-level <level>', 'error, warn, info or debug', DEFAULTS.logLevel)
    .addOption(
      new Option('--kernel <kernel>', 'iproute2, or memory: try it out on loopback, without touching any kernel').default(DEFAULTS.kernel),
    )
    .option('--dry-run', 'print what would be done, as "vxmesh plan" does, and do nothing')
    .addHelpText('after', UP_HELP)
    .action(async ({ dryRun, config, ...raw }: UpFlags, command: Command) => {
      // What only a daemon needs is loaded only for one: `vxmesh status` should answer at once.
      const options =
        config === undefined
          ? (await import('./options.ts')).parseUpOptions(raw)
          : (await import('./config.ts')).readConfig(config, typedOnly(raw, command))
      if (dryRun === true) {
        const { foresee } = await import('./foresight.ts')
        return printPlan(await foresee(options), outcome)
      }
      const { runDaemon } = await import('./daemon.ts')
      await runDaemon(options)
    })
}

function addStatus(vxmesh: Command): void {
  vxmesh
    .command('status')
    .description('show the members and the entries in the kernel (the default command)')
    .addOption(controlOption())
    .addOption(new Option('-j, --json', 'print one versioned JSON object').conflicts('metrics'))
    .option('--metrics', 'print the numbers in it in the text format of Prometheus')
    .action(async ({ control, json, metrics }: { readonly control: string; readonly json?: true; readonly metrics?: true }) => {
      const report = await ask(control, 'GET', '/v1/status', statusAnswer)
      if (metrics === true) {
        const { renderMetrics } = await import('./metrics.ts')
        return print((await renderMetrics(report)).trimEnd())
      }
      print(json === true ? printableJson(report, 2) : renderStatus(report))
    })
}

function addLeave(vxmesh: Command): void {
  vxmesh
    .command('leave')
    .description('leave the mesh: the others remove our entry at once, we remove ours, and the daemon ends')
    .addOption(controlOption())
    .action(async ({ control }: { readonly control: string }) => {
      const ended = endOf(control)
      const { devices, ...only } = await ask(control, 'POST', '/v1/leave', leaveAnswer)
      for (const { device, removed } of devices.length === 0 ? [only] : devices) {
        print(`left the mesh; ${entryCount(removed)} removed from ${device}`)
        print(`${device} itself stays; remove it with: ip link delete dev ${device}`)
      }
      await ended()
      print('to come back: "vxmesh up" with the same flags')
    })
}

const PLAN_HELP = `
Nothing is changed. Exit code 0: nothing is to be done; 2: something is. Lines that begin with # are not done now, or are
no commands. Without a daemon the answer comes from what the last one knew.`

function addPlan(vxmesh: Command, outcome: Outcome): void {
  vxmesh
    .command('plan')
    .description('print what would be done to the kernel now, as commands of ip, bridge and nft')
    .option('--state-dir <directory>', 'where to look when no daemon answers', DEFAULTS.stateDir)
    .option('-j, --json', 'print one versioned JSON object')
    .addOption(controlOption())
    .addHelpText('after', PLAN_HELP)
    .action(async ({ control, stateDir, json }: { readonly control: string; readonly stateDir: string; readonly json?: true }) => {
      const report = await planOf(control, stateDir)
      if (json !== true) return printPlan(report, outcome)
      print(printableJson(report, 2))
      outcome.code = report.commands.length === 0 ? EXIT.ok : EXIT.differs
    })
}

/** From the daemon, or, where none answers, from what the last one left. */
async function planOf(control: string, stateDir: string): Promise<PlanReport> {
  try {
    return await ask(control, 'GET', '/v1/plan', planAnswer)
  } catch (error) {
    if (!(error instanceof MeshError) || error.failure.code !== 'NO_DAEMON') throw error
    const { foreseeFrom } = await import('./foresight.ts')
    const report = await foreseeFrom(stateDir)
    if (report === undefined) throw error
    return report
  }
}

function printPlan({ device, devices, commands, hold }: PlanReport, outcome: Outcome): void {
  const nothing = devices.length > 1 ? `${devices.join(', ')} have what they should` : `${device} has what it should`
  if (commands.length === 0) print(`# nothing to do: ${nothing}`)
  for (const { command, held } of commands) print(held ? `# not now: ${command}` : command)
  if (commands.some(({ held }) => held)) print(`# ${hold ?? ''}`)
  outcome.code = commands.length === 0 ? EXIT.ok : EXIT.differs
}

function addExport(vxmesh: Command): void {
  vxmesh
    .command('export')
    .description('print what this host would be told by hand: its tunnels and their entries as a shell script')
    .option('--dir <directory>', 'write the files of all hosts there: shell script, systemd-networkd, netplan')
    .addOption(controlOption())
    .action(async ({ dir, control }: { readonly dir?: string; readonly control: string }) => {
      const { exportFiles, writeExport } = await import('./export.ts')
      const report = await ask(control, 'GET', '/v1/status', statusAnswer)
      const files = exportFiles(report)
      const own = files.filter(({ self, name }) => self && name.endsWith('.sh'))
      if (dir === undefined) print(own.map(({ content }) => content.trimEnd()).join('\n'))
      else for (const path of writeExport(dir, files)) print(path)
    })
}

function version(): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))).version
}

/** What commander complains of, without its prefix and its line breaks. */
function oneLine(text: string): string {
  return printable(
    text
      .replace(/^error: /, '')
      .trimEnd()
      .replaceAll('\n', ' '),
  )
}
