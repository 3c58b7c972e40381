import { ByteWriter } from '@gossipgrid/core'
import type { Partition, PartitionName } from '@gossipgrid/core'
import { toBase64Url } from './base64url.ts'

/** The first byte of every token. */
export const TOKEN_VERSION = 1

/** One write, by its place among the writes of a replica id to a partition. */
export interface Dot {
  readonly replicaId: string
  readonly sequence: number
}

/** What a receipt is of: a write to one partition, or the last write of each partition of a batch. */
export type TokenWrites = PartitionName | ReadonlyMap<Partition, Dot>

/**
 * A write as short text that fits in a header, a cookie or an address. `seed` is the number that the peers of a grid share:
 * another grid refuses the token by it. `dot` is the write, where the parts do not name any.
 */
export function tokenOf(seed: number, parts: TokenWrites, dot: Dot): string {
  const writer = new ByteWriter(64)
  writer.byte(TOKEN_VERSION)
  writer.varint(seed >>> 0)
  const writes =
    'collection' in parts ? [[parts, dot] as const] : Array.from(parts, ([{ name }, last]) => [name, last] as const)
  for (const [{ collection, kind, partition }, { replicaId, sequence }] of writes) {
    writer.text(collection)
    writer.varint(kind)
    writer.varint(partition)
    writer.replicaId(replicaId)
    writer.varint(sequence)
  }
  return toBase64Url(writer.take())
}
