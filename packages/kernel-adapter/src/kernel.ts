/** The real kernel. Decisions are made elsewhere; here they are carried out. */
import {
  halves,
  MeshError,
  type Device,
  type DeviceName,
  type HostInterface,
  type InterfaceAddress,
  type Kernel,
  type Mode,
  type Operation,
  type Reading,
  type Rejection,
  type Result,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import { Echoes, echoesOf } from './echo.ts'
import { ask } from './iproute2.ts'
import { decide, deviceOf, restore, type Present, type Step } from './link.ts'
import { parseRoutes } from './gre.ts'
import { isBridge, masterOf, ovsBridgeOf, type Master } from './master.ts'
import { watchKernel } from './monitor.ts'
import { explain, rejections, saysAbsent, spoken } from './outcome.ts'
import { parseAddresses, parseEntries, parseHost, parseLink, parseNeighbours, type Link, type Marked } from './read.ts'
import {
  deleteLink,
  entryCommand,
  GRE_MONITORS,
  showDevice,
  showFdb,
  showLink,
  SHOW_HOST,
  showNeighbours,
  showRoutes,
  stepCommand,
  words,
  type Call,
  type Command,
} from './render.ts'
import { keepTools, singly, type KeptTools } from './tools.ts'

/**
 * The kernel of the network namespace this process is in, through `ip` and `bridge`. For a device that is watched the tools
 * are kept running, and writes are confirmed by what the monitor hears; for others, and for those of GRE, it keeps nothing.
 */
export function iproute2Kernel(mode: Mode = 'vxlan'): Kernel {
  const watched = new Map<DeviceName, Watched>()
  return {
    establish,
    steps,
    interfaces: async (without) => interfaces(without, watched.get(without)?.tools),
    hasBridge: async (name) => isBridge(await findMaster(name)),
    read: async (spec) => read(spec, watched.get(spec.device)),
    attempt: async (device, operations) => (operations.length === 0 ? [] : attempt(device, operations, watched.get(device))),
    watch: (device, wake) => {
      if (mode === 'gre') return watchKernel(device, () => false, wake, GRE_MONITORS)
      const each: Watched = { tools: keepTools(device), echoes: new Echoes(), tablesOn: remembering(tablesOn) }
      watched.set(device, each)
      const monitor = watchKernel(device, (line) => each.echoes.hear(line), wake)
      return {
        close: async () => {
          if (watched.get(device) === each) watched.delete(device)
          await Promise.all([monitor.close(), each.tools.close()])
        },
      }
    },
  }
}

type Watched = { readonly tools: KeptTools; readonly echoes: Echoes; readonly tablesOn: typeof tablesOn }

/** Most readings show what the one before did: the same text is the same table, and need not be understood again. */
function remembering(understand: typeof tablesOn): typeof tablesOn {
  let last: { readonly link: string; readonly shown: Shown; readonly tables: Marked } | undefined
  return (device, link, shown) => {
    const about = JSON.stringify(link)
    if (last?.link !== about || last.shown.fdb !== shown.fdb || last.shown.neighbours !== shown.neighbours) {
      last = { link: about, shown, tables: understand(device, link, shown) }
    }
    return last.tables
  }
}

type Given = (address: InterfaceAddress) => void

async function establish(spec: TunnelSpec, given: Given = () => {}): Promise<Device> {
  const { present, steps } = await decided(spec)
  return await perform(spec, present, steps, given)
}

async function steps(spec: TunnelSpec): Promise<readonly string[]> {
  return (await decided(spec)).steps.map((step) => words(stepCommand(spec, step)))
}

async function decided(spec: TunnelSpec): Promise<{ readonly present: Present | undefined; readonly steps: readonly Step[] }> {
  const [present, host, master] = await Promise.all([
    look(spec.device).then(async (found) => found && inItsBridge(spec, found)),
    lookAtHost(),
    spec.master === undefined ? undefined : findMaster(spec.master),
  ])
  const steps = decide(spec, present, host, master)
  if (!steps.ok) throw new MeshError({ code: 'CONFIG_INVALID', ...steps.reason })
  return { present, steps: steps.value }
}

/** A device is deleted here and nowhere else: the one just made, when it cannot be finished. */
async function perform(spec: TunnelSpec, before: Present | undefined, steps: readonly Step[], given: Given): Promise<Device> {
  let made = false
  try {
    for (const step of steps) {
      await change(stepCommand(spec, step))
      made ||= step.kind === 'create'
      if (step.kind === 'address') given(step.address)
    }
    const after = await current(spec)
    const lost = restore(spec, before?.addresses ?? [], after.addresses)
    for (const step of lost) await change(stepCommand(spec, step))
    return asDevice(spec, lost.length === 0 ? after : await current(spec))
  } catch (error) {
    if (made) await discard(spec.device, error)
    throw error
  }
}

async function discard(device: DeviceName, cause: unknown): Promise<void> {
  const command = deleteLink(device)
  const { ok, stderr } = await ask(command)
  if (!ok && !saysAbsent(stderr)) throw new MeshError(explain(command, stderr), { cause })
}

async function current(spec: TunnelSpec): Promise<Present> {
  const present = await look(spec.device)
  if (present === undefined) throw unreadable(showDevice(spec.device), 'it was deleted while it was set up')
  return inItsBridge(spec, present)
}

function asDevice(spec: TunnelSpec, present: Present): Device {
  const device = deviceOf(spec, present)
  if (!device.ok) throw unreadable(showDevice(spec.device), device.reason.reason)
  return device.value
}

async function read(spec: TunnelSpec, { tools, tablesOn: understood = tablesOn }: Partial<Watched> = {}): Promise<Reading | undefined> {
  const present = await look(spec.device, tools)
  if (present?.link.kind === 'gre') return readGre(spec, present)
  const shown = await showTables(spec.device, tools)
  if (present === undefined || shown === undefined) return undefined
  return { device: asDevice(spec, await inItsBridge(spec, present)), ...understood(spec.device, present.link, shown) }
}

async function readGre(spec: TunnelSpec, present: Present): Promise<Reading | undefined> {
  const networks = [...present.addresses, ...spec.addresses, ...(spec.formerAddresses ?? [])].flatMap(halves)
  const tables = await greTables(spec.device, networks)
  return tables && { device: asDevice(spec, present), ...tables }
}

/**
 * An acknowledged write is not yet a change. What was written of a watched device is confirmed by its echoes; where they
 * do not come at once, as where something was refused, the tables are read and judged.
 */
async function attempt(
  device: DeviceName,
  operations: readonly Operation[],
  { tools, echoes }: Partial<Watched> = {},
): Promise<readonly Rejection[]> {
  echoes?.expect(echoesOf(operations, device))
  const reasons = await (tools ?? singly).write(operations.map((operation) => entryCommand(operation, device)))
  if (reasons.size === 0 && (await echoes?.come()) === true) return []
  const link = (await look(device, tools))?.link
  if (link?.kind === 'gre') {
    const networks = operations.flatMap(({ entry }) => (entry.kind === 'unreachable' ? [entry.network] : []))
    return rejections(operations, device, (await greTables(device, networks))?.entries ?? NOTHING, reasons)
  }
  const shown = await showTables(device, tools)
  const after = link === undefined || shown === undefined ? NOTHING : tablesOn(device, link, shown).entries
  return rejections(operations, device, after, reasons)
}

const NOTHING: Table = new Map()

/** What `bridge` and `ip` show of the entries of a device. */
type Shown = { readonly fdb: string; readonly neighbours: string }

async function showTables(device: DeviceName, tools = singly): Promise<Shown | undefined> {
  const [fdb, neighbours] = await Promise.all([show(showFdb(device), tools), show(showNeighbours(device), tools)])
  return fdb === undefined || neighbours === undefined ? undefined : { fdb, neighbours }
}

/** The entries of a GRE device. Whatever routes there are carry our mark: only those are asked for. */
async function greTables(device: DeviceName, networks: readonly InterfaceAddress[]): Promise<Marked | undefined> {
  const families = [showRoutes('-4'), showRoutes('-6')]
  const [shown, ...routes] = await Promise.all([showNeighbours(device), ...families].map(async (command) => show(command)))
  if (shown === undefined) return undefined
  const understand = (text: string) => parseRoutes(text, device, networks)
  const ours = families.flatMap((command, index) => [...parsed(command, routes[index] ?? '', understand)])
  const { entries, marked } = parsed(showNeighbours(device), shown, (text) => parseNeighbours(text, 'gre'))
  return { entries: new Map([...entries, ...ours]), marked: new Set([...marked, ...ours.map(([place]) => place)]) }
}

function tablesOn(device: DeviceName, link: Link, shown: Shown): Marked {
  if (link.kind !== 'vxlan') return { entries: NOTHING, marked: new Set() }
  const fdb = parsed(showFdb(device), shown.fdb, (text) => parseEntries(text, link))
  const { entries, marked } = parsed(showNeighbours(device), shown.neighbours, (text) => parseNeighbours(text))
  return { entries: new Map([...fdb, ...entries]), marked }
}

async function look(device: DeviceName, tools = singly): Promise<Present | undefined> {
  const command = showDevice(device)
  const shown = await show(command, tools)
  return shown === undefined ? undefined : { link: parsed(command, shown, parseLink), addresses: parsed(command, shown, parseAddresses) }
}

/** What there is by the name of a bridge. Asked singly: the kept tools look a name up once, and it may be another bridge by now. */
async function findMaster(name: DeviceName): Promise<Master | undefined> {
  const command = showLink(name)
  const shown = await show(command)
  return masterOf(name, shown === undefined ? undefined : parsed(command, shown, parseLink))
}

/** The device with the bridge that it is a port of, where only Open vSwitch can tell whether that is the one asked for. */
async function inItsBridge({ device, master }: TunnelSpec, present: Present): Promise<Present> {
  const { link } = present
  if (master === undefined || link.kind !== 'vxlan' || link.master === master) return present
  return (await ovsBridgeOf(device)) === master ? { ...present, link: { ...link, master } } : present
}

async function interfaces(without: DeviceName, tools: KeptTools | undefined): Promise<readonly HostInterface[]> {
  return (await lookAtHost(tools)).filter(({ name }) => name !== without)
}

async function lookAtHost(tools = singly): Promise<readonly HostInterface[]> {
  const shown = await show(SHOW_HOST, tools)
  return parsed(SHOW_HOST, shown ?? '', parseHost)
}

/** What a command that shows something printed; undefined when it says that there is no such device. */
async function show(command: Command, tools = singly): Promise<string | undefined> {
  const { ok, stdout, stderr } = await tools.show(command)
  if (ok) return stdout
  if (saysAbsent(stderr)) return undefined
  throw unreadable(command, spoken(stderr))
}

function parsed<Value>(command: Command, text: string, parse: (text: string) => Result<Value>): Value {
  const value = parse(text)
  if (!value.ok) throw unreadable(command, value.reason)
  return value.value
}

async function change(command: Call): Promise<void> {
  const { ok, stderr } = await ask(command)
  if (!ok) throw new MeshError(explain(command, stderr))
}

function unreadable(command: Command, reason: string): MeshError {
  return new MeshError({ code: 'KERNEL_UNREADABLE', what: words(command), reason })
}
