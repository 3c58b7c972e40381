/** What a line of the log is about, for programs to read: `{ peerId, code, collection, ms, ... }`. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Where a grid tells what happens. The message is for people and complete without the fields. `console` fits; for a
 * logger that takes the fields first, such as pino, a line each swaps them.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Warnings and errors on the console, nothing else. */
export const quietLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => console.warn(`gossipgrid: ${shown(message)}`),
  error: (message) => console.error(`gossipgrid: ${shown(message)}`),
}

/** Control characters but tab and line feed, and those that turn the direction of writing. */
// oxlint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Parts of a message may come from other peers: what could command a terminal is shown as an escape. */
function shown(message: string): string {
  return message.replaceAll(HIDDEN, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
