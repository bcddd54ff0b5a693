/** The real kernel, for VXLAN tunnels. Decisions are made elsewhere; here they are carried out. */
import {
  MeshError,
  type Device,
  type DeviceName,
  type InterfaceAddress,
  type Kernel,
  type Operation,
  type Reading,
  type Rejection,
  type Result,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import { ask, batch } from './iproute2.ts'
import { decide, deviceOf, restore, type Present, type Step } from './link.ts'
import { watchKernel } from './monitor.ts'
import { complaints, explain, rejections, saysAbsent, spoken } from './outcome.ts'
import {
  parseAddresses,
  parseEntries,
  parseHost,
  parseLink,
  parseNeighbours,
  type HostInterface,
  type Link,
  type Neighbours,
} from './read.ts'
import {
  deleteLink,
  entryCommand,
  showAddresses,
  showFdb,
  SHOW_HOST,
  showLink,
  showNeighbours,
  stepCommand,
  words,
  type Command,
} from './render.ts'

/** The kernel of the network namespace this process is in, through `ip` and `bridge`. Keeps no state. */
export function iproute2Kernel(): Kernel {
  return { establish, read, attempt, watch: watchKernel }
}

type Given = (address: InterfaceAddress) => void

async function establish(spec: TunnelSpec, given: Given = () => {}): Promise<Device> {
  const [present, host] = await Promise.all([look(spec.device), lookAtHost()])
  const steps = decide(spec, present, host)
  if (!steps.ok) throw new MeshError({ code: 'CONFIG_INVALID', ...steps.reason })
  return await perform(spec, present, steps.value, given)
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
  if (present === undefined) throw unreadable(showLink(spec.device), 'it was deleted while it was set up')
  return present
}

function asDevice(spec: TunnelSpec, present: Present): Device {
  const device = deviceOf(spec, present)
  if (!device.ok) throw unreadable(showLink(spec.device), device.reason.reason)
  return device.value
}

async function read(spec: TunnelSpec): Promise<Reading | undefined> {
  const [present, shown] = await Promise.all([look(spec.device), showTables(spec.device)])
  if (present === undefined || shown === undefined) return undefined
  return { device: asDevice(spec, present), ...tablesOn(spec.device, present.link, shown) }
}

async function attempt(device: DeviceName, operations: readonly Operation[]): Promise<readonly Rejection[]> {
  if (operations.length === 0) return []
  const reasons = new Map<number, string>()
  for (const run of runs(operations.map((operation) => entryCommand(operation, device)))) {
    for (const [line, reason] of await carryOut(run.commands)) reasons.set(run.before + line, reason)
  }
  const [link, shown] = await Promise.all([show(showLink(device)), showTables(device)])
  const after =
    link === undefined || shown === undefined ? NOTHING : tablesOn(device, parsed(showLink(device), link, parseLink), shown).entries
  return rejections(operations, device, after, reasons)
}

/** Commands of one tool that follow one another, and how many came before them. */
type Run = { readonly before: number; readonly commands: [Command, ...Command[]] }

function runs(commands: readonly Command[]): readonly Run[] {
  const split: Run[] = []
  for (const [before, command] of commands.entries()) {
    const current = split.at(-1)
    if (current?.commands[0].tool === command.tool) current.commands.push(command)
    else split.push({ before, commands: [command] })
  }
  return split
}

/**
 * What the tool complained of, by the number of the command, from 1. `ip` ends a batch at a neighbour that it is refused,
 * without a word of which (iproute2 6.1 exits), so where it complains each is tried by itself; doing one twice does no harm.
 */
async function carryOut(commands: Run['commands']): Promise<ReadonlyMap<number, string>> {
  const [{ tool }] = commands
  const lines = commands.map(({ args }) => args.join(' '))
  const { ok, stderr } = await batch(tool, lines)
  if (ok || tool === 'bridge') return complaints(stderr)
  const reasons = new Map<number, string>()
  for (const [index, command] of commands.entries()) {
    const answer = await ask(command)
    if (!answer.ok) reasons.set(index + 1, spoken(answer.stderr))
  }
  return reasons
}

const NOTHING: Table = new Map()

/** What `bridge` and `ip` show of the entries of a device. */
type Shown = { readonly fdb: string; readonly neighbours: string }

async function showTables(device: DeviceName): Promise<Shown | undefined> {
  const [fdb, neighbours] = await Promise.all([show(showFdb(device)), show(showNeighbours(device))])
  return fdb === undefined || neighbours === undefined ? undefined : { fdb, neighbours }
}

function tablesOn(device: DeviceName, link: Link, shown: Shown): Neighbours {
  if (link.kind !== 'vxlan') return { entries: NOTHING, marked: new Set() }
  const fdb = parsed(showFdb(device), shown.fdb, (text) => parseEntries(text, link))
  const { entries, marked } = parsed(showNeighbours(device), shown.neighbours, parseNeighbours)
  return { entries: new Map([...fdb, ...entries]), marked }
}

async function look(device: DeviceName): Promise<Present | undefined> {
  const [link, addresses] = await Promise.all([show(showLink(device)), show(showAddresses(device))])
  if (link === undefined || addresses === undefined) return undefined
  return {
    link: parsed(showLink(device), link, parseLink),
    addresses: parsed(showAddresses(device), addresses, parseAddresses),
  }
}

async function lookAtHost(): Promise<readonly HostInterface[]> {
  const shown = await show(SHOW_HOST)
  return parsed(SHOW_HOST, shown ?? '', parseHost)
}

/** What a command that shows something printed; undefined when it says that there is no such device. */
async function show(command: Command): Promise<string | undefined> {
  const { ok, stdout, stderr } = await ask(command)
  if (ok) return stdout
  if (saysAbsent(stderr)) return undefined
  throw unreadable(command, spoken(stderr))
}

function parsed<Value>(command: Command, text: string, parse: (text: string) => Result<Value>): Value {
  const value = parse(text)
  if (!value.ok) throw unreadable(command, value.reason)
  return value.value
}

async function change(command: Command): Promise<void> {
  const { ok, stderr } = await ask(command)
  if (!ok) throw new MeshError(explain(command, stderr))
}

function unreadable(command: Command, reason: string): MeshError {
  return new MeshError({ code: 'KERNEL_UNREADABLE', what: words(command), reason })
}
