/** A status report as text: a table for people, in columns that line up and without a control character. */
import { printable, tunnelWords } from '@vxmesh/core'
import type { CarriedRow, MemberRow, StatusReport, TunnelRow } from './answers.ts'

const HEADER = ['NAME', 'OVERLAY', 'UNDERLAY', 'STATE', 'SEEN', 'ENTRY', 'NOTE'] as const

/** The column after the name, where there are several tunnels: then a member has a line for each that it carries. */
const TUNNEL = 'TUNNEL'

export function renderStatus(report: StatusReport): string {
  const several = report.tunnels.length > 1
  const lines = several ? report.members.flatMap(linesOf) : report.members.map((member) => ({ tunnel: '', cells: cells(member, member) }))
  const all = [{ tunnel: TUNNEL, cells: HEADER }, ...lines]
  const rows = all.map(({ tunnel, cells: [name, ...rest] }) =>
    (several ? [name ?? '', tunnel, ...rest] : [name ?? '', ...rest]).map(printable),
  )
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const tunnels = report.tunnels.map(tunnelLine)
  return [...table, '', ...tunnels, ...rotationLine(report), ...report.health.map((line) => `! ${line}`)].map(printable).join('\n')
}

/** While the key before holds as well. */
function rotationLine({ rotation }: StatusReport): readonly string[] {
  if (rotation === null || Date.parse(rotation.until) < Date.now()) return []
  const { key, until, living, in_force: inForce } = rotation
  return [
    `the key of the mesh is ${key}, in force at ${String(inForce)} of ${String(living)} live members; the one before holds until ${until}`,
  ]
}

function linesOf(member: MemberRow): readonly { readonly tunnel: string; readonly cells: readonly string[] }[] {
  const { tunnels = [] } = member
  if (tunnels.length === 0) return [{ tunnel: '-', cells: cells(member, member) }]
  return tunnels.map((row) => ({ tunnel: row.device, cells: cells(member, row) }))
}

/** @param at what the member has, in one tunnel or in all */
function cells(member: MemberRow, at: Pick<MemberRow | CarriedRow, 'overlay' | 'underlay' | 'entry' | 'note'>): readonly string[] {
  const overlay = at.overlay.map((address) => address.replace(/\/.*/, '')).join(',')
  const entry = member.self || at.entry === 'none' ? '-' : at.entry
  return [member.name, orDash(overlay), orDash(at.underlay), member.self ? 'self' : member.state, age(member.seen_ms), entry, at.note ?? '']
}

function orDash(text: string | null): string {
  return text === null || text === '' ? '-' : text
}

/** An age in its largest whole unit: 0s, 59s, 3m, 7h, 2d. */
export function age(milliseconds: number | null): string {
  if (milliseconds === null) return '-'
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${String(seconds)}s`
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}m`
  return seconds < 86_400 ? `${String(Math.floor(seconds / 3600))}h` : `${String(Math.floor(seconds / 86_400))}d`
}

function tunnelLine({ device, entries, guard, ...carrier }: TunnelRow): string {
  const foreign = entries.foreign === 0 ? '' : `, ${String(entries.foreign)} not ours`
  const counts = `${String(entries.present)} of ${String(entries.wanted)} entries present${shortfall(entries)}${foreign}`
  return `${device} (${carrierWords(carrier)}): ${counts}${guardWords(guard)}`
}

function guardWords(guard: TunnelRow['guard']): string {
  if (guard === null) return ''
  return `, guard ${guard.standing ? 'up' : 'not up'}: ${String(guard.admitted)} of ${String(guard.wanted)} admitted`
}

type Carrier = Pick<TunnelRow, 'mode'> &
  Partial<Pick<TunnelRow, 'mtu_room' | 'mtu_smallest'>> & { readonly master?: string | null | undefined } & {
    readonly [each in 'id' | 'port' | 'mtu']: number | null | undefined
  }

/** What a device carries: `vxlan id 16, port 4789, mtu 1450`, `gre key 1234, mtu 1472`. */
export function carrierWords({ mode, id, port, master, mtu, mtu_room: room, mtu_smallest: least }: Carrier): string {
  const most = Math.max(mtu ?? 0, room ?? 0)
  const smallest =
    least === null || least === undefined || least.mtu === most ? '' : `, smallest in the mesh ${String(least.mtu)} (${least.name})`
  const udp = mode === 'gre' ? '' : `, port ${String(port ?? '-')}`
  return `${tunnelWords({ mode, id })}${udp}, mtu ${String(mtu ?? '-')}${smallest}${master === null || master === undefined ? '' : `, master ${master}`}`
}

/** Which kinds of entries lack some, when any does. */
function shortfall({ kinds }: TunnelRow['entries']): string {
  const short = Object.entries(kinds ?? {}).filter(([, { wanted, present }]) => present < wanted)
  const said = short.map(([kind, { wanted, present }]) => `${kind} ${String(present)} of ${String(wanted)}`)
  return said.length === 0 ? '' : ` (${said.join(', ')})`
}

/** How many members a line names. */
const NAMES_MOST = 6

/** Some of them, and how many more there are. */
export function listed(names: readonly string[]): string {
  return `${names.slice(0, NAMES_MOST).join(', ')}${names.length > NAMES_MOST ? ` and ${String(names.length - NAMES_MOST)} more` : ''}`
}

export function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${String(count)} entries`
}
