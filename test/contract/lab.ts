/** The real kernel for the contract, and what a person does to it. Only inside a lab, as (namespaced) root. */
import { once } from 'node:events'
import { execFile, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { parseDeviceName, sure, type DeviceName, type Entry, type Mode } from '@vxmesh/core'
import { describeTarget, iproute2Kernel } from '@vxmesh/kernel-adapter'
import { NARROW, OTHER, UNDERLAY, UNDERLAY_6, type ByHand, type Lab } from './setting.ts'

const run = promisify(execFile)

const UNDERLAYS = [
  'link add name under0 mtu 1500 type veth peer name under0p',
  'link add name under1 mtu 1400 type veth peer name under1p',
  ...['under0', 'under0p', 'under1', 'under1p'].map((device) => `link set dev ${device} up`),
  ...[UNDERLAY, OTHER].map((address) => `address add ${address}/24 dev under0`),
  `address add ${UNDERLAY_6}/64 dev under0 nodad`,
  `address add ${NARROW}/24 dev under1`,
]

/** What a test may leave behind. What is unreachable for the sake of a device outlives it. */
const LEFT = [
  ...['provider0', 'provider1', 'br0', 'br1'].map((device) => `link delete dev ${device}`),
  ...['192.168.234.0/24', '192.168.235.0/24', 'fd00:234::/65', 'fd00:234:0:0:8000::/65'].map(
    (network) => `route delete unreachable ${network} metric 4278198272`,
  ),
]

export async function makeLab(mode: Mode = 'vxlan'): Promise<Lab> {
  await refuseOutsideALab()
  await ip(...UNDERLAYS)
  const close = async (): Promise<void> => forced([...LEFT, ...['under0', 'under1'].map((device) => `link delete dev ${device}`)])
  return { ...bench(mode), close }
}

/** The same again and again, where it takes its time to make one: each test finds it without what the one before left behind. */
export async function lastingLab(mode: Mode): Promise<{ again(): Promise<Lab>; readonly dispose: () => Promise<void> }> {
  const { close } = await makeLab(mode)
  return { again: async () => watchingLate({ ...bench(mode), close: async () => forced(LEFT) }), dispose: close }
}

function bench(mode: Mode): Omit<Lab, 'close'> {
  return {
    kernel: iproute2Kernel(mode),
    plant: async (device, link) => ip(`link add name ${device} type ${kind(link)}`),
    write: async (device, entry) => (isBridged(entry) ? bridge(fdbLine('write', device, entry)) : ip(ipLine('write', device, entry))),
    erase: async (device, entry) => {
      const gone = isBridged(entry) ? bridge(fdbLine('erase', device, entry)) : ip(ipLine('erase', device, entry))
      await gone.catch(() => undefined)
    },
    readdress: async (device, mac) => ip(`link set dev ${device} address ${mac}`),
    ask: async (device) => ip(`link set dev ${device} arp on`, `link set dev ${device} arp off`),
    bridge: async (name, there) => ip(there ? `link add name ${name} type bridge` : `link delete dev ${name}`),
    enslave: async (device, master) => ip(`link set dev ${device} ${master === undefined ? 'nomaster' : `master ${master}`}`),
    wipe: async (device) => bridge(`fdb del to 00:00:00:00:00:00 dev ${device}`),
    give: async (device, address) => ip(`address add ${address} dev ${device}`),
    deleteDevice: async (device) => ip(`link delete dev ${device}`),
    takeDown: async (device) => ip(`link set dev ${device} down`),
    isUp: async (device) => /<.*\bUP\b.*>/.test((await inspect(device)) ?? ''),
    inspect,
  }
}

/** The same for a kernel that watches the device: there the tools are kept running. */
export async function watchedLab(mode: Mode = 'vxlan'): Promise<Lab> {
  return watching(await makeLab(mode))
}

function watching(lab: Lab): Lab {
  const watch = lab.kernel.watch(sure(parseDeviceName('provider0')), () => undefined)
  return {
    ...lab,
    close: async () => {
      await watch.close()
      await lab.close()
    },
  }
}

/** Watches when there is something to write or to read: a test that makes a device and no more need not have the tools started. */
function watchingLate(lab: Lab): Lab {
  let watched: Lab | undefined
  const late = (): Lab['kernel'] => (watched ??= watching(lab)).kernel
  return {
    ...lab,
    kernel: {
      ...lab.kernel,
      read: async (spec) => late().read(spec),
      attempt: async (device, operations) => late().attempt(device, operations),
    },
    close: async () => (watched ?? lab).close(),
  }
}

type Deed = 'write' | 'erase'
type Bridged = Entry & { readonly kind: 'flood' | 'fdb' }

function isBridged(entry: Entry): entry is Bridged {
  return entry.kind === 'flood' || entry.kind === 'fdb'
}

function fdbLine(deed: Deed, device: DeviceName, entry: Bridged): string {
  const [mac, write] = entry.kind === 'fdb' ? [entry.mac, 'replace'] : ['00:00:00:00:00:00', 'append']
  return `fdb ${deed === 'write' ? write : 'delete'} ${mac} ${describeTarget(entry)} dev ${device}`
}

function ipLine(deed: Deed, device: DeviceName, entry: Exclude<Entry, Bridged>): string {
  if (entry.kind === 'guard' || entry.kind === 'admitted') throw new Error('ip knows no guard')
  if (entry.kind === 'unreachable') return `route ${deed === 'write' ? 'add' : 'delete'} unreachable ${entry.network} metric 4278198272`
  if (entry.kind === 'route') return `route ${deed === 'write' ? 'add' : 'delete'} ${entry.overlay} ${describeTarget(entry)} dev ${device}`
  return deed === 'write'
    ? `neighbour replace ${entry.overlay} ${describeTarget(entry)} dev ${device} nud permanent`
    : `neighbour delete ${entry.overlay} dev ${device}`
}

/** Without its own id, `dstport 0` is 8472, as the recipe has it. */
function kind(link: ByHand): string {
  if (link.kind === 'bridge') return 'bridge'
  if (link.kind === 'external') return 'vxlan external dstport 0'
  if (link.kind === 'ip6gre') return link.external ? 'ip6gre external' : `ip6gre local ${UNDERLAY_6}`
  const local = link.local === undefined ? '' : ` local ${link.local}`
  if (link.kind === 'vxlan') return `vxlan id ${String(link.id)}${local} dstport 0`
  const rest = `${link.remote === undefined ? '' : ` remote ${link.remote}`}${link.id === undefined ? '' : ` key ${String(link.id)}`}`
  return `gre${link.external === true ? ' external' : ''}${local}${rest}`
}

export async function inspect(device: DeviceName): Promise<string | undefined> {
  const page = `ip -details address show dev ${device}; bridge fdb show dev ${device}; ip neighbour show dev ${device} nud permanent`
  const shown = await typed(`ip link show dev ${device} >/dev/null && { ${page}; }`).catch(() => undefined)
  // Whether the kernel has asked yet who else has its own address is a matter of a second.
  return shown?.replaceAll(' tentative', '')
}

/** Lines of `ip`, the first that fails being the last: in some labs a process takes its time. */
async function ip(...lines: readonly string[]): Promise<void> {
  const complaint = await batch(['-batch', '-'], lines)
  if (complaint !== '') throw new Error(complaint)
}

/** Lines of `ip`, whatever becomes of them. */
async function forced(lines: readonly string[]): Promise<void> {
  await batch(['-force', '-batch', '-'], lines)
}

async function batch(args: readonly string[], lines: readonly string[]): Promise<string> {
  const child = spawn('ip', args, { stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const [complaint] = await Promise.all([text(child.stderr), once(child, 'close')])
  return complaint
}

async function bridge(words: string): Promise<void> {
  await typed(`bridge ${words}`)
}

async function typed(page: string): Promise<string> {
  return (await run('sh', ['-c', page])).stdout
}

/** A namespace with a way out is somebody's host, and nothing may be made there. */
async function refuseOutsideALab(): Promise<void> {
  const routes = await typed('ip -4 route show default; ip -6 route show default')
  if (routes.trim() !== '') throw new Error('this network namespace has a default route: run me inside a lab of its own')
}
