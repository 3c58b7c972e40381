import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { REGISTRY } from '../kinds/kinds.ts'
import { VALUE_MAX_BYTES } from '../limits.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import { Fields } from '../wire/fields.ts'
import type { Written } from '../writes/local-writes.ts'

/** A row of the registry. */
export interface RegistryRow {
  readonly key: string
  readonly value: Uint8Array
  readonly hlc: number
  readonly replicaId: string
}

export interface RegistryRowsDeps {
  readonly collections: Collections
  write(partition: Partition, key: string, value: Uint8Array | undefined): Written
}

/** The rows of the registry as such, whatever they say. */
export class RegistryRows {
  readonly #deps: RegistryRowsDeps

  constructor(deps: RegistryRowsDeps) {
    this.#deps = deps
  }

  /** The rows whose keys begin with a prefix. */
  of(prefix: string): RegistryRow[] {
    const { collections } = this.#deps
    const { table } = this.partition.replica
    const rows: RegistryRow[] = []
    for (const slot of table.slots()) {
      // Reading the key of a tombstone takes long.
      if (table.deleted(slot) || !table.key(slot).startsWith(prefix)) continue
      const replicaId = collections.ids.id(table.writer(slot))
      rows.push({ key: table.key(slot), value: table.value(slot)!, hlc: table.hlc(slot), replicaId })
    }
    return rows
  }

  write(key: string, value: Record<string, unknown>): Written {
    return this.#deps.write(this.partition, key, encodeValue(value, VALUE_MAX_BYTES))
  }

  delete(key: string): Written | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    if (slot === undefined || table.deleted(slot)) return undefined
    return this.#deps.write(this.partition, key, undefined)
  }

  get partition(): Partition {
    return this.#deps.collections.internal(REGISTRY)
  }
}

/** Reads a row; undefined if it is malformed. */
export function readRow<T>(value: Uint8Array, read: (fields: Fields) => T): T | undefined {
  try {
    return read(new Fields(decodeValue(value), 'registry'))
  } catch {
    return undefined
  }
}
