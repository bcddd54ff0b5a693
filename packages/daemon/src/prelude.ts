/** What is found out, and taken, before a daemon changes anything. */
import { accessSync, constants, mkdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { MeshError, type Kernel } from '@vxmesh/core'
import { iproute2Kernel, MemoryHost, memoryKernel, missingCapability } from '@vxmesh/kernel-adapter'
import { lock, type Lock } from './exclusive.ts'
import type { UpOptions } from './options.ts'

/** The kernel to work on; throws `NOT_PERMITTED` when this process could not. */
export async function makeKernel({ kernel, local }: UpOptions): Promise<Kernel> {
  if (kernel === 'memory') {
    const addresses = local === undefined ? [] : [{ address: local, interface: 'memory0', mtu: 1500 }]
    return memoryKernel(new MemoryHost({ addresses }))
  }
  const missing = await missingCapability()
  if (missing !== undefined) throw new MeshError({ code: 'NOT_PERMITTED', reason: missing })
  return iproute2Kernel()
}

/** Finds out before anything is changed whether the daemon could listen where it is told to. */
export async function checkListening({ local, port }: UpOptions): Promise<void> {
  if (local === undefined) return
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined
      const unavailable = code === 'EADDRNOTAVAIL'
      const where = unavailable ? `--local ${local}` : `--port ${String(port)}`
      const reason = unavailable ? 'not an address of this host; see "ip address show"' : `cannot listen on ${local}: ${error.message}`
      reject(new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause: error }))
    })
    probe.listen({ host: local, port }, () => {
      probe.close(() => {
        resolve()
      })
    })
  })
}

/** One daemon for one state directory, and, as far as the kernel is real, for one device in one network namespace. */
export async function takeLocks({ stateDir, control, device, kernel }: UpOptions): Promise<readonly Lock[]> {
  const state = await lock(join(stateDir, 'lock'), `the state directory ${stateDir}`)
  if (kernel === 'memory') return [state]
  const namespace = /[0-9]+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? ''
  try {
    return [state, await lock(join(runtimeDirectory(control), `${device}-${namespace}.lock`), `the device ${device}`)]
  } catch (error) {
    await state.release()
    throw error
  }
}

/** Where daemons of one machine find each other's locks: the same place for all that may write there. */
function runtimeDirectory(control: string): string {
  const common = '/run/vxmesh'
  try {
    mkdirSync(common, { recursive: true, mode: 0o700 })
    accessSync(common, constants.W_OK)
    return common
  } catch {
    return dirname(control)
  }
}
