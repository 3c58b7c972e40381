import { ByteWriter } from '../bytes/bytes.ts'

/** An update up to this size is written into a shared buffer and copied. For a keystroke, making a buffer takes longer than filling it. */
const SMALL_BYTES = 4096
const small = new ByteWriter(SMALL_BYTES)

/** Structs of one client with contiguous clocks, as the updates have them that they come from. */
export interface YjsStructs {
  readonly client: number
  readonly clock: number
  readonly count: number
  /** Their bytes, in order. */
  readonly pieces: readonly Uint8Array[]
}

/**
 * Writes an update of format V1. `structs` are of distinct clients; `deletes` has client, clock and length of each range, in
 * any order.
 */
export function writeYjsUpdate(structs: readonly YjsStructs[], deletes: readonly number[]): Uint8Array {
  let sizeBytes = 64 + deletes.length * 3
  for (const { pieces } of structs) for (const piece of pieces) sizeBytes += piece.length
  const writer = sizeBytes > SMALL_BYTES ? new ByteWriter(sizeBytes) : small
  writer.clear()
  writer.varint(structs.length)
  for (const { client, clock, count, pieces } of structs) {
    writer.varint(count)
    writer.varint(client)
    writer.varint(clock)
    for (const piece of pieces) writer.raw(piece)
  }
  writeDeletes(writer, mergeDeletes(deletes))
  return writer === small ? writer.copy() : writer.take()
}

/** The same deletes in as few ranges as possible, ascending for each client. */
export function mergeDeletes(deletes: readonly number[]): readonly number[] {
  if (isMerged(deletes)) return deletes
  const byClient = new Map<number, number[]>()
  for (let i = 0; i < deletes.length; i += 3) {
    const ranges = byClient.get(deletes[i]!)
    if (ranges === undefined) byClient.set(deletes[i]!, [i])
    else ranges.push(i)
  }
  const merged: number[] = []
  for (const [client, ranges] of byClient) {
    ranges.sort((a, b) => deletes[a + 1]! - deletes[b + 1]!)
    let first = deletes[ranges[0]! + 1]!
    let end = first
    for (const at of ranges) {
      const from = deletes[at + 1]!
      if (from > end) {
        merged.push(client, first, end - first)
        first = from
      }
      end = Math.max(end, from + deletes[at + 2]!)
    }
    merged.push(client, first, end - first)
  }
  return merged
}

/** Whether `mergeDeletes` would change nothing. */
function isMerged(deletes: readonly number[]): boolean {
  for (let i = 3; i < deletes.length; i += 3) {
    const isNext = deletes[i] === deletes[i - 3] && deletes[i + 1]! > deletes[i - 2]! + deletes[i - 1]!
    if (!isNext && deletes[i]! <= deletes[i - 3]!) return false
  }
  return true
}

/** Takes ranges that are sorted by client. */
function writeDeletes(writer: ByteWriter, deletes: readonly number[]): void {
  let clients = 0
  for (let i = 0; i < deletes.length; i += 3) if (deletes[i] !== deletes[i - 3]) clients += 1
  writer.varint(clients)
  for (let start = 0, end = 0; start < deletes.length; start = end) {
    while (end < deletes.length && deletes[end] === deletes[start]) end += 3
    writer.varint(deletes[start]!)
    writer.varint((end - start) / 3)
    for (let at = start; at < end; at += 3) {
      writer.varint(deletes[at + 1]!)
      writer.varint(deletes[at + 2]!)
    }
  }
}
