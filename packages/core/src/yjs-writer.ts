import { ByteWriter } from './bytes.ts'

/** Structs of one client, of contiguous clocks, as they stand in the updates they come from. */
export interface YjsStructs {
  readonly client: number
  readonly clock: number
  readonly count: number
  /** Their bytes, in order. */
  readonly pieces: readonly Uint8Array[]
}

/**
 * An update of format V1 from structs, of distinct clients, and from deletes: three numbers for each range (client,
 * clock, length), in any order.
 */
export function writeYjsUpdate(structs: readonly YjsStructs[], deletes: readonly number[]): Uint8Array {
  const sizeBytes = structs.reduce((sum, { pieces }) => pieces.reduce((bytes, piece) => bytes + piece.length, sum), 64)
  const writer = new ByteWriter(sizeBytes + deletes.length * 3)
  writer.varint(structs.length)
  for (const { client, clock, count, pieces } of structs) {
    writer.varint(count)
    writer.varint(client)
    writer.varint(clock)
    for (const piece of pieces) writer.raw(piece)
  }
  writeDeletes(writer, mergeDeletes(deletes))
  return writer.take()
}

/** The same deletes in as few ranges as can be, ascending for each client. */
export function mergeDeletes(deletes: readonly number[]): number[] {
  const byClient = new Map<number, [number, number][]>()
  for (let i = 0; i < deletes.length; i += 3) {
    const client = deletes[i]!
    const ranges = byClient.get(client) ?? []
    byClient.set(client, ranges)
    ranges.push([deletes[i + 1]!, deletes[i + 1]! + deletes[i + 2]!])
  }
  const merged: number[] = []
  for (const [client, ranges] of byClient) {
    ranges.sort((a, b) => a[0] - b[0])
    let [first, end] = ranges[0]!
    for (const [from, to] of ranges) {
      if (from > end) {
        merged.push(client, first, end - first)
        first = from
      }
      end = Math.max(end, to)
    }
    merged.push(client, first, end - first)
  }
  return merged
}

/** Takes ranges that are sorted by client. */
function writeDeletes(writer: ByteWriter, deletes: readonly number[]): void {
  const starts: number[] = []
  for (let i = 0; i < deletes.length; i += 3) if (deletes[i] !== deletes[i - 3]) starts.push(i)
  writer.varint(starts.length)
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? deletes.length
    writer.varint(deletes[start]!)
    writer.varint((end - start) / 3)
    for (let at = start; at < end; at += 3) {
      writer.varint(deletes[at + 1]!)
      writer.varint(deletes[at + 2]!)
    }
  }
}
