import { READ_ANSWER_MAX_BYTES } from '@gossipgrid/core'
import type { PartitionName, Row } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import { gatherGroups } from '../../queries/aggregate.ts'
import type { Group } from '../../queries/aggregate.ts'
import type { Position } from '../../queries/row-order.ts'
import { runQuery } from '../../queries/run-query.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { Places } from '../places.ts'
import type { Bounds } from './bounds.ts'
import type { CopiedMaps } from './copied-maps.ts'
import type { Question } from './part-question.ts'

/** A key of a partition with its rows, tombstones included. */
export interface PartKey {
  readonly name: PartitionName
  readonly key: string
  readonly rows: readonly Readonly<Row>[]
  /** In place of the rows: some fields of the entry, and the HLC timestamp of its latest row. */
  readonly picked?: { readonly content: Uint8Array; readonly hlc: number }
}

/** What some partitions have to say to a question, taken together. */
export interface Part {
  /** The partitions that it is about. */
  readonly names: readonly PartitionName[]
  /** The keys of the rows, for a question for rows. */
  readonly keys: readonly PartKey[]
  /** The rows end here, and others may follow. */
  readonly end: Position | undefined
  readonly looked: number
  readonly index: readonly string[] | undefined
  readonly ordered: boolean
  readonly groups: readonly Group[]
  /** For a question that asks for them: where the changes of the partitions stood before the rows were found. */
  readonly cursors: ReadonlyMap<PartitionName, Uint8Array>
}

export interface OwnPartDeps {
  readonly pump: Pump
  readonly copies: CopiedMaps
}

/**
 * Answers a question from the copies of this peer. Undefined if one of them has gone meanwhile: what was found may lack some of
 * it. Throws `QUERY_TOO_LARGE` past the bounds.
 */
export async function ownPart(
  { pump, copies }: OwnPartDeps,
  names: readonly PartitionName[],
  places: Places,
  question: Question,
  bounds: Bounds,
): Promise<Part | undefined> {
  const map = copies.of(names[0]!)
  if (map === undefined) return undefined
  const { partitions } = pump.peer
  // For another peer, what this one has read elsewhere does not count: that peer adds what it knows itself.
  const isAsked = bounds.lookedMax !== undefined
  const deps = { source: map.source(names), indexes: map.indexes, ...bounds }
  const isThere = (): boolean => names.every((name) => partitions.isWhole(name))
  const cursors = await cursorsOf(pump, question.type === 'rows' && question.cursors ? names : [])
  const part = { names, keys: [], end: undefined, looked: 0, index: undefined, ordered: false, groups: [], cursors }
  if (question.type === 'groups') {
    const groups = await gatherGroups(deps, question.aggregate)
    return isThere() ? { ...part, groups: [...groups.values()] } : undefined
  }
  const found = await runQuery(deps, question.query)
  if (!isThere()) return undefined
  const keys: PartKey[] = []
  let end = found.next
  let bytes = 0
  for (const [i, { key }] of found.rows.entries()) {
    const name = places.of(key)
    const rows = isAsked ? partitions.inCopy(name, key) : partitions.known(name, key)
    bytes += rows.reduce((sum, row) => sum + row.key.length + row.end - row.start, 0)
    if (i > 0 && bytes > READ_ANSWER_MAX_BYTES) {
      end = found.rows[i - 1]
      break
    }
    keys.push({ name, key, rows })
  }
  const { plan, looked } = found
  return { ...part, keys, end, looked, index: plan?.index.names, ordered: plan?.ordered === true }
}

/** Resolves when what the cursors stand for is durable, or the grid closes. */
async function cursorsOf(pump: Pump, names: readonly PartitionName[]): Promise<ReadonlyMap<PartitionName, Uint8Array>> {
  if (names.length === 0) return new Map()
  const { promise, resolve } = Promise.withResolvers<readonly Uint8Array[]>()
  const off = onAbort(pump.closing, () => resolve([]))
  pump.undisturbed(() => pump.peer.partitions.cursors(names, pump.now(), resolve))
  pump.tickSoon()
  const cursors = await promise
  off()
  return new Map(cursors.map((cursor, place) => [names[place]!, cursor]))
}
