import {
  ByteReader,
  ByteWriter,
  FOLLOW_CURSOR_MAX_BYTES,
  GridError,
  NAME_MAX_BYTES,
  plainName,
  shown,
} from '@gossipgrid/core'
import type { CollectionDescriptor } from '@gossipgrid/core'
import { fromBase64Url, toBase64Url } from '../../receipts/base64url.ts'

const CURSOR_VERSION = 1

/** Of which collection of which grid a cursor is. */
export interface CursorOf {
  /** Of the grid. */
  readonly seed: number
  readonly descriptor: CollectionDescriptor
}

/** The places of a reader in the changes of partitions, as text. `cursors` are by the number of the partition, from 0. */
export function mapCursor({ seed, descriptor }: CursorOf, cursors: ReadonlyMap<number, Uint8Array>): string {
  const writer = new ByteWriter(1024)
  writer.byte(CURSOR_VERSION)
  writer.varint(seed >>> 0)
  writer.text(descriptor.name)
  writer.varint(descriptor.partitions)
  writer.varint(cursors.size)
  for (const [index, bytes] of cursors) {
    writer.varint(index)
    writer.varint(bytes.length)
    writer.raw(bytes)
  }
  return toBase64Url(writer.take())
}

/** Throws `INVALID_TOKEN` for text that is no cursor of the collection, and `CURSOR_EXPIRED` for one from before a drop of it. */
export function readMapCursor(text: unknown, { seed, descriptor }: CursorOf): Map<number, Uint8Array> {
  if (typeof text !== 'string') throw invalid(`since is text, not ${shown(text)}`)
  let name: string
  let found: readonly unknown[]
  const cursors = new Map<number, Uint8Array>()
  try {
    const reader = new ByteReader(fromBase64Url(text))
    const [version, owner] = [reader.byte(), reader.varint()]
    name = reader.text(NAME_MAX_BYTES)
    const partitions = reader.varint()
    found = [version, owner, plainName(name), partitions]
    for (let left = reader.count(2); left > 0; left--) {
      const index = reader.varint()
      const bytes = reader.piece()
      if (index >= partitions || bytes.length > FOLLOW_CURSOR_MAX_BYTES) throw invalid('')
      cursors.set(index, bytes.slice())
    }
    if (reader.remaining > 0) throw invalid('')
  } catch {
    throw invalid('since is no cursor that this version reads: pass what a change has as cursor, unchanged')
  }
  const wanted = [CURSOR_VERSION, seed >>> 0, plainName(descriptor.name), descriptor.partitions]
  if (wanted.some((each, place) => each !== found[place]))
    throw invalid('since is a cursor of another map or another grid')
  if (name === descriptor.name) return cursors
  const advice = 'watch again without since, and drop the entries that do not come'
  throw new GridError('CURSOR_EXPIRED', `the map was dropped since this cursor: ${advice}`)
}

function invalid(message: string): GridError {
  return new GridError('INVALID_TOKEN', message)
}
