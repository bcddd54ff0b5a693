/** A status in the text format of Prometheus, version 0.0.4: gauges and counters, whose names end in their unit. */
import { Counter, Gauge, Registry } from 'prom-client'
import { printable } from '@vxmesh/core'
import { MEMBER_STATES, type StatusReport, type TunnelRow } from './answers.ts'

type Row = readonly [labels: Readonly<Record<string, string>>, value: number]
type Kind = typeof Gauge | typeof Counter
type Measure<What, Value> = readonly [kind: Kind, name: string, help: string, of: (what: What) => Value]

const alone = (value: number): readonly Row[] => [[{}, value]]

/** Of members only their number, and what few have: a mesh of ten thousand is scraped at each of its hosts. */
const OF_MESH: readonly Measure<StatusReport, readonly Row[]>[] = [
  [
    Gauge,
    'members',
    'Members that this host knows of, itself included, by state.',
    ({ members }) => MEMBER_STATES.map((state) => [{ state }, members.filter((member) => member.state === state).length]),
  ],
  [
    Gauge,
    'membership_expires_timestamp_seconds',
    'When a membership ends, where it does.',
    ({ members }) =>
      members.flatMap(({ name, peer, expires }): readonly Row[] =>
        expires === null ? [] : [[{ name, peer }, Date.parse(expires) / 1000]],
      ),
  ],
  [
    Gauge,
    'rotation_waiting_members',
    'Live members at which the last rotation of the mesh key is not in force, once there was one.',
    ({ rotation }) => (rotation === null ? [] : alone(rotation.living - rotation.in_force)),
  ],
  [
    Gauge,
    'former_mesh_key_expires_timestamp_seconds',
    'Until when certificates by the mesh key before hold, once there was another.',
    ({ rotation }) => (rotation === null ? [] : alone(Date.parse(rotation.until) / 1000)),
  ],
  [Gauge, 'incarnation', 'The incarnation of this member.', ({ self }) => alone(self.incarnation)],
  [
    Gauge,
    'health_warnings',
    'How many things an operator should know: lines of status that begin with "!".',
    ({ health }) => alone(health.length),
  ],
  [
    Counter,
    'dropped_total',
    'What was received and not believed, by reason.',
    ({ dropped }) => Object.entries(dropped).map(([reason, count]) => [{ reason }, count]),
  ],
  [Gauge, 'discovery_candidates', 'Places of members known from the LAN.', ({ discovery }) => alone(discovery.candidates)],
  [Counter, 'discovery_dials_total', 'Dials to such places.', ({ discovery }) => alone(discovery.dials)],
  [
    Counter,
    'anti_entropy_comparisons_total',
    'Comparisons of views that this daemon began.',
    (report) => alone(report.anti_entropy.comparisons),
  ],
  [
    Gauge,
    'event_loop_lag_seconds',
    'How late the daemon got to what it had to do, over the last ten seconds.',
    ({ event_loop_lag: lag }) =>
      lag === null
        ? []
        : [
            [{ quantile: '0.5' }, lag.p50_ms / 1000],
            [{ quantile: '0.99' }, lag.p99_ms / 1000],
            [{ quantile: '1' }, lag.max_ms / 1000],
          ],
  ],
  [Counter, 'anti_entropy_sent_bytes_total', 'Sent for comparisons of views.', (report) => alone(report.anti_entropy.bytes)],
]

const OF_TUNNEL: readonly Measure<TunnelRow, number | null>[] = [
  [Gauge, 'entries_wanted', 'Entries that the kernel should have.', ({ entries }) => entries.wanted],
  [Gauge, 'entries_present', 'Of those, entries that it has.', ({ entries }) => entries.present],
  [Gauge, 'entries_foreign', 'Entries of somebody else, left alone.', ({ entries }) => entries.foreign],
  [Counter, 'repairs_total', 'How often entries were put right that somebody else had changed.', ({ repairs }) => repairs],
  [Counter, 'writes_total', 'Changes of entries that the kernel was told.', ({ writes }) => writes],
  [Gauge, 'mtu_bytes', 'The MTU of the device.', ({ mtu }) => mtu],
  [
    Gauge,
    'guard_standing',
    '1: the guard stands; 0: it was asked for and does not.',
    ({ guard }) => (guard === null ? null : Number(guard.standing)),
  ],
]

export async function renderMetrics(report: StatusReport): Promise<string> {
  const registry = new Registry()
  const add = (kind: Kind, name: string, help: string, rows: readonly Row[]): void => {
    // Without labels there would be a zero where nothing is known.
    if (rows.length === 0) return
    const metric = new kind({ name: `vxmesh_${name}`, help, labelNames: Object.keys(rows[0]?.[0] ?? {}), registers: [registry] })
    for (const [labels, value] of rows) metric.inc(printed(labels), value)
  }
  for (const [kind, name, help, of] of OF_MESH) add(kind, name, help, of(report))
  for (const [kind, name, help, of] of OF_TUNNEL) {
    const values = report.tunnels.map((tunnel) => ({ device: tunnel.device, value: of(tunnel) }))
    add(
      kind,
      name,
      help,
      values.flatMap(({ device, value }): readonly Row[] => (value === null ? [] : [[{ device }, value]])),
    )
  }
  return registry.metrics()
}

function printed(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, printable(value)]))
}
