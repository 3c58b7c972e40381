/** The wait before the first redial, of an address that failed or a neighbour that was lost, without jitter. */
export const BACKOFF_MIN_MS = 500
/** The longest wait between two redials of one peer, without jitter. */
export const BACKOFF_MAX_MS = 30_000

/**
 * The wait before a redial, after `failures` failures in a row. It doubles from 500 ms to 30 s. A random factor in [0.5, 1]
 * keeps many peers that lost the same neighbour from coming back in the same instant.
 *
 * @param failures how often dialling has failed already; 0 for a connection just lost
 * @param random a number in [0, 1)
 */
export function backoffMs(failures: number, random: number): number {
  const grown = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 16))
  return grown * (0.5 + random / 2)
}
