import type { Logger } from 'gossipgrid'

/** Prints errors alone. Warnings, such as that a grid is open to all or its directory new, are expected in a bench. */
export const benchLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message) => console.error(`gossipgrid: ${message}`),
}
