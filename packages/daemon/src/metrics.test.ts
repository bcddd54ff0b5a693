import { expect, test } from 'vitest'
import { renderMetrics } from './metrics.ts'
import { report, row } from './samples.ts'

const REPORT = {
  ...report(
    [row('a'), row('b', { peer: 'B', expires: '2027-01-31T12:00:00.000Z' }), row('c', { state: 'dead' })],
    { mtu: null, entries: { wanted: 3, present: 2, foreign: 1 }, repairs: 4, writes: 9 },
    ['isolated'],
  ),
  rotation: { key: 'K', until: '2027-01-31T12:00:00.000Z', living: 5, in_force: 3 },
  self: { peer: 'A', name: 'a', incarnation: 7 },
  dropped: { 'a\n"reason"\u202E': 2 },
  discovery: { interfaces: [], candidates: 5, dials: 6 },
  anti_entropy: { comparisons: 3, bytes: 277 },
  event_loop_lag: { p50_ms: 0.3, p99_ms: 12.5, max_ms: 40 },
}

test('says in numbers what status says, each with its unit and its help', async () => {
  const lines = (await renderMetrics(REPORT)).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '# HELP vxmesh_members Members that this host knows of, itself included, by state.',
      '# TYPE vxmesh_members gauge',
      'vxmesh_members{state="alive"} 2',
      'vxmesh_members{state="dead"} 1',
      'vxmesh_members{state="left"} 0',
      'vxmesh_membership_expires_timestamp_seconds{name="b",peer="B"} 1801396800',
      'vxmesh_rotation_waiting_members 2',
      'vxmesh_former_mesh_key_expires_timestamp_seconds 1801396800',
      'vxmesh_incarnation 7',
      'vxmesh_health_warnings 1',
      'vxmesh_entries_wanted{device="provider0"} 3',
      'vxmesh_entries_present{device="provider0"} 2',
      'vxmesh_entries_foreign{device="provider0"} 1',
      '# TYPE vxmesh_repairs_total counter',
      'vxmesh_repairs_total{device="provider0"} 4',
      'vxmesh_writes_total{device="provider0"} 9',
      'vxmesh_discovery_candidates 5',
      'vxmesh_discovery_dials_total 6',
      'vxmesh_anti_entropy_comparisons_total 3',
      'vxmesh_anti_entropy_sent_bytes_total 277',
      'vxmesh_event_loop_lag_seconds{quantile="0.5"} 0.0003',
      'vxmesh_event_loop_lag_seconds{quantile="0.99"} 0.0125',
      'vxmesh_event_loop_lag_seconds{quantile="1"} 0.04',
    ]),
  )
})

test('what is not known has no number, and what is not printable is not printed', async () => {
  const text = await renderMetrics({ ...REPORT, rotation: null, event_loop_lag: null })
  expect(text).not.toMatch(/^vxmesh_(mtu_bytes|guard_standing|rotation_waiting_members|former_mesh_key\w+|event_loop_lag_seconds)[ {]/m)
  expect(text.split('\n')).toContain(String.raw`vxmesh_dropped_total{reason="a\\u{a}\"reason\"\\u{202e}"} 2`)
})
