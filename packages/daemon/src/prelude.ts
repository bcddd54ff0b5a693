/** What is found out, and taken, before a daemon changes anything. */
import { accessSync, constants, existsSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import {
  addressRange,
  contains,
  hostOf,
  MeshError,
  parseIp,
  type Bounds,
  type IpAddress,
  type Kernel,
  type Mode,
  type Port,
} from '@vxmesh/core'
import { iproute2Kernel, MemoryHost, memoryKernel, missingCapability, missingForGuard } from '@vxmesh/kernel-adapter'
import { lock, type Lock } from './exclusive.ts'
import type { UpOptions } from './options.ts'
import { inWordsOf, memberPlace, tunnelPlace, type Place } from './source.ts'
import type { TunnelOptions } from './tunnel-options.ts'

/** Where a daemon whose kernel is only in memory listens, and nowhere else: it plays, on one machine. */
export const LOOPBACK = loopback()

function loopback(): IpAddress {
  const address = parseIp('127.0.0.1')
  if (!address.ok) throw new Error(address.reason)
  return address.value
}

/** The kernel for tunnels of each kind. */
export type Kernels = (mode: Mode) => Kernel

/** The kernel to work on. Throws `NOT_PERMITTED` when this process could not. */
export async function makeKernels(options: UpOptions): Promise<Kernels> {
  const missing = options.kernel === 'memory' ? undefined : await missingCapability()
  if (missing !== undefined) throw new MeshError({ code: 'NOT_PERMITTED', reason: missing })
  const lacking = options.guard && options.kernel !== 'memory' ? await missingForGuard() : undefined
  if (lacking !== undefined)
    throw new MeshError({ code: 'NOT_PERMITTED', reason: `${memberPlace(options.source, 'guard').where}: ${lacking}` })
  return kernelsFor(options)
}

/** The kernel to look at, whether this process may change it or not. */
export function kernelsFor({ kernel, tunnels }: UpOptions): Kernels {
  if (kernel === 'iproute2') return iproute2Kernel
  const locals = new Set(tunnels.flatMap(({ local }) => local ?? []))
  const memory = memoryKernel(new MemoryHost({ addresses: [...locals].map((address) => ({ address, interface: 'memory0', mtu: 1500 })) }))
  return () => memory
}

/** The tunnels with the addresses that their `local` stands for. Throws `CONFIG_INVALID` when an interface that one names has none. */
export async function withLocals(kernels: Kernels, options: UpOptions): Promise<UpOptions> {
  const tunnels: TunnelOptions[] = []
  for (const tunnel of options.tunnels) tunnels.push(await inItsWords(options, tunnel, async () => withLocal(kernels, tunnel)))
  return { ...options, tunnels }
}

async function withLocal(kernels: Kernels, tunnel: TunnelOptions): Promise<TunnelOptions> {
  const { localInterface, device, mode } = tunnel
  if (localInterface === undefined) return tunnel
  const named = (await kernels(mode).interfaces(device)).find(({ name }) => name === localInterface)
  const local = named?.addresses.find((address) => addressRange(address) === 'usable')
  if (local !== undefined) return { ...tunnel, local }
  const reason = named === undefined ? 'no interface of this host, and no address' : 'it has no address to send from'
  throw new MeshError({ code: 'CONFIG_INVALID', where: `--local ${localInterface}`, reason: `${reason}; see "ip address show"` })
}

/** Does what concerns one tunnel, and says of what is wrong with it where that was asked for. */
export async function inItsWords<Value>({ source }: UpOptions, { device }: TunnelOptions, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act()
  } catch (error) {
    throw inWordsOf(source, error, device)
  }
}

/** Finds out before anything is changed whether the daemon could listen where it is told to. */
export async function checkListening(options: UpOptions): Promise<void> {
  const { kernel, port, tunnels } = options
  if (kernel === 'memory') return checkAddress(LOOPBACK, port)
  const tried = new Set<IpAddress | undefined>([undefined])
  for (const tunnel of tunnels) {
    const { local } = tunnel
    if (local !== undefined && !tried.has(local)) await inItsWords(options, tunnel, async () => checkAddress(local, port))
    tried.add(local)
  }
}

async function checkAddress(address: IpAddress, port: Port): Promise<void> {
  const error = await listeningTrouble(address, port)
  if (error === undefined) return
  const absent = error.code === 'EADDRNOTAVAIL'
  const where = absent ? `--local ${address}` : `--port ${String(port)}`
  const reason = absent ? 'not an address of this host; see "ip address show"' : `cannot listen on ${address}: ${error.message}`
  throw new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause: error })
}

/** Why nobody could listen there now; undefined when somebody could. */
export async function listeningTrouble(address: IpAddress, port: Port): Promise<NodeJS.ErrnoException | undefined> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', resolve)
    probe.listen({ host: address, port }, () => {
      probe.close(() => {
        resolve(undefined)
      })
    })
  })
}

/** Refuses what no other member would accept. */
export function keepWithin({ name, addresses }: Bounds, { name: ownName, tunnels, source }: UpOptions): void {
  const refuse = ({ where }: Place, text: string, reason: string): never => {
    throw new MeshError({ code: 'CONFIG_INVALID', where: `${where} ${text}`, reason })
  }
  if (name !== undefined && name !== ownName)
    refuse(memberPlace(source, 'name'), ownName, `the invite of this host is for the name ${name}`)
  for (const tunnel of addresses.length === 0 ? [] : tunnels) {
    const outside = tunnel.addresses.find((address) => !addresses.some((network) => contains(network, hostOf(address))))
    if (outside !== undefined)
      refuse(tunnelPlace(source, tunnel.device, 'addresses'), outside, `the invite of this host is for ${addresses.join(', ')}`)
  }
}

/** One daemon for one state directory: it is one member, and writes its files alone. */
export async function lockState({ stateDir }: UpOptions): Promise<Lock> {
  return lock(join(stateDir, 'lock'), { what: `the state directory ${stateDir}`, flag: `--state-dir ${stateDir}` })
}

/** One daemon for one device in one network namespace, as far as the kernel is real. */
export async function lockDevice({ control, kernel }: UpOptions, { device }: TunnelOptions): Promise<Lock> {
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
