#!/usr/bin/env -S node --max-semi-space-size=2 --initial-old-space-size=48 --heap-growing-percent=30
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Compiled code is kept with the packages, where only their owner writes; where it cannot be, every start compiles anew.
enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/vxmesh'))

// A pipe that closes early, as in `vxmesh status | head -1`, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const { runCli } = await import('./cli.ts')
process.exitCode = await runCli(process.argv.slice(2))
