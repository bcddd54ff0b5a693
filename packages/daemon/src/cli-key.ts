/** The commands that make the key of the mesh, and give it away for a backup. */
import type { Command } from 'commander'
import { passphraseOption, print, printSecret } from './cli-parts.ts'
import type { KeyPlace } from './meshkey.ts'

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
One line, to be kept as a file, and put back as mesh.key. A key under a passphrase stays under it, and is opened first, so
that the backup can be. A plain one goes out plain, or under the passphrase that --passphrase-file names.

Example: vxmesh key export > mesh.key.backup`

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
}
