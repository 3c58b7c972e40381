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
  warn: (message) => console.warn(`gossipgrid: ${message}`),
  error: (message) => console.error(`gossipgrid: ${message}`),
}
