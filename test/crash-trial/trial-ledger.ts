import { roundOf, trialBurst } from './trial-writes.ts'

/** How many bursts after the last reported one may have been under way. */
const UNKNOWN_BURSTS_MAX = 1000

/** What a directory must contain. The test keeps it, outside of the writing program, from the acknowledged writes. */
export class TrialLedger {
  #state = new Map<string, number>()

  /**
   * Throws unless `found` (the number of the write under each key) is the earlier state with a prefix of the round's
   * writes,
   * and this prefix includes every acknowledged write. That is stricter than the promise, and holds because a peer logs
   * its
   * writes in order. The next round starts from `found`.
   */
  check(round: number, found: Readonly<Record<string, number>>, lastAcknowledged: number): void {
    const entries = new Map(Object.entries(found))
    const newest = Math.max(lastAcknowledged, ...[...entries.values()].filter((n) => roundOf(n) === round))
    const expected = new Map(this.#state)
    const different = new Set(
      [...expected.keys(), ...entries.keys()].filter((key) => expected.get(key) !== entries.get(key)),
    )
    let complaint = ''
    let past = 0
    for (let burst = 0; past <= UNKNOWN_BURSTS_MAX; burst++) {
      for (const { n, key, type } of trialBurst(round, burst)) {
        if (n > newest) {
          if (different.size === 0) {
            this.#state = entries
            return
          }
          if (past === 0 && complaint === '') complaint = describe(different, expected, entries)
        }
        if (type === 'set') expected.set(key, n)
        else expected.delete(key)
        if (expected.get(key) === entries.get(key)) different.delete(key)
        else different.add(key)
      }
      if (complaint !== '') past += 1
    }
    throw new Error(`Round ${round}, acknowledged up to ${lastAcknowledged}, newest ${newest}: ${complaint}`)
  }
}

function describe(
  different: ReadonlySet<string>,
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): string {
  const list = [...different].slice(0, 5)
  const text = list.map((key) => `'${key}' is of write ${found.get(key) ?? 'none'}, not ${expected.get(key) ?? 'none'}`)
  return `${different.size} entries differ: ${text.join('; ')}`
}
