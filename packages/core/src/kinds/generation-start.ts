import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { compositeKey, splitKey } from '../bytes/composite-key.ts'
import { GridError } from '../errors.ts'
import { GENERATION_START_MAX_BYTES } from '../limits.ts'

const KEY_PATTERN = /^([1-9a-z][0-9a-z]{0,10})\.s$/
/** The numbers at the beginning of a row, and the heads of its two byte strings. */
const HEAD_MAX_BYTES = 64

/**
 * How a generation of a document started: with the content that another generation had then. A peer that edited the other
 * generation without knowing finds out from this where its edits belong in the new one.
 */
export interface GenerationStart {
  readonly from: number
  /** The content was written again, as structs `[0, end)` of this client id. */
  readonly client: number
  readonly end: number
  /** The edits that the content includes: client id and clock after its last struct, in turns. */
  readonly covers: readonly number[]
  /** All members have it. It wins over others that started from the same generation, and old rows are deleted. */
  readonly settled: boolean
  /**
   * Of which structs the new ones are copies, in their order: client, clock and length of each range. Undefined once the
   * next generation is settled: then no edits are rebased to this one any more.
   */
  readonly copied: readonly number[] | undefined
}

export function generationKey(document: string, generation: number): string {
  return compositeKey(document, `${generation.toString(36)}.s`)
}

/** The generation whose start a row is; undefined for the key of another row. */
export function readGenerationKey(key: string): number | undefined {
  if (!key.endsWith('.s')) return undefined
  const found = KEY_PATTERN.exec(splitKey(key).sub ?? '')
  const generation = found === null ? undefined : Number.parseInt(found[1]!, 36)
  return Number.isSafeInteger(generation) ? generation : undefined
}

/** The value of such a row; undefined if it would be too large. */
export function generationStart({
  from,
  client,
  end,
  settled,
  covers,
  copied,
}: GenerationStart): Uint8Array | undefined {
  const known = new ByteWriter()
  known.varint(covers.length / 2)
  for (const number of covers) known.varint(number)
  const head = [from, client, end, settled, known.copy()]
  if (copied === undefined) return known.length > GENERATION_START_MAX_BYTES - HEAD_MAX_BYTES ? undefined : encode(head)
  const indexes = new Map<number, number>()
  for (let i = 0; i < covers.length; i += 2) indexes.set(covers[i]!, i / 2)
  const ranges = new ByteWriter()
  ranges.varint(copied.length / 3)
  for (let i = 0; i < copied.length; i += 3) {
    ranges.varint(indexes.get(copied[i]!)!)
    ranges.varint(copied[i + 1]!)
    ranges.varint(copied[i + 2]!)
  }
  return known.length + ranges.length > GENERATION_START_MAX_BYTES - HEAD_MAX_BYTES
    ? undefined
    : encode([...head, ranges.copy()])
}

/** Throws `MESSAGE_MALFORMED`. */
export function readGenerationStart(bytes: Uint8Array, generation: number): GenerationStart {
  const value = bytes.length > GENERATION_START_MAX_BYTES ? undefined : decodeValue(bytes)
  if (!Array.isArray(value) || value.length < 5 || value.length > 6) throw malformed('without a start')
  const [from, client, end, settled, known, ranges] = value as unknown[]
  for (const number of [from, client, end]) {
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) throw malformed('from none')
  }
  if ((from as number) >= generation) throw malformed('from a later one')
  if (typeof settled !== 'boolean') throw malformed('that is neither settled nor not')
  if (!(known instanceof Uint8Array)) throw malformed('that covers nothing')
  const covers = readCovers(known)
  if (ranges !== undefined && !(ranges instanceof Uint8Array)) throw malformed('that copies nothing')
  const copied = ranges === undefined ? undefined : readCopied(ranges, covers, end as number)
  return { from: from as number, client: client as number, end: end as number, settled, covers, copied }
}

function readCovers(bytes: Uint8Array): number[] {
  const reader = new ByteReader(bytes)
  const covers: number[] = []
  const clients = new Set<number>()
  for (let left = reader.count(2); left > 0; left--) {
    const client = reader.varint()
    covers.push(client, reader.varint())
    clients.add(client)
  }
  if (reader.remaining > 0 || clients.size * 2 !== covers.length) throw malformed('that covers a client id twice')
  return covers
}

function readCopied(bytes: Uint8Array, covers: readonly number[], end: number): number[] {
  const reader = new ByteReader(bytes)
  const copied: number[] = []
  let clock = 0
  for (let left = reader.count(3); left > 0; left--) {
    const [index, from, length] = [reader.varint(), reader.varint(), reader.varint()]
    if (index * 2 >= covers.length || length === 0 || from + length > covers[index * 2 + 1]!) {
      throw malformed('that copies what it does not cover')
    }
    copied.push(covers[index * 2]!, from, length)
    clock += length
  }
  if (reader.remaining > 0 || clock !== end) throw malformed('with other content than it copies')
  return copied
}

function encode(values: readonly unknown[]): Uint8Array {
  return encodeValue(values, GENERATION_START_MAX_BYTES)
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed block: a generation of a document ${what}`)
}
