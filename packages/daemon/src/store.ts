/**
 * What the daemon remembers across restarts, apart from who it is: its incarnation, since when it claims what, which
 * entries on adopted devices it wrote, which addresses it gave to devices, what their underlay had room for, the view, where
 * members were found, and who is evicted. A file that cannot be read is set aside and the mesh is asked instead; a disk that
 * takes nothing stops nothing, and is reported.
 */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import {
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parsePeerId,
  parseWallTime,
  slot,
  wallTime,
  type Bytes,
  type DeviceName,
  type Entry,
  type Evictions,
  type Incarnation,
  type InterfaceAddress,
  type Slot,
  type TunnelName,
  type View,
  type WallTime,
} from '@vxmesh/core'
import type { Saved, State } from '@vxmesh/gossip'
import { z } from 'zod'
import { readOptional, replaceFile } from './files.ts'
import type { Asked } from './options.ts'

const tunnelParts = {
  device: z.string(),
  mode: z.string(),
  id: z.string().optional(),
  key: z.string().optional(),
  local: z.string().optional(),
  mtu: z.string().optional(),
  master: z.string().optional(),
}

const asked = z.object({
  name: z.string(),
  port: z.string(),
  /** Older files do not have it. */
  guard: z.string().optional(),
  underlay: z.array(z.string()).readonly().optional(),
  tunnels: z.array(z.object({ ...tunnelParts, addresses: z.array(z.string()).readonly(), port: z.string().optional() })).readonly(),
})

/** As it stands in older files, when a daemon had one tunnel. */
const askedForOne = z
  .object({ ...tunnelParts, address: z.array(z.string()).readonly(), name: z.string(), port: z.string(), vxlanPort: z.string().optional() })
  .transform(({ name, port, address: addresses, vxlanPort, ...tunnel }) => ({
    name,
    port,
    tunnels: [{ ...tunnel, addresses, port: vxlanPort }],
  }))

const stateFile = z.object({
  version: z.literal(1),
  incarnation: z
    .number()
    .int()
    .nonnegative()
    .max(Number.MAX_SAFE_INTEGER - 1_000_000),
  claims: z.record(z.string(), z.object({ overlay: z.array(z.string()), claimedAt: z.number().int().nonnegative() })),
  written: z.record(z.string(), z.array(z.string())),
  /** Older files do not have it. */
  given: z.record(z.string(), z.array(z.string())).default({}),
  /** Older files do not have it. */
  rooms: z.record(z.string(), z.number().int().positive()).default({}),
  asked: z.union([asked, askedForOne]).optional(),
})
const viewFile = z.object({
  version: z.literal(1),
  records: z.array(z.base64()),
  accusations: z.array(z.base64()),
  /** Older files do not have it. */
  reissues: z.array(z.base64()).default([]),
  /** At which underlay addresses members were found. Older files do not have it. */
  reached: z.array(z.object({ peer: z.string(), addresses: z.array(z.string()) })).default([]),
})
const evictionsFile = z.object({ version: z.literal(1), evictions: z.array(z.base64()) })

type StateFile = z.infer<typeof stateFile>

/** What goes wrong with the files: told to the owner, who goes on. */
export type StoreTrouble = (what: string, error: unknown) => void

export type Store = {
  readonly saved: Saved
  /** The highest incarnation that was ever written down, or the wall clock if that is higher. */
  highestIncarnation(now: WallTime): Incarnation
  setIncarnation(incarnation: Incarnation): void
  /** Since when these addresses have been claimed on a tunnel: the time written down, or `now` if the claim is new. */
  claimedAt(tunnel: string, overlay: readonly InterfaceAddress[], now: WallTime): WallTime
  /** Forgets what was noted of a device that carried another tunnel at the last start: it is another device by now. */
  take(device: DeviceName, tunnel: TunnelName): void
  /** The slots that were written on a device that somebody else made. */
  written(device: DeviceName): ReadonlySet<Slot>
  /** Whether anything was ever noted of what was written on a device. */
  hasNotes(device: DeviceName): boolean
  /** Notes entries before they are written to an adopted device: known again after a crash in between. */
  noteWritten(device: DeviceName, entries: readonly Entry[]): void
  /** Notes which slots of a device are still ours. */
  keepWritten(device: DeviceName, slots: ReadonlySet<Slot>): void
  /** The addresses that a device has had from us, this time or at an earlier start, and not those that it had before. */
  given(device: DeviceName): readonly InterfaceAddress[]
  /** Notes one that the device just got. */
  noteGiven(device: DeviceName, address: InterfaceAddress): void
  /** Forgets all but those that are asked for. */
  keepGiven(device: DeviceName, asked: readonly InterfaceAddress[]): void
  /** The longest packet that the underlay had room for in the tunnel of a device when it was last noted, in bytes; undefined: it never was. */
  room(device: DeviceName): number | undefined
  noteRoom(device: DeviceName, room: number): void
  /** What the last start was asked for; undefined before the first. */
  asked(): Asked | undefined
  noteAsked(asked: Asked): void
  saveView(known: { readonly view: View; readonly reached: State['reached'] }): void
  /** False when they could not be written down. */
  saveEvictions(evictions: Evictions): boolean
}

/**
 * @param replace writes a file; one that does nothing makes a store that only remembers
 * @param read gives what is in a file
 */
export function openStore(directory: string, trouble: StoreTrouble, replace: typeof replaceFile = replaceFile, read = readOptional): Store {
  const statePath = join(directory, 'state.json')
  const viewPath = join(directory, 'view.json')
  const evictionsPath = join(directory, 'evictions.json')
  let state: StateFile = load(statePath, stateFile, trouble, read) ?? {
    version: 1,
    incarnation: 0,
    claims: {},
    written: {},
    given: {},
    rooms: {},
  }
  const view = load(viewPath, viewFile, trouble, read) ?? { version: 1, records: [], accusations: [], reissues: [], reached: [] }
  const { evictions } = load(evictionsPath, evictionsFile, trouble, read) ?? { evictions: [] }

  function write(path: string, content: object): boolean {
    try {
      replace(path, `${JSON.stringify(content)}\n`)
      return true
    } catch (error) {
      trouble(`cannot write ${path}`, error)
      return false
    }
  }
  function change(parts: Partial<StateFile>): void {
    state = { ...state, ...parts }
    write(statePath, state)
  }
  /** A device may be called what every object has anyway, `constructor` for one. */
  function writtenOn(device: DeviceName): ReadonlySet<Slot> {
    return new Set(Object.hasOwn(state.written, device) ? state.written[device] : [])
  }
  function setWritten(device: DeviceName, slots: ReadonlySet<Slot>): void {
    const before = writtenOn(device)
    if (before.size === slots.size && [...slots].every((each) => before.has(each))) return
    change({ written: { ...state.written, [device]: [...slots] } })
  }
  function givenTo(device: DeviceName): readonly InterfaceAddress[] {
    const texts = Object.hasOwn(state.given, device) ? (state.given[device] ?? []) : []
    return texts.map(parseInterfaceAddress).flatMap((address) => (address.ok ? [address.value] : []))
  }
  function setGiven(device: DeviceName, addresses: readonly InterfaceAddress[]): void {
    if (addresses.length !== givenTo(device).length) change({ given: { ...state.given, [device]: [...addresses] } })
  }

  return {
    saved: {
      records: view.records.map(fromBase64),
      accusations: view.accusations.map(fromBase64),
      evictions: evictions.map(fromBase64),
      reissues: view.reissues.map(fromBase64),
      reached: view.reached.flatMap(reachedIn),
    },
    highestIncarnation(now) {
      const highest = parseIncarnation(Math.max(state.incarnation, now, 1))
      if (!highest.ok) throw new Error(`${statePath}: ${highest.reason}`)
      return highest.value
    },
    setIncarnation: (incarnation) => change({ incarnation }),
    claimedAt(tunnel, overlay, now) {
      const known = state.claims[tunnel]
      const since = known === undefined ? undefined : parseWallTime(known.claimedAt)
      const same = known?.overlay.length === overlay.length && overlay.every((each) => known.overlay.includes(each))
      if (same && since?.ok === true) return since.value
      change({ claims: { ...state.claims, [tunnel]: { overlay: [...overlay], claimedAt: now } } })
      return now
    },
    take(device, { mode, id }) {
      const before = state.asked?.tunnels.find((tunnel) => tunnel.device === device)
      if (before === undefined || (before.mode === mode && (before.id ?? before.key) === id?.toString())) return
      change({ written: without(state.written, device), given: without(state.given, device), rooms: without(state.rooms, device) })
    },
    written: writtenOn,
    hasNotes: (device) => Object.hasOwn(state.written, device),
    noteWritten: (device, entries) => setWritten(device, new Set([...writtenOn(device), ...entries.map(slot)])),
    keepWritten: setWritten,
    given: givenTo,
    noteGiven: (device, address) => setGiven(device, [...new Set([...givenTo(device), address])]),
    keepGiven: (device, asked) =>
      setGiven(
        device,
        givenTo(device).filter((address) => asked.includes(address)),
      ),
    room: (device) => (Object.hasOwn(state.rooms, device) ? state.rooms[device] : undefined),
    noteRoom: (device, room) => {
      if (!Object.hasOwn(state.rooms, device) || state.rooms[device] !== room) change({ rooms: { ...state.rooms, [device]: room } })
    },
    asked: () => state.asked,
    noteAsked: (asked) => {
      if (JSON.stringify(asked) !== JSON.stringify(state.asked)) change({ asked })
    },
    saveEvictions: (current) => write(evictionsPath, { version: 1, evictions: [...current.values()].map(({ bytes }) => toBase64(bytes)) }),
    saveView({ view: current, reached }) {
      const beliefs = [...current.values()]
      write(viewPath, {
        version: 1,
        records: beliefs.map(({ signed }) => toBase64(signed.bytes)),
        reissues: beliefs.flatMap(({ reissue }) => (reissue === undefined ? [] : [toBase64(reissue.bytes)])),
        accusations: beliefs.flatMap(({ accusations }) => [...accusations.values()].map(({ bytes }) => toBase64(bytes))),
        reached: [...reached].map(([peer, addresses]) => ({ peer, addresses: [...addresses] })),
      })
    },
  }
}

function reachedIn({ peer: text, addresses }: z.infer<typeof viewFile>['reached'][number]): NonNullable<Saved['reached']> {
  const peer = parsePeerId(text)
  return peer.ok ? [{ peer: peer.value, addresses: addresses.map(parseIp).flatMap((each) => (each.ok ? [each.value] : [])) }] : []
}

function without<Noted>(notes: Readonly<Record<string, Noted>>, device: DeviceName): Record<string, Noted> {
  return Object.fromEntries(Object.entries(notes).filter(([name]) => name !== device))
}

function load<Content>(path: string, schema: z.ZodType<Content>, trouble: StoreTrouble, read: typeof readOptional): Content | undefined {
  try {
    const content = read(path)
    return content === undefined ? undefined : schema.parse(JSON.parse(Buffer.from(content).toString('utf8')))
  } catch (error) {
    trouble(`${path} cannot be read: set aside as ${path}.bad, the mesh is asked instead`, error)
    setAside(path, trouble)
    return undefined
  }
}

function setAside(path: string, trouble: StoreTrouble): void {
  try {
    renameSync(path, `${path}.bad`)
  } catch (error) {
    trouble(`cannot rename ${path}`, error)
  }
}

function toBase64(bytes: Bytes): string {
  return Buffer.from(bytes).toString('base64')
}

function fromBase64(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text, 'base64'))
}

/** The wall clock, in milliseconds since 1970. Only for what is compared and never trusted as the time. */
export function wallClock(): WallTime {
  return wallTime(Date.now())
}
