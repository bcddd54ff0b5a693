/** The commands that make the key of the mesh, give it away for a backup, and put another in its place. */
import type { Command } from 'commander'
import { controlOption, passphraseOption, print, printSecret } from './cli-parts.ts'
import type { KeyPlace } from './meshkey.ts'
import type { RotateOptions } from './rotate.ts'

const INIT_HELP = `
Under a passphrase mesh.key is of no use to whoever copies it; "vxmesh invite", "revoke" and "key" then need the passphrase.
It is never taken from the command line or the environment. Who forgets it must begin a new mesh.`

export function addInit(vxmesh: Command): void {
  vxmesh
    .command('init')
    .description('make a mesh: its key, and one invite for all its hosts')
    .option('--dir <directory>', 'where to put them', '.')
    .option('--ask-passphrase', 'keep the key under a passphrase, which is asked for')
    .option('--passphrase-file <file>', 'keep the key under the passphrase in this file, - for standard input')
    .addHelpText('after', INIT_HELP)
    .action(async ({ dir, askPassphrase, passphraseFile }: KeyPlace & { readonly askPassphrase?: true }) => {
      const { parsePath } = await import('./options.ts')
      const { initMesh } = await import('./meshkey.ts')
      const { newPassphrase } = await import('./passphrase.ts')
      const wanted = askPassphrase === true || passphraseFile !== undefined
      const passphrase = async () => (wanted ? newPassphrase(passphraseFile) : undefined)
      const { mesh, keyFile, inviteFile } = await initMesh(parsePath({ code: 'USAGE', where: '--dir' }, dir), passphrase)
      print(`mesh ${mesh}`)
      print(`${keyFile}: the key of the mesh${wanted ? ', under the passphrase' : ''}; no host needs it, keep it offline`)
      print(`${inviteFile}: admits hosts; copy it to each, for "vxmesh up --invite ${inviteFile}"`)
    })
}

const EXPORT_HELP = `
One line, and one for each time that it was rotated, to be kept as a file, and put back as mesh.key. A key under a passphrase stays under it, and is opened first, so
that the backup can be. A plain one goes out plain, or under the passphrase that --passphrase-file names.

Example: vxmesh key export > mesh.key.backup`

const ROTATE_HELP = `
A new key takes the place of the one in mesh.key by a statement that both sign; the old file is kept beside it. The daemon at
--control says it to the others, with a certificate made anew for each member, who take it up by themselves: no host has to be
visited, nothing restarts. Until the overlap is over invites and members by the key before hold as well, so that whoever is
away can be back by then; after it they do not. Broken off at any time, the same command goes on. Exit code 1 says that the
new key is not in force at all live members yet; the same command asks again.

Example: vxmesh key rotate --overlap 30d`

export function addKey(vxmesh: Command): void {
  const key = vxmesh.command('key').description('the key of the mesh').helpCommand(false)
  key
    .command('export')
    .description('print the key of the mesh, for a backup')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .addOption(passphraseOption())
    .addHelpText('after', EXPORT_HELP)
    .action(async (place: KeyPlace) => {
      const { exportKey } = await import('./meshkey.ts')
      printSecret(await exportKey(place))
      process.stderr.write('whoever has this may admit and revoke members; to put it back, make it the file mesh.key\n')
    })
  key
    .command('rotate')
    .description('put a new key in the place of the one in mesh.key, and wait until it is in force everywhere')
    .option('--dir <directory>', 'where the key of the mesh is', '.')
    .option('--overlap <time>', 'how long the key before holds as well', '30d')
    .option('--anew', 'begin another rotation though the last is under way')
    .addOption(passphraseOption())
    .option('--wait <seconds>', 'how long to wait for the others', '30')
    .addOption(controlOption())
    .addHelpText('after', ROTATE_HELP)
    .action(async (options: RotateOptions) => {
      const { rotateKey } = await import('./rotate.ts')
      await rotateKey(options, print, Date.now())
    })
}
