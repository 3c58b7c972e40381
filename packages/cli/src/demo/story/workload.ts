import type { OrderedWrite } from '../cluster/peer-calls.ts'
import { searchable } from './search-name.ts'

/** How many writes each side of the split makes. */
export interface WorkloadSize {
  readonly edits: number
  readonly deletes: number
  readonly adds: number
  /** Keys that both sides write. */
  readonly contested: number
}

/** The size for a data set: the full one from 2,000 entries on. */
export function workloadSize(entries: number): WorkloadSize {
  const share = Math.min(1, entries / 2000)
  const of = (full: number): number => Math.max(1, Math.floor(full * share))
  return { edits: of(1000), deletes: of(220), adds: of(220), contested: of(150) }
}

/**
 * The writes of each side of a split, in random order: edits, deletes and adds of its own keys, and writes to keys that
 * the other side writes too: both edit, one edits and the other deletes, or both add the same key.
 *
 * @param random a number in [0, 1)
 */
export function planWorkload(
  entries: ReadonlyMap<string, object>,
  size: WorkloadSize,
  random: () => number,
): readonly [readonly OrderedWrite[], readonly OrderedWrite[]] {
  const keys = shuffled([...entries.keys()], random)
  const contested = keys.splice(0, size.contested)
  const sides = [0, 1].map((side): OrderedWrite[] => {
    const deleted = keys.splice(0, size.deletes)
    // The first side takes half of the rest, the second one all that is left.
    const edited = keys.splice(0, side === 0 ? Math.ceil((keys.length - size.deletes) / 2) : keys.length)
    const edit = (key: string, round: number): OrderedWrite => {
      return {
        key,
        value: { ...entries.get(key), population: Math.floor(random() * 1e7), edit: `side ${side}, ${round}` },
      }
    }
    const writes = [
      ...Array.from({ length: size.edits }, (_, i) => edit(edited[i % edited.length]!, Math.floor(i / edited.length))),
      ...deleted.map((key) => ({ key, value: null })),
      ...Array.from({ length: size.adds }, (_, i) => added(`side-${side}-${i}`, side)),
      ...contested.map((key, i) => contestedWrite(key, i, side, edit)),
    ]
    return shuffled(writes, random)
  })
  return [sides[0]!, sides[1]!]
}

/** Of ten contested keys both sides edit seven, each deletes one that the other edits, and both add one. */
function contestedWrite(
  key: string,
  index: number,
  side: number,
  edit: (key: string, round: number) => OrderedWrite,
): OrderedWrite {
  const turn = index % 10
  if (turn === 7 + side) return { key, value: null }
  if (turn === 9) return added(`both-sides-${index}`, side)
  return edit(key, 0)
}

function added(key: string, side: number): OrderedWrite {
  const town = { name: `New town ${key}`, country: 'XX', population: 1, founded: `side ${side}` }
  return { key, value: searchable(town) }
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[result[i], result[j]] = [result[j]!, result[i]!]
  }
  return result
}
