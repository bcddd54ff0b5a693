/** What a daemon answers, to test with. */
import type { MemberRow, StatusReport, TunnelRow } from './answers.ts'

export function row(name: string, parts: Partial<MemberRow> = {}): MemberRow {
  return {
    name,
    peer: '12D3KooW',
    self: false,
    state: 'alive',
    overlay: ['192.168.234.2/23'],
    underlay: '192.168.226.5',
    port: 4789,
    mac: '02:00:00:00:00:05',
    mtu: 1450,
    mtu_limit: 1450,
    incarnation: 1,
    invite: null,
    issuer: null,
    expires: null,
    seen_ms: 120,
    entry: 'present',
    note: null,
    ...parts,
  }
}

const TUNNEL: TunnelRow = {
  device: 'provider0',
  mode: 'vxlan',
  id: 16,
  port: 4789,
  mtu: 1450,
  mtu_room: 1450,
  mtu_smallest: null,
  master: null,
  local: '192.168.226.4',
  addresses: [],
  origin: 'made',
  entries: { wanted: 2, present: 2, foreign: 0 },
  guard: null,
  repairs: 0,
  writes: 0,
}

export function report(members: readonly MemberRow[], tunnel: Partial<TunnelRow> = {}, health: readonly string[] = []): StatusReport {
  const self = { peer: '12D3KooW', name: 'bastion', incarnation: 1 }
  return {
    version: 1,
    mesh: 'M',
    rotation: null,
    self,
    members,
    tunnels: [{ ...TUNNEL, ...tunnel }],
    health,
    dropped: {},
    anti_entropy: { comparisons: 0, bytes: 0 },
    discovery: { interfaces: [], candidates: 0, dials: 0 },
    event_loop_lag: null,
  }
}
