import { hashHex, hashText } from '../bytes/hash.ts'
import { INDEXES_DEFINED_MAX, KEY_MAX_BYTES } from '../limits.ts'
import type { Written } from '../writes/local-writes.ts'
import { readRow } from './registry-rows.ts'
import type { RegistryRows } from './registry-rows.ts'

/** The prefix of the rows that define indexes of partitioned collections. */
export const INDEX_ROWS = 'index/'

const FIELDS_MAX = 8
const HASH_PATTERN = /^[0-9a-f]{16}$/

/** A registration of a partitioned collection. */
export interface IndexedCollection {
  readonly name: string
  readonly kind: number
  readonly origin: string
}

/** The indexes that the owners of partitioned collections are to keep, as the registry says. Malformed rows are ignored. */
export class IndexRows {
  readonly #rows: RegistryRows

  constructor(rows: RegistryRows) {
    this.#rows = rows
  }

  /** The fields of each index of a collection: at most 32, the same ones on every peer. */
  of(collection: IndexedCollection): (readonly string[])[] {
    const prefix = prefixOf(collection)
    const found = this.#rows.of(prefix).flatMap(({ key, value }) => {
      // Another collection may have a name that begins so.
      if (!HASH_PATTERN.test(key.slice(prefix.length))) return []
      const fields = readRow(value, (row) => row.texts('fields', FIELDS_MAX, KEY_MAX_BYTES))
      return fields === undefined || fields.length === 0 || key !== keyOf(collection, fields) ? [] : [{ key, fields }]
    })
    return found
      .toSorted((one, other) => (one.key < other.key ? -1 : 1))
      .slice(0, INDEXES_DEFINED_MAX)
      .map(({ fields }) => fields)
  }

  define(collection: IndexedCollection, fields: readonly string[]): Written {
    return this.#rows.write(keyOf(collection, fields), { fields })
  }

  /** Undefined if there is no such index. */
  remove(collection: IndexedCollection, fields: readonly string[]): Written | undefined {
    return this.#rows.delete(keyOf(collection, fields))
  }
}

function prefixOf({ name, kind, origin }: IndexedCollection): string {
  return `${INDEX_ROWS}${kind}-${origin}/${name}/`
}

function keyOf(collection: IndexedCollection, fields: readonly string[]): string {
  const text = fields.join('\0')
  return prefixOf(collection) + hashHex({ high: hashText(text, 1), low: hashText(text, 2) })
}
