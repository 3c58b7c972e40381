import { DOCUMENTS, entryKeyOf, kindCode } from '@gossipgrid/core'
import type { CollectionKind, Partition, PartitionName, Peer } from '@gossipgrid/core'
import { DOCUMENT_ROWS, calledSo, counterName, setName } from './covering.ts'

const KINDS = { map: ['map', 'fields'], set: ['set', 'sets'], counter: ['counter', 'counters'] } as const

function codesOf(what: keyof typeof KINDS): readonly number[] {
  return KINDS[what].map((kind) => kindCode({ kind }))
}

/** Code of the kind of the collection of the rows of documents. */
export const DOCUMENT_KIND: number = kindCode(DOCUMENTS)

/** Codes of the kinds of collections that guests have, by what a grant calls them: single ones first, then those under keys. */
export const KIND_CODES: Readonly<Record<ReturnType<typeof calledSo>['what'], readonly number[]>> = {
  map: codesOf('map'),
  set: codesOf('set'),
  counter: codesOf('counter'),
  doc: [DOCUMENT_KIND],
}

/** Codes of the kinds of maps: of whole values, and of fields. */
export const MAP_KINDS: readonly number[] = KIND_CODES.map

/** Whether its rows have slots, each of one writer: sets and counters. */
export function isSlotted(kind: number): boolean {
  return KIND_CODES.set.includes(kind) || KIND_CODES.counter.includes(kind)
}

/** Whether it is a counter, or a collection of them. */
export function isCounting(kind: number): boolean {
  return KIND_CODES.counter.includes(kind)
}

/** Whether it has one set or one counter, without keys. */
function isSingle(kind: number): boolean {
  return kind === KIND_CODES.set[0] || kind === KIND_CODES.counter[0]
}

/** Whether guests have a collection that they call so, of this kind. */
export function isGuestKind(map: string, kind: number): boolean {
  return KIND_CODES[calledSo(map).what].includes(kind)
}

/** What guests and members call a collection; undefined for one that guests have not. */
export function guestNameOf({ collection, kind }: Pick<PartitionName, 'collection' | 'kind'>): string | undefined {
  if (kind === DOCUMENT_KIND) return DOCUMENT_ROWS
  if (KIND_CODES.map.includes(kind)) return collection
  if (KIND_CODES.set.includes(kind)) return setName(collection)
  return KIND_CODES.counter.includes(kind) ? counterName(collection) : undefined
}

/** The key by which grants cover a row: that of its entry. A single set or counter has none, so only a grant without a prefix covers it. */
export function grantKeyOf(kind: number, rowKey: string): string {
  return isSingle(kind) ? '' : entryKeyOf(kind, rowKey)
}

/** Opens a replicated collection by the code of its kind, or the rows of documents. Throws `COLLECTION_MISMATCH`, `COLLECTION_LIMIT`. */
export function openMap(peer: Peer, map: string, code: number): Partition {
  const { name, what } = calledSo(map)
  if (what === 'doc') return peer.collections.internal(DOCUMENTS)
  const kind: CollectionKind = KINDS[what][KIND_CODES[what].indexOf(code)] ?? KINDS[what][1]
  return peer.open({ name, kind, mode: 'replicated', partitions: 1 }).partitions[0]!
}
