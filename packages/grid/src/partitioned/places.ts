import { kindCode, partitionIndex, partitionNumber } from '@gossipgrid/core'
import type { CollectionDescriptor, PartitionName } from '@gossipgrid/core'

/** Where the keys of one partitioned collection are. */
export class Places {
  readonly #names: readonly PartitionName[]

  constructor({ name, kind, partitions }: CollectionDescriptor) {
    const code = kindCode({ kind })
    this.#names = Array.from({ length: partitions }, (_, index) => {
      return { collection: name, kind: code, partition: partitionNumber(partitions, index) }
    })
  }

  /** All partitions, in order. */
  get all(): readonly PartitionName[] {
    return this.#names
  }

  /** The partition of a key. */
  of(key: string): PartitionName {
    return this.#names[partitionIndex(key, this.#names.length)]!
  }

  /** The partitions that may have keys with this prefix. One that has a whole tag says which partition that is. */
  withPrefix(prefix: string): readonly PartitionName[] {
    const open = prefix.indexOf('{')
    const close = open < 0 ? -1 : prefix.indexOf('}', open + 1)
    return close > open + 1 ? [this.of(prefix)] : this.#names
  }

  /** The partitions that may have keys with any of these prefixes, each once. */
  withPrefixes(prefixes: readonly string[]): readonly PartitionName[] {
    return [...new Set(prefixes.flatMap((prefix) => this.withPrefix(prefix)))]
  }

  /** The number of a partition as users count: from 0. */
  indexOf({ partition }: PartitionName): number {
    return partition - this.#names.length
  }
}

/** What all of these texts begin with. */
export function commonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length -= 1
  return first.slice(0, length)
}
