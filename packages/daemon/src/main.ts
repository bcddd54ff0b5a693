#!/usr/bin/env node
import { runCli } from './cli.ts'

// A pipe that closes early, as `vxmesh status | head` does, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await runCli(process.argv.slice(2))
