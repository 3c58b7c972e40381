import type { PartitionCopy } from '../cluster/peer-calls.ts'
import type { DemoLedger } from '../story/ledger.ts'

/** How often the acknowledged entries are there. */
export interface CopyCount {
  /** The fewest peers that have the latest acknowledged write of an entry. */
  readonly min: number
  /** The most peers that have an entry, in whichever version. */
  readonly max: number
  /** The key with the fewest. */
  readonly scarcest: string
}

/**
 * Counts in how many copies each entry of the ledger is, by what the tables of all peers have. Keys with a write that was never
 * answered are left out: it may be there or not.
 */
export function countCopies(ledger: DemoLedger, peers: Iterable<readonly PartitionCopy[]>): CopyCount {
  const latest = new Map<string, number>()
  const all = new Map<string, number>()
  for (const { entries } of [...peers].flat()) {
    for (const [key, hlc] of entries) {
      all.set(key, (all.get(key) ?? 0) + 1)
      if (ledger.standing(key)?.version[0] === hlc) latest.set(key, (latest.get(key) ?? 0) + 1)
    }
  }
  let [min, max, scarcest] = [Infinity, 0, '']
  for (const { key, value } of ledger.all()) {
    if (value === null || !ledger.isCertain(key)) continue
    const count = latest.get(key) ?? 0
    if (count < min) [min, scarcest] = [count, key]
    max = Math.max(max, all.get(key) ?? 0)
  }
  return { min: min === Infinity ? 0 : min, max, scarcest }
}

/** The entries of each partition, by its number, as any of the peers has them. */
export function entriesOfPartitions(peers: Iterable<readonly PartitionCopy[]>): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const { index, entries } of [...peers].flat())
    counts.set(index, Math.max(counts.get(index) ?? 0, entries.length))
  return counts
}

/** The peers that own each partition, by its number. */
export type Owners = readonly ReadonlySet<number>[]

/** Reads the owners of all partitions from the pictures of the peers: see `PartitionsState`. */
export function ownersOf(pictures: ReadonlyMap<number, string>): Owners {
  const [first = ''] = pictures.values()
  return Array.from(first, (_, index) => {
    const owning = [...pictures].filter(([, picture]) => picture[index] === 'w' || picture[index] === 'c')
    return new Set(owning.map(([peer]) => peer))
  })
}

/** The fewest entries that had to move from one set of owners to the next: those of partitions that a peer owns newly. */
export function entriesToMove(before: Owners, after: Owners, entries: ReadonlyMap<number, number>): number {
  let sum = 0
  for (const [index, owners] of after.entries()) {
    const come = [...owners].filter((peer) => before[index]?.has(peer) !== true).length
    sum += come * (entries.get(index) ?? 0)
  }
  return sum
}
