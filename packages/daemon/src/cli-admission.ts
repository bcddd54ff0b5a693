/** The commands that admit hosts to a mesh and end their membership. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { collect, controlOption, passphraseOption, print, printSecret } from './cli-parts.ts'
import { DEFAULTS } from './defaults.ts'
import type { RawInviteOptions } from './invites.ts'
import type { JoinPlace } from './join.ts'
import type { RevokeOptions } from './revoke.ts'

const INVITE_HELP = `
The invite goes to standard output, for "vxmesh join -" on the new host, or a file for "vxmesh up --invite"; it is a secret.
Bound to a name or to networks, whoever comes by it may claim nothing else, and nobody may claim that name.`

export function addInvite(vxmesh: Command): void {
  vxmesh
    .command('invite')
    .description('make an invite with the key of the mesh, for one host or for many')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .option('--for <peer>', 'the only host that may use it: what "vxmesh identity" says there')
    .option('--name <name>', 'what it must be called')
    .option('--address <cidr>', 'a network for its overlay addresses; may be repeated', collect, [])
    .option('--ttl <time>', 'until when it admits hosts, as 30m, 24h or 7d; 0 for no end', '24h')
    .option('--valid <time>', 'how long memberships by it last, from now; 0 for no end', '0')
    .option('--members <number>', 'how many hosts may use it; 0 for any number', '1')
    .option('--seed <host[:port]>', 'a member to begin with; may be repeated', collect, [])
    .addOption(passphraseOption())
    .addHelpText('after', INVITE_HELP)
    .action(async (raw: RawInviteOptions) => {
      const { makeInvite } = await import('./invites.ts')
      const { id, line } = await makeInvite(raw, Date.now())
      process.stderr.write(`invite ${id}; "vxmesh revoke --invite ${id}" takes it back\n`)
      printSecret(line)
    })
  vxmesh
    .command('invites')
    .description('list the invites that were made with "vxmesh invite", and, where a daemon answers, how many came by each')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .addOption(controlOption())
    .action(async ({ dir, control }: { readonly dir: string; readonly control: string }) => {
      const { listInvites } = await import('./invites.ts')
      const { running } = await import('./join.ts')
      for (const line of listInvites(dir, Date.now(), await running(control))) print(line)
    })
}

export function addJoin(vxmesh: Command): void {
  vxmesh
    .command('join')
    .description('take an invite: from then on "vxmesh up" needs none; where a daemon runs, it takes a fresh one up without restart')
    .argument('<invite>', 'the invite, a file that holds it, or - to read it from standard input')
    .option('--state-dir <directory>', 'where identity and memory are kept', DEFAULTS.stateDir)
    .addOption(controlOption())
    .action(async (given: string, place: JoinPlace) => {
      const { inviteIn, readInvite } = await import('./identity.ts')
      const { join } = await import('./join.ts')
      const invite =
        given === '-'
          ? inviteIn(readFileSync(0, 'utf8'), 'standard input')
          : given.startsWith('vxmesh-invite-')
            ? inviteIn(given, 'the invite')
            : readInvite(given)
      await join(invite, place, print)
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

export function addRevoke(vxmesh: Command): void {
  vxmesh
    .command('revoke')
    .description('end a membership by the key of the mesh, for ever, and wait until all live members enforce it')
    .argument('[member]', 'its name, or its peer id')
    .option('--invite <id>', 'an invite instead, and all who came by it; see "vxmesh invites"')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .addOption(passphraseOption())
    .option('--wait <seconds>', 'how long to wait for the others', '30')
    .addOption(controlOption())
    .addHelpText('after', REVOKE_HELP)
    .action(async (member: string | undefined, given: Omit<RevokeOptions, 'member' | 'invite'> & { readonly invite?: string }) => {
      const { revoke } = await import('./revoke.ts')
      await revoke({ ...given, member, invite: given.invite }, print)
    })
}
