import { GridError } from '../errors.ts'
import { NAME_MAX_BYTES, PARTITIONED_COLLECTIONS_MAX } from '../limits.ts'
import type { Fields } from './fields.ts'
import { isPartitionCount } from './partition-numbers.ts'

/** A partitioned collection of which a peer has copies. */
export interface CopiedCollection {
  readonly name: string
  readonly kind: number
  /** The registration from which the history of the copies descends. */
  readonly origin: string
}

/** What a peer says of its copies: the same partitions of each of these collections. */
export interface CopyGroup {
  readonly partitions: number
  /** One bit for each partition, the first in the lowest bit of the first byte. */
  readonly present: Uint8Array
  /** Those of them that are whole. */
  readonly whole: Uint8Array
  readonly collections: readonly CopiedCollection[]
}

/** Reads a list of groups, also of a hostile peer. Throws `MESSAGE_MALFORMED`. */
export function readCopyGroups(fields: Fields, name: string): CopyGroup[] {
  let count = 0
  return fields.list(name, PARTITIONED_COLLECTIONS_MAX).map((group) => {
    const partitions = group.count('partitions')
    if (!isPartitionCount(partitions)) throw new GridError('MESSAGE_MALFORMED', `copies of ${partitions} partitions`)
    const [present, whole] = [group.bytes('present'), group.bytes('whole')]
    if (present.length !== partitions / 8 || whole.length !== present.length) {
      throw new GridError('MESSAGE_MALFORMED', `${present.length} bytes for ${partitions} partitions`)
    }
    const collections = group.list('collections', PARTITIONED_COLLECTIONS_MAX).map((collection) => ({
      name: collection.text('name', NAME_MAX_BYTES),
      kind: collection.count('kind'),
      origin: collection.hash('origin'),
    }))
    count += collections.length
    if (count > PARTITIONED_COLLECTIONS_MAX) throw new GridError('MESSAGE_MALFORMED', `copies of ${count} collections`)
    return { partitions, present, whole, collections }
  })
}
