/** The command line: what people type, and the exit codes that scripts read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { MeshError, unreachable, type Failure } from '@vxmesh/core'
import { z } from 'zod'
import { ask } from './client.ts'
import { leaveAnswer, statusAnswer } from './answers.ts'
import { DEFAULTS } from './defaults.ts'
import type { RawUpOptions } from './options.ts'
import type { RawInviteOptions } from './invites.ts'
import type { RevokeOptions } from './revoke.ts'
import { entryCount, printable, renderStatus } from './report.ts'

/** Exit codes, after sysexits.h where it has one. */
const EXIT = { ok: 0, failed: 1, usage: 2, noDaemon: 3, taken: 75, notPermitted: 77, config: 78 } as const

/** Runs one command line, prints what there is to say, and returns the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    const vxmesh = program()
    await vxmesh.parseAsync(withCommand(vxmesh, args), { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (!(error instanceof MeshError)) throw error
    process.stderr.write(`vxmesh: ${printable(error.message)}\n`)
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

function program(): Command {
  const vxmesh = new Command('vxmesh')
    .description('Multipoint VXLAN tunnels that build and mend themselves.')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`vxmesh: ${oneLine(text)}\n`) })
    .showHelpAfterError(false)
    .helpCommand('help [command]', 'show the flags of a command')
    .version(version(), '-V, --version', 'show the version')
    .addHelpText('after', EXIT_HELP)
  addInit(vxmesh)
  addUp(vxmesh)
  addStatus(vxmesh)
  addLeave(vxmesh)
  addExport(vxmesh)
  addInvite(vxmesh)
  addJoin(vxmesh)
  addRevoke(vxmesh)
  return vxmesh
}

const EXIT_HELP = `
Exit codes: 0 done, 1 not done, or not everywhere yet, 2 wrong usage, 3 no daemon answers, 75 already running,
77 not permitted or not installed, 78 wrong configuration. On 2, 75, 77 and 78 nothing was changed.`

const UP_HELP = `
The device is made if there is none, or adopted if it is of the same kind and id. Stopped by SIGTERM, the daemon leaves
the device and its entries as they are and tells nobody anything; only "vxmesh leave" ends a membership.

Example, on the first host and on any other:
  vxmesh up --invite mesh.invite --device provider0 --id 16 --local 192.168.226.4 --address 192.168.234.1/23
  vxmesh up --invite mesh.invite --device provider0 --id 16 --local 192.168.226.5 --address 192.168.234.2/23 --seed 192.168.226.4`

function addInit(vxmesh: Command): void {
  vxmesh
    .command('init')
    .description('make a mesh: its key, and one invite for all its hosts')
    .option('--dir <directory>', 'where to put them', '.')
    .action(async ({ dir }: { readonly dir: string }) => {
      const { parsePath } = await import('./options.ts')
      const { initMesh } = await import('./identity.ts')
      const { mesh, keyFile, inviteFile } = await initMesh(parsePath('--dir', dir))
      print(`mesh ${mesh}`)
      print(`${keyFile}: the key of the mesh; no host needs it, keep it offline`)
      print(`${inviteFile}: admits hosts; copy it to each, for "vxmesh up --invite ${inviteFile}"`)
    })
}

function addUp(vxmesh: Command): void {
  vxmesh
    .command('up')
    .description('be a member: carry one tunnel and keep its entries, until stopped')
    .option('--invite <file>', 'the invite to the mesh; needed at the first start only')
    .option('--device <name>', 'the device of the tunnel; needed')
    .option('--mode <mode>', 'the kind of tunnel', DEFAULTS.mode)
    .option('--id <number>', 'the VXLAN id; needed')
    .option('--local <address>', 'the underlay address of this host, or the interface that has it; needed to make the device')
    .option('--address <cidr>', 'an overlay address for the device; may be repeated', collect, [])
    .option('--seed <host[:port]>', 'a member to begin with: a host, host:port or multiaddr; may be repeated', collect, [])
    .option('--name <name>', 'what the others call this member (default: the host name)')
    .option('--port <port>', 'TCP port for the other members', DEFAULTS.port)
    .option('--vxlan-port <port>', 'UDP port of the tunnel (default: 4789, or what the device has)')
    .option('--state-dir <directory>', 'where identity and memory are kept', DEFAULTS.stateDir)
    .addOption(controlOption())
    .option('--log-level <level>', 'error, warn, info or debug', DEFAULTS.logLevel)
    .addOption(
      new Option('--kernel <kernel>', 'iproute2, or memory: try it out on loopback, without touching any kernel').default(DEFAULTS.kernel),
    )
    .addHelpText('after', UP_HELP)
    .action(async (raw: RawUpOptions) => {
      // What only a daemon needs is loaded only for one: `vxmesh status` should answer at once.
      const { parseUpOptions } = await import('./options.ts')
      const options = parseUpOptions(raw)
      const { runDaemon } = await import('./daemon.ts')
      await runDaemon(options)
    })
}

function addStatus(vxmesh: Command): void {
  vxmesh
    .command('status')
    .description('show the members and the entries in the kernel (the default command)')
    .addOption(controlOption())
    .option('-j, --json', 'print one versioned JSON object')
    .action(async ({ control, json }: { readonly control: string; readonly json?: true }) => {
      const report = await ask(control, 'GET', '/v1/status', statusAnswer)
      print(json === true ? JSON.stringify(report, undefined, 2) : renderStatus(report))
    })
}

function addLeave(vxmesh: Command): void {
  vxmesh
    .command('leave')
    .description('leave the mesh: the others remove our entry at once, we remove ours, and the daemon ends')
    .addOption(controlOption())
    .action(async ({ control }: { readonly control: string }) => {
      const { device, removed } = await ask(control, 'POST', '/v1/leave', leaveAnswer)
      print(`left the mesh; ${entryCount(removed)} removed from ${device}`)
      print(`${device} itself stays; remove it with: ip link delete dev ${device}`)
      print('to come back: "vxmesh up" with the same flags')
    })
}

function addExport(vxmesh: Command): void {
  vxmesh
    .command('export')
    .description('print what this host would be told by hand: the tunnel and its entries as a shell script')
    .option('--dir <directory>', 'write the files of all hosts there: shell script, systemd-networkd, netplan')
    .addOption(controlOption())
    .action(async ({ dir, control }: { readonly dir?: string; readonly control: string }) => {
      const { exportFiles, writeExport } = await import('./export.ts')
      const report = await ask(control, 'GET', '/v1/status', statusAnswer)
      const files = exportFiles(report)
      if (dir === undefined) process.stdout.write(files.find(({ self, name }) => self && name.endsWith('.sh'))?.content ?? '')
      else for (const path of writeExport(dir, files)) print(path)
    })
}

const INVITE_HELP = `
The invite goes to standard output, for "vxmesh join -" on the new host, or a file for "vxmesh up --invite"; it is a secret.
Bound to a name or to networks, whoever comes by it may claim nothing else, and nobody may claim that name.`

function addInvite(vxmesh: Command): void {
  vxmesh
    .command('invite')
    .description('make an invite with the key of the mesh, for one host or for many')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .option('--for <peer>', 'the only host that may use it: what "vxmesh identity" says there')
    .option('--name <name>', 'what it must be called')
    .option('--address <cidr>', 'a network for its overlay addresses; may be repeated', collect, [])
    .option('--ttl <time>', 'until when it admits hosts, as 30m, 24h or 7d; 0 for no end', '24h')
    .option('--members <number>', 'how many hosts may use it; 0 for any number', '1')
    .option('--seed <host[:port]>', 'a member to begin with; may be repeated', collect, [])
    .addHelpText('after', INVITE_HELP)
    .action(async (raw: RawInviteOptions) => {
      const { makeInvite } = await import('./invites.ts')
      const { id, line } = await makeInvite(raw, Date.now())
      process.stderr.write(`invite ${id}; "vxmesh revoke --invite ${id}" takes it back\n`)
      print(line)
    })
  vxmesh
    .command('invites')
    .description('list the invites that were made with "vxmesh invite"')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .action(async ({ dir }: { readonly dir: string }) => {
      const { listInvites } = await import('./invites.ts')
      for (const line of listInvites(dir, Date.now())) print(printable(line))
    })
}

function addJoin(vxmesh: Command): void {
  vxmesh
    .command('join')
    .description('take an invite: from then on "vxmesh up" needs none')
    .argument('<invite>', 'the invite, a file that holds it, or - to read it from standard input')
    .option('--state-dir <directory>', 'where identity and memory are kept', DEFAULTS.stateDir)
    .action(async (given: string, { stateDir }: { readonly stateDir: string }) => {
      const { inviteIn, loadMembership, readInvite } = await import('./identity.ts')
      const invite =
        given === '-'
          ? inviteIn(readFileSync(0, 'utf8'), 'standard input')
          : given.startsWith('vxmesh-invite-')
            ? inviteIn(given, 'the invite')
            : readInvite(given)
      const { identity, mesh } = await loadMembership(stateDir, invite)
      print(`${identity.peer} may be a member of mesh ${mesh}; start it with: vxmesh up`)
    })
  vxmesh
    .command('identity')
    .description('show the peer id of this host, for "vxmesh invite --for"; made if there is none yet')
    .option('--state-dir <directory>', 'where identity and memory are kept', DEFAULTS.stateDir)
    .action(async ({ stateDir }: { readonly stateDir: string }) => {
      const { loadIdentity } = await import('./identity.ts')
      print((await loadIdentity(stateDir)).peer)
    })
}

const REVOKE_HELP = `
The other members hear of it at once, or as soon as they can be reached, and never forget it. An invite takes with it
everybody who came by it. Exit code 1 says that not all live members enforce it yet; the same command asks again.`

function addRevoke(vxmesh: Command): void {
  vxmesh
    .command('revoke')
    .description('end a membership by the key of the mesh, for ever, and wait until all live members enforce it')
    .argument('[member]', 'its name, or its peer id')
    .option('--invite <id>', 'an invite instead, and all who came by it; see "vxmesh invites"')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .option('--wait <seconds>', 'how long to wait for the others', '30')
    .addOption(controlOption())
    .addHelpText('after', REVOKE_HELP)
    .action(async (member: string | undefined, given: Omit<RevokeOptions, 'member' | 'invite'> & { readonly invite?: string }) => {
      const { revoke } = await import('./revoke.ts')
      await revoke({ ...given, member, invite: given.invite }, (line) => print(printable(line)))
    })
}

function version(): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))).version
}

function controlOption(): Option {
  return new Option('--control <path>', 'the control socket').default(DEFAULTS.control).env('VXMESH_CONTROL')
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

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
