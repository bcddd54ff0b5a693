import { describe, expect, test } from 'vitest'
import type { TunnelRow } from './answers.ts'
import { age, renderStatus } from './report.ts'
import { report, row } from './samples.ts'

function lines(...text: readonly string[]): string {
  return text.join('\n')
}

const SELF = row('bastion', { self: true, overlay: ['192.168.234.1/23'], underlay: '192.168.226.4', seen_ms: null, entry: 'none' })

describe('a report is printed', () => {
  test('as a table whose columns line up, with a line for the tunnel', () => {
    const members = [SELF, row('host-00'), row('host-01', { overlay: ['192.168.234.3/23'], underlay: '192.168.226.6', seen_ms: 61_000 })]
    expect(renderStatus(report(members))).toBe(
      lines(
        'NAME     OVERLAY        UNDERLAY       STATE  SEEN  ENTRY    NOTE',
        'bastion  192.168.234.1  192.168.226.4  self   -     -',
        'host-00  192.168.234.2  192.168.226.5  alive  0s    present',
        'host-01  192.168.234.3  192.168.226.6  alive  1m    present',
        '',
        'provider0 (vxlan id 16, port 4789, mtu 1450): 2 of 2 entries present',
      ),
    )
  })

  test('with notes, foreign entries, and what an operator should know', () => {
    const members = [
      SELF,
      row('host-00', { state: 'suspect', entry: 'missing', note: 'accused of silence by 1 of the 2 it takes' }),
      row('host-01', { state: 'left', overlay: [], underlay: null, entry: 'none', seen_ms: null }),
      row('host-02', { overlay: ['192.168.234.4/23', '2001:db8::4/64'] }),
    ]
    expect(renderStatus(report(members, { entries: { wanted: 2, present: 1, foreign: 1 } }, ['one thing', 'another']))).toBe(
      lines(
        'NAME     OVERLAY                    UNDERLAY       STATE    SEEN  ENTRY    NOTE',
        'bastion  192.168.234.1              192.168.226.4  self     -     -',
        'host-00  192.168.234.2              192.168.226.5  suspect  0s    missing  accused of silence by 1 of the 2 it takes',
        'host-01  -                          -              left     -     -',
        'host-02  192.168.234.4,2001:db8::4  192.168.226.5  alive    0s    present',
        '',
        'provider0 (vxlan id 16, port 4789, mtu 1450): 1 of 2 entries present, 1 not ours',
        '! one thing',
        '! another',
      ),
    )
  })

  test.each([
    [0, 0, '0 of 0 entries present'],
    [0, 1, '0 of 1 entries present'],
    [1, 1, '1 of 1 entries present'],
    [1, 2, '1 of 2 entries present'],
  ])('with %i of %i entries', (present, wanted, text) => {
    expect(renderStatus(report([SELF], { entries: { wanted, present, foreign: 0 } }))).toContain(`: ${text}`)
  })

  test('with what is short of entries, by kind', () => {
    const kinds = { flood: { wanted: 2, present: 2 }, fdb: { wanted: 2, present: 1 }, neighbour: { wanted: 2, present: 0 } }
    const text = renderStatus(report([SELF], { entries: { wanted: 6, present: 3, foreign: 1, kinds } }))
    expect(text).toContain(': 3 of 6 entries present (fdb 1 of 2, neighbour 0 of 2), 1 not ours')
  })

  test('without a device as far as it goes', () => {
    expect(
      renderStatus(report([SELF], { port: null, mtu: null, entries: { wanted: 0, present: 0, foreign: 0 } }))
        .split('\n')
        .at(-1),
    ).toBe('provider0 (vxlan id 16, port -, mtu -): 0 of 0 entries present')
  })

  test('with nothing in it that could reach the terminal, wherever it came from', () => {
    const hostile = 'a\u001B[2J\u0007\r\n\u202Eb'
    const text = renderStatus(
      report([row(hostile, { overlay: [`${hostile}/1`], underlay: hostile, note: hostile })], { device: hostile }, [hostile]),
    )
    expect(text.split('\n')).toHaveLength(5)
    expect(text).not.toMatch(/[^\n\P{C}]/u)
    expect(text).toContain('! a\\u{1b}[2J\\u{7}\\u{d}\\u{a}\\u{202e}b')
    expect(text.split('\n')[1]).toMatch(/^a\\u\{1b\}\[2J/)
  })
})

test.each([
  [null, '-'],
  [0, '0s'],
  [999, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [3_599_999, '59m'],
  [3_600_000, '1h'],
  [86_399_999, '23h'],
  [86_400_000, '1d'],
  [8_640_000_000, '100d'],
])('an age of %j milliseconds is %s', (milliseconds, text) => {
  expect(age(milliseconds)).toBe(text)
})

test.each<[string, Partial<TunnelRow>, string]>([
  ['with its key', { id: 1234 }, 'provider0 (gre key 1234, mtu 1472): 2 of 2 entries present'],
  ['without a key', { id: null }, 'provider0 (gre, mtu 1472): 2 of 2 entries present'],
])('a tunnel of GRE is shown %s', (_name, parts, line) => {
  expect(renderStatus(report([], { mode: 'gre', port: null, mtu: 1472, ...parts }))).toContain(line)
})
