/** A status report as text: a table for people, in columns that line up and without a control character. */
import { tunnelWords } from '@vxmesh/core'
import type { MemberRow, StatusReport, TunnelRow } from './answers.ts'

const HEADER = ['NAME', 'OVERLAY', 'UNDERLAY', 'STATE', 'SEEN', 'ENTRY', 'NOTE'] as const

export function renderStatus(report: StatusReport): string {
  const rows = [HEADER, ...report.members.map(cells)].map((row) => row.map(printable))
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const tunnels = report.tunnels.map(tunnelLine)
  return [...table, '', ...tunnels, ...report.health.map((line) => `! ${line}`)].map(printable).join('\n')
}

function cells(member: MemberRow): readonly string[] {
  const overlay = member.overlay.map((address) => address.replace(/\/.*/, '')).join(',')
  const entry = member.self || member.entry === 'none' ? '-' : member.entry
  return [
    member.name,
    orDash(overlay),
    orDash(member.underlay),
    member.self ? 'self' : member.state,
    age(member.seen_ms),
    entry,
    member.note ?? '',
  ]
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

function tunnelLine({ device, entries, ...carrier }: TunnelRow): string {
  const foreign = entries.foreign === 0 ? '' : `, ${String(entries.foreign)} not ours`
  const counts = `${String(entries.present)} of ${String(entries.wanted)} entries present${shortfall(entries)}${foreign}`
  return `${device} (${carrierWords(carrier)}): ${counts}`
}

type Carrier = Pick<TunnelRow, 'mode'> & { readonly [each in 'id' | 'port' | 'mtu']: number | null | undefined }

/** What a device carries: `vxlan id 16, port 4789, mtu 1450`, `gre key 1234, mtu 1472`. */
export function carrierWords({ mode, id, port, mtu }: Carrier): string {
  const udp = mode === 'gre' ? '' : `, port ${String(port ?? '-')}`
  return `${tunnelWords({ mode, id })}${udp}, mtu ${String(mtu ?? '-')}`
}

/** Which kinds of entries lack some, when any does. */
function shortfall({ kinds }: TunnelRow['entries']): string {
  const short = Object.entries(kinds ?? {}).filter(([, { wanted, present }]) => present < wanted)
  const said = short.map(([kind, { wanted, present }]) => `${kind} ${String(present)} of ${String(wanted)}`)
  return said.length === 0 ? '' : ` (${said.join(', ')})`
}

export function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${String(count)} entries`
}

/** Text that cannot move a cursor, ring a bell or turn a line around, wherever it came from. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
