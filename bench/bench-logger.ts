import type { Logger } from 'gossipgrid'

/** Only what would spoil a measurement: that a grid is open, or new, is meant here. */
export const benchLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message) => console.error(`gossipgrid: ${message}`),
}
