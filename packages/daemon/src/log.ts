/**
 * The daemon's log. One line an event, with fixed fields: JSON, or readable where a person watches.
 *
 * `error`: it cannot do its work. `warn`: somebody should look. `info`: a member or the kernel changed, or the daemon
 * itself did. `debug`: one link, one dial, one thing dropped. Names and addresses have passed their parsers; what else is
 * in a line, a reason that the system or a library gave say, is made printable on its way out.
 */
import { printableJson } from '@vxmesh/core'
import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { prettyFactory } from 'pino-pretty'

export type Log = Logger

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** A log on standard output, or where else each line is to go: JSON or, for a person at a terminal, readable. */
export function makeLog(level: LogLevel, terminal: boolean, output: DestinationStream = pino.destination({ fd: 1, sync: true })): Log {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }
  if (!terminal) return pino(options, { write: (line) => output.write(shown(line)) })
  const readable = prettyFactory({ hideObject: true, translateTime: 'SYS:HH:MM:ss.l' })
  return pino(options, { write: (line) => output.write(readable(shown(line))) })
}

/** What pino leaves in a line, as it is or escaped, that is not to be shown. */
const SUSPECT = /[^\u0020-\u007E]|\\[bfnrtu]/

/** A line with all its texts printable; nearly all are. */
function shown(line: string): string {
  return SUSPECT.test(line.trimEnd()) ? `${printableJson(JSON.parse(line))}\n` : line
}

/** How many different things are logged once each; all that is dropped is counted. */
const ONCE_MOST = 200

export type Once = (key: string, text: string) => void

/** Warns of each thing once, and of a bounded number of things. */
export function once(log: Log): Once {
  const said = new Set<string>()
  return (key, text) => {
    if (said.has(key) || said.size >= ONCE_MOST) return
    said.add(key)
    log.warn({ event: 'warning' }, text)
  }
}
