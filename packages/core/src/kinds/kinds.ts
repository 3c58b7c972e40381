import { mainOf } from '../bytes/composite-key.ts'
import { checkDocumentRow, reissuedValue } from './document-row.ts'
import type { Row } from '../entries/entry-table.ts'
import { checkCounterRow, checkCountersRow, checkExpiringRow, checkSetRow, checkSetsRow } from './row-forms.ts'

/**
 * What the entries of a collection are. `fields` is a map whose objects merge field by field. `counters` and `sets` have a
 * counter or a set under each key. `registry` (what peers agree on), `document` (the rows of all documents) and `drops` (which
 * collections were dropped) and `guests` (what members agree on about guests) are internal: a grid has one collection of each.
 */
export type CollectionKind =
  | 'map'
  | 'counter'
  | 'set'
  | 'fields'
  | 'registry'
  | 'document'
  | 'counters'
  | 'sets'
  | 'drops'
  | 'guests'

/** Which peers have a collection: every peer has all of it, or each partition has owners. */
export type CollectionMode = 'replicated' | 'partitioned'

/**
 * The identity of a collection. Collections of one name that differ in it never exchange a row. To change it, copy the
 * entries into a new collection.
 */
export interface CollectionDescriptor {
  readonly name: string
  readonly kind: CollectionKind
  readonly mode: CollectionMode
  /** Number of partitions: 1 for a replicated collection, else a power of two. */
  readonly partitions: number
  /** Peers that hold each partition; undefined: every peer. */
  readonly owners?: number
}

/** Everything that core does differently for one kind of collection. */
export interface KindRules {
  /** The number of the kind on the wire and in the store. A code is never reused. The mode follows from the partition's number. */
  readonly code: number
  /** Throws `MESSAGE_MALFORMED` for a row that no honest peer writes. `replicaId` is that of the row's dot. */
  readonly checkRow?: (row: Readonly<Row>, replicaId: string) => void
  /** Keys have two parts (see `compositeKey`), and entries that share the first part are found together. */
  readonly hasCompositeKeys?: boolean
  /** A remove wins only over the version that its writer saw, so that an add wins over a concurrent remove. */
  readonly addWins?: boolean
  /** A concurrent version that loses is reported, because an application wrote it as a whole. */
  readonly reportsConflicts?: boolean
  /** The value of a row that is issued again under another replica id than `author`; undefined: it stays as it is. */
  readonly reissuedValue?: (row: Readonly<Row>, author: string) => Uint8Array | undefined
  /** A grid has one collection of this kind, under this name. Applications cannot open it, and it counts in no limit. */
  readonly internalName?: string
  /** No application wrote any of it: status and lag leave it out. */
  readonly isBookkeeping?: boolean
}

/** The kinds that this version knows. A new kind is one more entry. */
export const KINDS: Readonly<Record<CollectionKind, KindRules>> = {
  map: { code: 1, checkRow: checkExpiringRow, reportsConflicts: true },
  counter: { code: 2, checkRow: checkCounterRow },
  set: { code: 3, checkRow: checkSetRow, hasCompositeKeys: true, addWins: true },
  fields: { code: 4, checkRow: checkExpiringRow, hasCompositeKeys: true, reportsConflicts: true },
  registry: { code: 5, internalName: 'grid', isBookkeeping: true },
  document: {
    code: 6,
    checkRow: checkDocumentRow,
    hasCompositeKeys: true,
    reissuedValue,
    internalName: 'documents',
  },
  counters: { code: 7, checkRow: checkCountersRow, hasCompositeKeys: true, addWins: true },
  sets: { code: 8, checkRow: checkSetsRow, hasCompositeKeys: true, addWins: true },
  drops: { code: 9, hasCompositeKeys: true, internalName: 'drops', isBookkeeping: true },
  guests: { code: 10, internalName: 'guests', isBookkeeping: true },
}

/**
 * Whether a row is later than the one before of its key, under whichever replica ids: by its date, or, where `addWins`, as the
 * remove of that very add.
 */
export function isLaterRow(
  addWins: boolean,
  row: Readonly<Pick<Row, 'hlc' | 'bytes'>>,
  before: { readonly hlc: number; readonly isRemoved: boolean },
): boolean {
  if (row.hlc !== before.hlc) return row.hlc > before.hlc
  return addWins && row.bytes === undefined && !before.isRemoved
}

const BY_CODE: ReadonlyMap<number, CollectionKind> = new Map(
  (Object.keys(KINDS) as CollectionKind[]).map((kind) => [KINDS[kind].code, kind]),
)

/** The kind of a collection in messages that name none: version 1 knew only maps. */
export const MAP_CODE: number = KINDS.map.code

/** The codes of all kinds that this version knows. */
export const KIND_CODES: readonly number[] = [...BY_CODE.keys()]

/** What peers agree on about the grid itself. */
export const REGISTRY: CollectionDescriptor = internalDescriptor('registry')
/** The rows of all documents. */
export const DOCUMENTS: CollectionDescriptor = internalDescriptor('document')
/** Which collections were dropped. */
export const DROPS: CollectionDescriptor = internalDescriptor('drops')
/** What members agree on about guests; at a guest, what it keeps about itself. */
export const GUESTS: CollectionDescriptor = internalDescriptor('guests')

/** Whether it is one of the grid's internal collections. They do not count in the limit of collections. */
export function isReserved({ name, kind }: CollectionDescriptor): boolean {
  return KINDS[kind].internalName === name
}

/** Whether collections of a kind are internal, so that applications cannot open them. */
export function isInternal(kind: CollectionKind): boolean {
  return KINDS[kind].internalName !== undefined
}

export function kindCode({ kind }: Pick<CollectionDescriptor, 'kind'>): number {
  return KINDS[kind].code
}

/**
 * The descriptor of a collection, going by its name and the code of its kind: partitioned if `shape` says so. Undefined for
 * a code of a later version.
 */
export function descriptorOf(
  name: string,
  code: number,
  shape?: { readonly partitions: number; readonly owners: number },
): CollectionDescriptor | undefined {
  const kind = BY_CODE.get(code)
  if (kind === undefined) return undefined
  return shape === undefined
    ? { name, kind, mode: 'replicated', partitions: 1 }
    : { name, kind, mode: 'partitioned', ...shape }
}

/** Whether two descriptors mean one collection. */
export function isSameCollection(a: CollectionDescriptor, b: CollectionDescriptor): boolean {
  return a.name === b.name && a.kind === b.kind && a.partitions === b.partitions && a.owners === b.owners
}

export function describeKind({ kind, mode, owners, partitions }: CollectionDescriptor): string {
  const names: Partial<Record<CollectionKind, string>> = {
    fields: 'map with fields',
    counters: 'collection of counters',
    sets: 'collection of sets',
  }
  const what = names[kind] ?? kind
  return mode === 'replicated'
    ? `replicated ${what}`
    : `partitioned ${what} (${partitions} partitions, ${owners} owners)`
}

/** The rules of the kind that a code means; undefined for a code of a later version. */
export function rulesOf(code: number): KindRules | undefined {
  const kind = BY_CODE.get(code)
  return kind === undefined ? undefined : KINDS[kind]
}

/** The part of a row's key that all rows of one entry share: all of it in a kind without composite keys, where keys are any text. */
export function entryKeyOf(code: number, rowKey: string): string {
  return rulesOf(code)?.hasCompositeKeys === true ? mainOf(rowKey) : rowKey
}

function internalDescriptor(kind: CollectionKind): CollectionDescriptor {
  return { name: KINDS[kind].internalName!, kind, mode: 'replicated', partitions: 1 }
}
