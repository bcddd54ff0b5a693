/** What is found out, and taken, before a daemon changes anything. */
import { accessSync, constants, existsSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { addressRange, MeshError, parseIp, type IpAddress, type Kernel } from '@vxmesh/core'
import { iproute2Kernel, MemoryHost, memoryKernel, missingCapability } from '@vxmesh/kernel-adapter'
import { lock, type Lock } from './exclusive.ts'
import type { UpOptions } from './options.ts'

/** Where a daemon whose kernel is only in memory listens, and nowhere else: it plays, on one machine. */
export const LOOPBACK = loopback()

function loopback(): IpAddress {
  const address = parseIp('127.0.0.1')
  if (!address.ok) throw new Error(address.reason)
  return address.value
}

/** The kernel to work on; throws `NOT_PERMITTED` when this process could not. */
export async function makeKernel({ kernel, local, mode }: UpOptions): Promise<Kernel> {
  if (kernel === 'memory') {
    const addresses = local === undefined ? [] : [{ address: local, interface: 'memory0', mtu: 1500 }]
    return memoryKernel(new MemoryHost({ addresses }))
  }
  const missing = await missingCapability()
  if (missing !== undefined) throw new MeshError({ code: 'NOT_PERMITTED', reason: missing })
  return iproute2Kernel(mode)
}

/** The options with the address that `--local` stands for. Throws `CONFIG_INVALID` when the interface it names has none. */
export async function withLocal(kernel: Kernel, options: UpOptions): Promise<UpOptions> {
  const { localInterface, device } = options
  if (localInterface === undefined) return options
  const named = (await kernel.interfaces(device)).find(({ name }) => name === localInterface)
  const local = named?.addresses.find((address) => addressRange(address) === 'usable')
  if (local !== undefined) return { ...options, local }
  const reason = named === undefined ? 'no interface of this host, and no address' : 'it has no address to send from'
  throw new MeshError({ code: 'CONFIG_INVALID', where: `--local ${localInterface}`, reason: `${reason}; see "ip address show"` })
}

/** Finds out before anything is changed whether the daemon could listen where it is told to. */
export async function checkListening({ local, kernel, port }: UpOptions): Promise<void> {
  const address = kernel === 'memory' ? LOOPBACK : local
  if (address === undefined) return
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined
      const unavailable = code === 'EADDRNOTAVAIL'
      const where = unavailable ? `--local ${address}` : `--port ${String(port)}`
      const reason = unavailable ? 'not an address of this host; see "ip address show"' : `cannot listen on ${address}: ${error.message}`
      reject(new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause: error }))
    })
    probe.listen({ host: address, port }, () => {
      probe.close(() => {
        resolve()
      })
    })
  })
}

/** One daemon for one state directory: it is one member, and writes its files alone. */
export async function lockState({ stateDir }: UpOptions): Promise<Lock> {
  return lock(join(stateDir, 'lock'), { what: `the state directory ${stateDir}`, flag: `--state-dir ${stateDir}` })
}

/** One daemon for one device in one network namespace, as far as the kernel is real. */
export async function lockDevice({ control, device, kernel }: UpOptions): Promise<Lock> {
  if (kernel === 'memory') return { release: async () => {} }
  const namespace = /[0-9]+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? ''
  const directory = runtimeDirectory(control)
  return lock(join(directory, `${device}-${namespace}.lock`), { what: `the device ${device}`, flag: `--device ${device}: ${directory}` })
}

/** Where daemons of one machine find each other's locks: the same place for all that may write there. */
function runtimeDirectory(control: string): string {
  const common = '/run/vxmesh'
  try {
    // It is made with the first lock that is put there.
    accessSync(existsSync(common) ? common : dirname(common), constants.W_OK)
    return common
  } catch {
    return dirname(control)
  }
}
