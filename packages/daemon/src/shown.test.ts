/** Whatever the network says, and whatever a daemon answers, terminals and logs get text that only can be read. */
import { printable } from '@vxmesh/core'
import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { RotationReport, StatusReport } from './answers.ts'
import { print } from './cli-parts.ts'
import { controlServer } from './control.ts'
import { makeLog } from './log.ts'
import { renderStatus } from './report.ts'

/** C0 but for line breaks, DEL, C1, what turns text around, and separators of lines. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const FORBIDDEN = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/
const CODES = [0, 7, 8, 9, 10, 13, 0x1b, 0x7f, 0x85, 0x9b, 0x06_1c, 0x20_0e, 0x20_0f, 0x20_28, 0x20_29, 0x20_2a, 0x20_2e, 0x20_66, 0x20_69]
const odd = fc.constantFrom('a', '-', '"', '\\', ...CODES.map((code) => String.fromCodePoint(code)))
const hostile = fc.string({ unit: odd })

function rotation(text: string): RotationReport {
  const waiting = [{ name: text, peer: text, state: text }]
  return { version: 1, mesh: text, key: text, successions: [text], until: text, living: 1, under: 0, waiting }
}

function report(text: string): StatusReport {
  return {
    version: 1,
    mesh: text,
    self: { peer: text, name: text, incarnation: 1 },
    members: [
      {
        name: text,
        peer: text,
        self: false,
        state: 'alive',
        overlay: [text],
        underlay: text,
        port: 1,
        mac: text,
        mtu: 1,
        mtu_limit: null,
        incarnation: 1,
        invite: text,
        issuer: text,
        expires: text,
        seen_ms: 0,
        entry: 'present',
        note: text,
      },
    ],
    tunnels: [
      {
        device: text,
        mode: 'vxlan',
        id: 1,
        port: 1,
        mtu: 1,
        mtu_room: 2,
        mtu_smallest: { mtu: 1, name: text },
        master: text,
        local: text,
        addresses: [text],
        origin: 'made',
        entries: { wanted: 1, present: 1, foreign: 0 },
        guard: null,
        repairs: 0,
        writes: 0,
      },
    ],
    rotation: { key: text, until: '2999-01-01T00:00:00Z', living: 2, in_force: 1 },
    health: [text],
    dropped: { [text]: 1 },
    discovery: { interfaces: [text], candidates: 0, dials: 0 },
    anti_entropy: { comparisons: 0, bytes: 0 },
    event_loop_lag: null,
  }
}

test('the table of status', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const shown = renderStatus(report(text))
      expect(shown).not.toMatch(FORBIDDEN)
      // No line is begun by what is in a cell.
      expect(shown.split('\n')).toHaveLength(6)
    }),
  )
})

test('the answers of the control socket, complaints among them', async () => {
  let said = ''
  const server = controlServer(() => ({
    status: async () => report(said),
    leave: async () => {
      throw new Error(said)
    },
    plan: async () => ({ version: 1, device: said, devices: [said], commands: [{ command: said, held: false }], hold: said }),
    evictions: () => ({ version: 1, evictions: 0, living: 0, enforcing: 0, waiting: [{ name: said, peer: said, state: said }] }),
    evict: () => ({ version: 1, evictions: 0, living: 0, enforcing: 0, waiting: [] }),
    renew: () => ({ version: 1, invite: said, expires: said }),
    rotation: () => rotation(said),
    certificates: () => ({ version: 1, members: [{ name: said, peer: said, chain: said }] }),
    rotate: () => rotation(said),
  }))
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      said = text
      for (const [method, url] of [
        ['GET', '/v1/status'],
        ['POST', '/v1/leave'],
        ['GET', '/v1/plan'],
        ['GET', '/v1/evictions'],
        ['GET', '/v1/rotation'],
        ['GET', '/v1/certificates'],
      ] as const) {
        const { payload } = await server.inject({ method, url })
        expect(payload).not.toMatch(FORBIDDEN)
        const texts: string[] = []
        JSON.parse(payload, (name, value) => void texts.push(name, String(value)))
        expect(texts.join('')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      }
    }),
  )
  await server.close()
})

test.each([false, true])('the log, for a person: %s', (terminal) => {
  fc.assert(
    fc.property(hostile, (text) => {
      const lines: string[] = []
      makeLog('debug', terminal, { write: (line) => void lines.push(line) }).warn(
        { event: text, reason: text, [`x${text}`]: { deep: [text] } },
        text,
      )
      // oxlint-disable-next-line no-control-regex -- the colours of the level, which are ours
      const shown = lines.join('').replaceAll(/\u001B\[[0-9]+m/g, '')
      expect(shown).not.toMatch(FORBIDDEN)
      expect(shown.trimEnd().split('\n')).toHaveLength(1)
    }),
  )
})

test('whatever the command line prints', () => {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  fc.assert(
    fc.property(hostile, (text) => {
      print(text)
      expect(String(out.mock.lastCall?.[0])).toBe(`${text.split('\n').map(printable).join('\n')}\n`)
    }),
  )
  out.mockRestore()
})
