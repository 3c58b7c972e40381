/** Where a grid tells what happens. `console` fits; so do most loggers. */
export interface Logger {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Warnings and errors on the console, nothing else. */
export const quietLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => console.warn(`gossipgrid: ${message}`),
  error: (message) => console.error(`gossipgrid: ${message}`),
}
