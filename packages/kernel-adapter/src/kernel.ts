/** The real kernel. Decisions are made elsewhere; here they are carried out. */
import {
  halves,
  isOfGuard,
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
  type TunnelSpec,
} from '@vxmesh/core'
import { missingKind } from './capabilities.ts'
import { Echoes, echoesOf } from './echo.ts'
import { parseHost } from './host.ts'
import { GuardEye } from './guard-eye.ts'
import { ask, untilRefused } from './iproute2.ts'
import { decide, deviceOf, restore, type Present, type Step } from './link.ts'
import { NOTHING, together, type Marked } from './marked.ts'
import { isBridge, masterOf, ovsBridgeOf, type Master } from './master.ts'
import { watchKernel } from './monitor.ts'
import { complaints, explain, rejections, saysAbsent, spoken } from './outcome.ts'
import { parseAddresses, parseLink } from './read.ts'
import { deleteLink, entryCommand, lineOf, MONITORS, showDevice, showLink, SHOW_HOST, stepCommand, words, type Command } from './render.ts'
import { barriers, parsed, remembering, sources, understood, unreadable } from './sources.ts'
import { keepTools, singly, type KeptTools } from './tools.ts'

/**
 * The kernel of the network namespace this process is in, through `ip` and `bridge`. For a device that is watched the tools
 * are kept running, and writes are confirmed by what the monitor hears; for others it keeps nothing.
 */
export function iproute2Kernel(mode: Mode = 'vxlan'): Kernel {
  const watched = new Map<DeviceName, Watched>()
  return {
    establish,
    steps,
    interfaces: async (without) => interfaces(without, watched.get(without)?.tools),
    hasBridge: async (name) => isBridge(await findMaster(name)),
    read: async (spec) => read(spec, watched.get(spec.device)),
    left: async (spec) => left(spec),
    attempt: async (device, operations) => (operations.length === 0 ? [] : attempt(device, operations, watched.get(device))),
    watch: (device, wake) => {
      const each: Watched = { tools: keepTools(device), echoes: new Echoes(), understand: remembering(), guard: new GuardEye(device) }
      watched.set(device, each)
      const monitor = watchKernel(device, (line) => each.echoes.hear(line), wake, MONITORS[mode])
      const guard = each.guard.watch(wake)
      return {
        close: async () => {
          if (watched.get(device) === each) watched.delete(device)
          await Promise.all([monitor.close(), guard.close(), each.tools.close()])
        },
      }
    },
  }
}

type Watched = { readonly tools: KeptTools; readonly echoes: Echoes; readonly understand: typeof understood; readonly guard: GuardEye }

type Given = (address: InterfaceAddress) => void

async function establish(spec: TunnelSpec, given: Given = () => {}): Promise<Device> {
  const { present, steps } = await decided(spec)
  return await perform(spec, present, steps, given)
}

async function steps(spec: TunnelSpec): Promise<readonly string[]> {
  const { present, steps: all } = await decided(spec)
  const missing = present === undefined ? missingKind(spec) : undefined
  if (missing !== undefined) throw new MeshError({ code: 'NOT_PERMITTED', reason: missing })
  return all.map((step) => words(stepCommand(spec, step)))
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
  const done = (step: Step): void => {
    made ||= step.kind === 'create'
    if (step.kind === 'address') given(step.address)
  }
  try {
    await change(spec, steps, done)
    const after = await current(spec)
    const lost = restore(spec, before?.addresses ?? [], after.addresses)
    await change(spec, lost)
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

async function read(spec: TunnelSpec, watched: Partial<Watched> = {}): Promise<Reading | undefined> {
  const present = await look(spec.device, watched.tools)
  if (present === undefined) return undefined
  const tables = await readTables(spec.device, present, networksOf(spec), watched)
  const guard = await (watched.guard ?? new GuardEye(spec.device)).read(spec.guard === true)
  return tables && { device: asDevice(spec, await inItsBridge(spec, present)), ...together([guard, tables]) }
}

/** What is of no device. */
async function left(spec: TunnelSpec): Promise<Marked> {
  const { command, understand } = barriers(networksOf(spec))
  const shown = spec.mode === 'gre' ? await show(command) : undefined
  const guard = await new GuardEye(spec.device).read(spec.guard === true)
  return together([guard, shown === undefined ? NOTHING : parsed(command, shown, understand)])
}

/** What may be unreachable for the sake of a tunnel. */
function networksOf({ addresses, formerAddresses = [] }: TunnelSpec): readonly InterfaceAddress[] {
  return [...addresses, ...formerAddresses].flatMap(halves)
}

/**
 * An acknowledged write is not yet a change. What was written of a watched device is confirmed by its echoes; where they
 * do not come at once, as where something was refused, the tables are read and judged.
 */
async function attempt(
  device: DeviceName,
  operations: readonly Operation[],
  watched: Partial<Watched> = {},
): Promise<readonly Rejection[]> {
  const { tools, echoes, guard = new GuardEye(device) } = watched
  echoes?.expect(echoesOf(operations, device))
  const reasons = await (tools ?? singly).write(operations.map((operation) => entryCommand(operation, device)))
  const refused = await guard.judge(operations, reasons)
  if (reasons.size === 0 && (await echoes?.come()) === true) return refused
  const present = await look(device, tools)
  const networks = operations.flatMap(({ entry }) => (entry.kind === 'unreachable' ? [entry.network] : []))
  const after = present && (await readTables(device, present, networks, watched))
  return [
    ...refused,
    ...rejections(operations, device, (after ?? NOTHING).entries, reasons).filter(({ operation }) => !isOfGuard(operation.entry)),
  ]
}

/** The entries of a device; `networks`: what beside the halves of its own may be unreachable for its sake. Undefined when it is gone. */
async function readTables(
  device: DeviceName,
  { link, addresses }: Present,
  networks: readonly InterfaceAddress[],
  { tools, understand = understood }: Partial<Watched>,
): Promise<Marked | undefined> {
  const all = [...addresses.flatMap(halves), ...networks]
  const shown = await Promise.all(
    sources(device, link, all).map(async (source) => {
      const text = await show(source.command, tools)
      return text === undefined ? [] : [{ ...source, text }]
    }),
  )
  return shown.some((each) => each.length === 0) ? undefined : understand(JSON.stringify([link, all]), shown.flat())
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

/** Carries steps out, in order, up to the first that is refused. `done` hears of each that was not. Open vSwitch has a tool of its own. */
async function change(spec: TunnelSpec, steps: readonly Step[], done: (step: Step) => void = () => {}): Promise<void> {
  const odd = steps.findIndex((step) => step.kind === 'attach' && step.to === 'ovs')
  const step = steps[odd]
  await changeLink(spec, step === undefined ? steps : steps.slice(0, odd), done)
  if (step === undefined) return
  const command = stepCommand(spec, step)
  const { ok, stderr } = await ask(command)
  if (!ok) throw new MeshError(explain(command, stderr))
  await changeLink(spec, steps.slice(odd + 1), done)
}

async function changeLink(spec: TunnelSpec, steps: readonly Step[], done: (step: Step) => void): Promise<void> {
  if (steps.length === 0) return
  const commands = steps.map((step) => stepCommand(spec, step))
  const { ok, stderr } = await untilRefused('ip', commands.map(lineOf))
  const [[line, reason] = [1, stderr]] = complaints(stderr)
  const count = ok ? steps.length : line - 1
  for (const step of steps.slice(0, count)) done(step)
  const refused = commands[count]
  if (refused !== undefined) throw new MeshError(explain(refused, reason))
}
