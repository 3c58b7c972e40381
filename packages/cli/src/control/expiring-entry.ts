import { GridError } from 'gossipgrid'
import type { GridMap } from 'gossipgrid'

const YEAR_MS = 365 * 24 * 3_600_000

/** Writes an entry that expires at that time, unless it has come. */
export async function setExpiring(
  map: GridMap<unknown>,
  key: string,
  value: unknown,
  expiresAtMs: number,
): Promise<'written' | 'expired'> {
  try {
    await map.set(key, value, { expiresAt: new Date(expiresAtMs) })
  } catch (error) {
    // Here the option is a part of the row.
    if (!(error instanceof GridError) || error.code !== 'INVALID_OPTION') throw error
    if (expiresAtMs < Date.now() + YEAR_MS) return 'expired'
    throw new GridError('INVALID_VALUE', 'expiresAt is more than ten years from now', { cause: error })
  }
  return 'written'
}
