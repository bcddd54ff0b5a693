import { describe, expect, test } from 'vitest'
import { makeLog, type Log, type LogLevel } from './log.ts'

function logged(level: LogLevel, terminal: boolean, write: (log: Log) => void): string {
  const lines: string[] = []
  write(makeLog(level, terminal, { write: (line) => void lines.push(line) }))
  return lines.join('')
}

describe('a log', () => {
  test("is one line of JSON an event: level by its word, time, the event's own fields, and a sentence", () => {
    const line = logged('info', false, (log) => log.info({ event: 'kernel', device: 'provider0' }, 'bridge fdb append'))
    expect(line).toMatch(/^\{[^\n]*\}\n$/)
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>
    expect(rest).toEqual({ level: 'info', event: 'kernel', device: 'provider0', msg: 'bridge fdb append' })
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('keeps to one line whatever is in it', () => {
    expect(logged('info', false, (log) => log.info({ event: 'x', reason: 'a\nb\u001B[31m' }, 'c\nd')).split('\n')).toHaveLength(2)
  })

  test('at a terminal is readable: time of day, level and sentence, no fields', () => {
    const line = logged('info', true, (log) => log.warn({ event: 'kernel', device: 'provider0' }, 'provider0 is gone'))
    // oxlint-disable-next-line no-control-regex -- colours, where there are any
    expect(line.replaceAll(/\u001B\[[0-9]+m/g, '')).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: provider0 is gone\n$/)
  })

  test.each([
    ['error', ['error']],
    ['warn', ['error', 'warn']],
    ['info', ['error', 'warn', 'info']],
    ['debug', ['error', 'warn', 'info', 'debug']],
  ] as const)('of level %s says %j', (level, said) => {
    const text = logged(level, false, (log) => {
      log.error('')
      log.warn('')
      log.info('')
      log.debug('')
    })
    expect([...text.matchAll(/"level":"(\w+)"/g)].map(([, each]) => each)).toEqual(said)
  })
})
