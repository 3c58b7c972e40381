import type { LogFields, Logger } from 'gossipgrid'
import { visibleJson, visibleLine } from '../terminal/visible.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const LOG_FORMATS = ['text', 'json'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Logs of a peer, one line each, on stderr. Under systemd the journal adds the time. */
export function peerLog(level: LogLevel, format: LogFormat, write: (line: string) => void = toStderr): Logger {
  const least = LOG_LEVELS.indexOf(level)
  const timed = (process.env['JOURNAL_STREAM'] ?? '') === ''
  const log = (of: LogLevel, message: string, fields?: LogFields): void => {
    if (LOG_LEVELS.indexOf(of) < least) return
    const time = new Date().toISOString()
    if (format === 'json') write(visibleJson(JSON.stringify({ ...fields, time, level: of, message }, plain)))
    else write(`${timed ? `${time} ` : ''}${of.padEnd(5)} ${visibleLine(message)}`)
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

/** Errors have no JSON of their own, and bigints none at all. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? String(value) : value
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}
