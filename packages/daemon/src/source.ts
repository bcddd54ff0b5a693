/** Where a start was asked for, by flags or in a file: who finds fault with a part of it names it there. */
import { MeshError, type DeviceName, type Result } from '@vxmesh/core'

/** The parts of a member, as a file calls them, and their flags. */
const MEMBER_FLAGS = {
  invite: '--invite',
  seeds: '--seed',
  discover: '--discover',
  name: '--name',
  'state-dir': '--state-dir',
  control: '--control',
  port: '--port',
  'log-level': '--log-level',
  guard: '--guard',
  underlay: '--underlay',
  kernel: '--kernel',
} as const

/** The parts of a tunnel, as a file calls them, and their flags. In a file the device is the key of all the others. */
const TUNNEL_FLAGS = {
  device: '--device',
  mode: '--mode',
  id: '--id',
  key: '--key',
  local: '--local',
  addresses: '--address',
  port: '--vxlan-port',
  mtu: '--mtu',
  master: '--master',
} as const

export type MemberPart = keyof typeof MEMBER_FLAGS
export type TunnelPart = keyof typeof TUNNEL_FLAGS

/** Flags, or a file and the lines of its keys: `tunnels.provider0.id`. What no line has was asked for by a flag. */
export type Source = { readonly file: string | undefined; readonly lines: ReadonlyMap<string, number> }

export const BY_FLAGS: Source = { file: undefined, lines: new Map() }

/** A flag that is wrong is wrong usage; what a file says is a wrong configuration. */
export type Place = { readonly code: 'USAGE' | 'CONFIG_INVALID'; readonly where: string }

export function memberPlace({ file, lines }: Source, part: MemberPart): Place {
  const line = lines.get(part)
  return file === undefined || line === undefined ? { code: 'USAGE', where: MEMBER_FLAGS[part] } : lineOf(file, line, part)
}

export function tunnelPlace({ file, lines }: Source, device: string, part: TunnelPart): Place {
  if (file === undefined) return { code: 'USAGE', where: TUNNEL_FLAGS[part] }
  const whole = `tunnels.${device}`
  const path = part === 'device' ? whole : `${whole}.${part}`
  return lineOf(file, lines.get(path) ?? lines.get(whole), path)
}

function lineOf(file: string, line: number | undefined, path: string): Place {
  return { code: 'CONFIG_INVALID', where: `${file}${line === undefined ? '' : `:${String(line)}`}: ${path}` }
}

export function fault({ code, where }: Place, text: string | undefined, reason: string): MeshError {
  const said = text === undefined || text === '' ? where : `${where} ${text}`
  return new MeshError(code === 'USAGE' ? { code, reason: `${said}: ${reason}` } : { code, where: said, reason })
}

export function parsedAt<Value>(place: Place, text: string, parse: (text: string) => Result<Value>): Value {
  const parsed = parse(text)
  if (!parsed.ok) throw fault(place, text, parsed.reason)
  return parsed.value
}

/**
 * What somebody said who knows flags only, in the words of the file that the tunnel, or without one the member, was
 * asked for in.
 */
export function inWordsOf(source: Source, error: unknown, device?: DeviceName): unknown {
  if (!(error instanceof MeshError) || error.failure.code !== 'CONFIG_INVALID' || source.file === undefined) return error
  const { where, reason } = error.failure
  const [flag = ''] = where.split(' ')
  const place = placeOfFlag(source, flag, device)
  if (place === undefined) return error
  const words = Object.entries(TUNNEL_FLAGS).reduce((text, [part, each]) => text.replaceAll(each, part), reason)
  return new MeshError({ code: 'CONFIG_INVALID', where: `${place.where}${where.slice(flag.length)}`, reason: words }, { cause: error })
}

function placeOfFlag(source: Source, flag: string, device: DeviceName | undefined): Place | undefined {
  if (device !== undefined) {
    for (const part of parts(TUNNEL_FLAGS)) if (TUNNEL_FLAGS[part] === flag) return tunnelPlace(source, device, part)
  }
  for (const part of parts(MEMBER_FLAGS)) if (MEMBER_FLAGS[part] === flag && source.lines.has(part)) return memberPlace(source, part)
  return undefined
}

function parts<Part extends string>(flags: Readonly<Record<Part, string>>): readonly Part[] {
  const found: Part[] = []
  for (const part in flags) found.push(part)
  return found
}
