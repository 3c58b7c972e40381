/** The wait before the first redial of an address that failed or a neighbour that was lost, before jitter. */
export const BACKOFF_MIN_MS = 500
/** The longest wait between two redials of one peer, before jitter. */
export const BACKOFF_MAX_MS = 30_000

/**
 * How long to wait before redialling after `failures` failures in a row: doubling from 500 ms to 30 s, times a factor
 * in [0.5, 1], so that many peers that lost the same neighbour do not come back in the same instant.
 *
 * @param failures how often it has failed already, 0 for a connection just lost
 * @param random a number in [0, 1)
 */
export function backoffMs(failures: number, random: number): number {
  const grown = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 16))
  return grown * (0.5 + random / 2)
}
