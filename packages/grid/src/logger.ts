/** Fields of a log message, for programs: `{ peerId, code, collection, ms, ... }`. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Gets the log messages of a grid. A message is complete without its fields. `console` is a logger. For one that takes the
 * fields first, such as pino, swap the arguments in each method.
 */
export interface Logger {
  /** Every change of a member, and every dial that failed. */
  debug(message: string, fields?: LogFields): void
  /** Seldom and of interest, such as a new replica id. */
  info(message: string, fields?: LogFields): void
  /** Something was refused, damaged or redialled: look at it today. */
  warn(message: string, fields?: LogFields): void
  /** Data is at risk, or a listener threw. */
  error(message: string, fields?: LogFields): void
}

/** Logs warnings and errors to the console, and nothing else. */
export const quietLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => console.warn(`gossipgrid: ${shown(message)}`),
  error: (message) => console.error(`gossipgrid: ${shown(message)}`),
}

/** Control characters except tab and line feed, and characters that change the direction of text. */
// oxlint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Escapes control characters: parts of a message may come from other peers, and could send commands to a terminal. */
function shown(message: string): string {
  return message.replaceAll(HIDDEN, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
