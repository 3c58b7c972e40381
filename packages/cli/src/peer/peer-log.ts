import type { Logger } from 'gossipgrid'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const LOG_FORMATS = ['text', 'json'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Logs of a peer, one line each, on stderr. Under systemd the journal adds the time. */
export function peerLog(level: LogLevel, format: LogFormat, write: (line: string) => void = toStderr): Logger {
  const least = LOG_LEVELS.indexOf(level)
  const timed = (process.env['JOURNAL_STREAM'] ?? '') === ''
  const log = (of: LogLevel, message: string): void => {
    if (LOG_LEVELS.indexOf(of) < least) return
    const time = new Date().toISOString()
    if (format === 'json') write(JSON.stringify({ time, level: of, message }))
    else write(`${timed ? `${time} ` : ''}${of.padEnd(5)} ${message}`)
  }
  return {
    debug: (message) => log('debug', message),
    info: (message) => log('info', message),
    warn: (message) => log('warn', message),
    error: (message) => log('error', message),
  }
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}
