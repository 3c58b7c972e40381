import { GridError } from '../errors.ts'
import { NAME_MAX_BYTES } from '../limits.ts'

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

/** What a message means that names a collection and no kind: all that the first version knew. */
export const MAP_CODE = 1

/** On the wire and in the store, kind and mode are one byte. Codes are never reused. */
const CODES: readonly { readonly code: number; readonly kind: CollectionKind; readonly mode: CollectionMode }[] = [
  { code: MAP_CODE, kind: 'map', mode: 'replicated' },
  { code: 2, kind: 'counter', mode: 'replicated' },
  { code: 3, kind: 'set', mode: 'replicated' },
  { code: 4, kind: 'fields', mode: 'replicated' },
  { code: 5, kind: 'registry', mode: 'replicated' },
  { code: 6, kind: 'document', mode: 'replicated' },
]

/** What peers must agree on of the grid itself. */
export const REGISTRY: CollectionDescriptor = { name: 'grid', kind: 'registry', mode: 'replicated', partitions: 1 }
/** The rows of all documents. */
export const DOCUMENTS: CollectionDescriptor = {
  name: 'documents',
  kind: 'document',
  mode: 'replicated',
  partitions: 1,
}

/** Whether it is one of the grid's own collections, for each of which there is a place whatever else there is. */
export function isReserved({ name, kind }: CollectionDescriptor): boolean {
  return (kind === 'registry' && name === REGISTRY.name) || (kind === 'document' && name === DOCUMENTS.name)
}

/** Whether collections of a kind are the grid's own: their names are nobody's choice. */
export function isInternal(kind: CollectionKind): boolean {
  return kind === 'registry' || kind === 'document'
}

/** All kinds that this version knows. */
export const KIND_CODES: readonly number[] = CODES.map(({ code }) => code)

export function kindCode(descriptor: CollectionDescriptor): number {
  return CODES.find((entry) => entry.kind === descriptor.kind && entry.mode === descriptor.mode)!.code
}

/** The descriptor a peer means by a name and a code; undefined for a code of a later version. */
export function descriptorOf(name: string, code: number): CollectionDescriptor | undefined {
  const entry = CODES.find((candidate) => candidate.code === code)
  return entry === undefined ? undefined : { name, kind: entry.kind, mode: entry.mode, partitions: 1 }
}

export function describeKind(descriptor: CollectionDescriptor): string {
  return `${descriptor.mode} ${descriptor.kind}`
}

/** The kind that a code means; undefined for a code of a later version. */
export function kindOf(code: number): CollectionKind | undefined {
  return CODES.find((entry) => entry.code === code)?.kind
}

/** Throws `INVALID_NAME` unless `name` can name a collection or a grid: 1 to 128 bytes of well-formed text, no controls. */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string') throw new GridError('INVALID_NAME', `a ${what} name is text, not ${typeof name}`)
  if (name === '') throw new GridError('INVALID_NAME', `a ${what} name must not be empty`)
  if (!name.isWellFormed()) throw new GridError('INVALID_NAME', `a ${what} name must be well-formed text`)
  if (hasControls(name)) {
    throw new GridError('INVALID_NAME', `a ${what} name must not contain control characters`)
  }
  const sizeBytes = new TextEncoder().encode(name).length
  if (sizeBytes > NAME_MAX_BYTES) {
    throw new GridError('INVALID_NAME', `a ${what} name of ${sizeBytes} bytes; the limit is ${NAME_MAX_BYTES}`)
  }
}

export function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
