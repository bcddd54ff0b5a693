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
import { parseAddresses, parseEntries, parseHost, parseLink, type HostInterface, type Link } from './read.ts'
import { deleteLink, entryCommand, showAddresses, showFdb, SHOW_HOST, showLink, stepCommand, words, type Command } from './render.ts'

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
  const [present, fdb] = await Promise.all([look(spec.device), show(showFdb(spec.device))])
  if (present === undefined || fdb === undefined) return undefined
  return { device: asDevice(spec, present), entries: entriesOn(spec.device, present.link, fdb) }
}

async function attempt(device: DeviceName, operations: readonly Operation[]): Promise<readonly Rejection[]> {
  if (operations.length === 0) return []
  const { stderr } = await batch(
    'bridge',
    operations.map((operation) => entryCommand(operation, device).args.join(' ')),
  )
  const [link, fdb] = await Promise.all([show(showLink(device)), show(showFdb(device))])
  const after = link === undefined || fdb === undefined ? NOTHING : entriesOn(device, parsed(showLink(device), link, parseLink), fdb)
  return rejections(operations, device, after, complaints(stderr))
}

const NOTHING: Table = new Map()

function entriesOn(device: DeviceName, link: Link, fdb: string): Table {
  return link.kind === 'vxlan' ? parsed(showFdb(device), fdb, (text) => parseEntries(text, link)) : NOTHING
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
