import { checkDocumentRow, reissuedValue } from './document-row.ts'
import type { Row } from '../entries/entry-table.ts'
import { checkCounterRow, checkExpiringRow, checkSetRow } from './row-forms.ts'

/**
 * What the entries of a collection are. `fields` is a map whose objects merge field by field. Of `registry` and `document` a
 * grid has one collection each, which no application opens: what peers agree on, and the rows of all documents.
 */
export type CollectionKind = 'map' | 'counter' | 'set' | 'fields' | 'registry' | 'document'

/** Whether every peer holds all of a collection, or owners hold its partitions. */
export type CollectionMode = 'replicated'

/**
 * A collection's identity: peers compare it when they meet, and two collections of one name that differ in it never
 * exchange a row. Changing it means copying into a new collection.
 */
export interface CollectionDescriptor {
  readonly name: string
  readonly kind: CollectionKind
  readonly mode: CollectionMode
  /** Number of partitions; 1 for replicated collections. */
  readonly partitions: number
}

/** All that core does differently for one kind of collection. */
export interface KindRules {
  /** What stands for kind and mode on the wire and in the store. Codes are never reused. */
  readonly codes: Readonly<Record<CollectionMode, number>>
  /** Throws `MESSAGE_MALFORMED` for a row that no peer writes; `replicaId` is that of the row's dot. */
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
  map: { codes: { replicated: 1 }, checkRow: checkExpiringRow, reportsConflicts: true },
  counter: { codes: { replicated: 2 }, checkRow: checkCounterRow },
  set: { codes: { replicated: 3 }, checkRow: checkSetRow, hasCompositeKeys: true, addWins: true },
  fields: { codes: { replicated: 4 }, checkRow: checkExpiringRow, hasCompositeKeys: true, reportsConflicts: true },
  registry: { codes: { replicated: 5 }, internalName: 'grid', isBookkeeping: true },
  document: {
    codes: { replicated: 6 },
    checkRow: checkDocumentRow,
    hasCompositeKeys: true,
    reissuedValue,
    internalName: 'documents',
  },
}

interface Coded {
  readonly kind: CollectionKind
  readonly mode: CollectionMode
}

const BY_CODE: ReadonlyMap<number, Coded> = new Map(
  (Object.keys(KINDS) as CollectionKind[]).map((kind) => [KINDS[kind].codes.replicated, { kind, mode: 'replicated' }]),
)

/** What a message means that names a collection and no kind: all that the first version knew. */
export const MAP_CODE: number = KINDS.map.codes.replicated

/** The codes of all kinds that this version knows. */
export const KIND_CODES: readonly number[] = [...BY_CODE.keys()]

/** What peers must agree on of the grid itself. */
export const REGISTRY: CollectionDescriptor = internalDescriptor('registry')
/** The rows of all documents. */
export const DOCUMENTS: CollectionDescriptor = internalDescriptor('document')

/** Whether it is one of the grid's own collections, for each of which there is a place whatever else there is. */
export function isReserved({ name, kind }: CollectionDescriptor): boolean {
  return KINDS[kind].internalName === name
}

/** Whether collections of a kind are the grid's own: no application chooses their names. */
export function isInternal(kind: CollectionKind): boolean {
  return KINDS[kind].internalName !== undefined
}

export function kindCode({ kind, mode }: CollectionDescriptor): number {
  return KINDS[kind].codes[mode]
}

/** The descriptor a peer means by a name and a code; undefined for a code of a later version. */
export function descriptorOf(name: string, code: number): CollectionDescriptor | undefined {
  const coded = BY_CODE.get(code)
  return coded === undefined ? undefined : { name, ...coded, partitions: 1 }
}

export function describeKind(descriptor: CollectionDescriptor): string {
  return `${descriptor.mode} ${descriptor.kind}`
}

/** The rules of the kind that a code means; undefined for a code of a later version. */
export function rulesOf(code: number): KindRules | undefined {
  const coded = BY_CODE.get(code)
  return coded === undefined ? undefined : KINDS[coded.kind]
}

function internalDescriptor(kind: CollectionKind): CollectionDescriptor {
  return { name: KINDS[kind].internalName!, kind, mode: 'replicated', partitions: 1 }
}
