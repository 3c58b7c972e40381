/** The wait before the first redial, of an address that failed or a neighbour that was lost, without jitter. */
export const BACKOFF_MIN_MS = 500
/** The longest wait between two redials of one peer, without jitter. */
export const BACKOFF_MAX_MS = 30_000

/** With up to so many other members, a lost neighbour is dialled again after the shortest wait. */
const SPREAD_FROM_MEMBERS = 16
/** How much later than the one before each further member dials, on average. */
const SPREAD_MS_PER_MEMBER = 60
const SPREAD_MAX_MS = 30_000

/**
 * How much longer than the shortest wait a peer waits before it dials a lost neighbour again. In a large grid many others may have
 * lost the same one: they would come back in the same half second, and a hub that has just started would have all handshakes at once.
 *
 * @param members how many other members this peer knows of
 * @param random a number in [0, 1)
 */
export function spreadMs(members: number, random: number): number {
  const spreadMaxMs = Math.min(SPREAD_MAX_MS, Math.max(0, members - SPREAD_FROM_MEMBERS) * SPREAD_MS_PER_MEMBER)
  return random * spreadMaxMs
}

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
