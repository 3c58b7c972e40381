import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { compositeKey, splitKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { malformedBlock as malformed } from '../errors.ts'
import { readGenerationKey, readGenerationStart } from './generation-start.ts'
import { fold32, foldHigh32, hashText, mix32 } from '../bytes/hash.ts'
import { hasControls } from './names.ts'
import { DOCUMENT_HEADER_MAX_BYTES, NAME_MAX_BYTES, VALUE_MAX_BYTES } from '../limits.ts'
import { ADOPTED_REPLICA_ID } from '../versions/replica-ids.ts'
import { checkYjsUpdate } from './yjs-update.ts'

/** Numbers in base 36, without leading zeros. */
const SUB_PATTERN =
  /^(0|[1-9a-z][0-9a-z]{0,10})\.(0|[1-9a-z][0-9a-z]{0,6})\.(0|[1-9a-z][0-9a-z]{0,6})\.([abcd])(0|[1-9a-z][0-9a-z]{0,2})$/
const REPLICA_ID_PATTERN = /^[0-9a-f]{16}$/
/** The CBOR heads of an array of two and of a text of sixteen bytes. */
const CBOR_PAIR = 0x82
const CBOR_TEXT_16 = 0x70

/** The levels of an author's rows: `a` for new edits, `b` for rows merged from `a`, `c` for rows merged from `b`. */
export type DocumentLevel = 'a' | 'b' | 'c'

/** Rows of level `d` have edits that were made in another generation and rebased. */
export type DocumentRowLevel = DocumentLevel | 'd'

/** The parts of the key of a document's row. */
export interface DocumentKey {
  readonly document: string
  /** 0 for a document that was never compacted, else the HLC timestamp of the compaction. */
  readonly generation: number
  /** The random number that its author drew when it opened, and the Yjs client id that follows from it. */
  readonly nonce: number
  readonly client: number
  readonly level: DocumentRowLevel
  readonly index: number
}

/** The header row of a document: its generation when it was made. Without a header row it is 0. */
export interface DocumentHeader {
  readonly generation: number
  /** Only at guests, which keep no tombstones: the document was deleted, and the next one of its name has this generation. */
  readonly deleted: boolean
}

/**
 * Guests number their client ids in documents below it, peers from it on. So few numbers are too few for a guest to find one that gives it
 * the client id of another author.
 */
export const GUEST_NONCES_MAX = 0x20000

/**
 * The Yjs client id of a replica id. Every peer can compute it, so it refuses rows under the client id of another author.
 * It has 35 bits, which take five bytes on the wire, as many as the 32 bits of Yjs.
 */
export function documentClient(replicaId: string, nonce: number): number {
  const low = mix32(fold32(hashText(replicaId, 0x59a3), nonce))
  const high = mix32(foldHigh32(hashText(replicaId, 0x1f7b), nonce)) & 7
  return high * 4294967296 + low || 1
}

export function documentKey({ document, generation, nonce, client, level, index }: DocumentKey): string {
  const numbers = [generation, nonce, client].map((number) => number.toString(36)).join('.')
  return compositeKey(document, `${numbers}.${level}${index.toString(36)}`)
}

/** Undefined for the key of a header, and for keys that no honest peer writes. */
export function readDocumentKey(key: string): DocumentKey | undefined {
  const { main, sub } = splitKey(key)
  const parts = sub === undefined ? null : SUB_PATTERN.exec(sub)
  if (parts === null) return undefined
  const [, generation, nonce, client, level, index] = parts
  const read: DocumentKey = {
    document: main,
    generation: Number.parseInt(generation!, 36),
    nonce: Number.parseInt(nonce!, 36),
    client: Number.parseInt(client!, 36),
    level: level as DocumentRowLevel,
    index: Number.parseInt(index!, 36),
  }
  return Number.isSafeInteger(read.generation) && read.nonce <= 0xffffffff ? read : undefined
}

/**
 * The value of a row: an update of `author`, the replica id that the client id belongs to. If the peer has taken a new
 * replica id since, the row names `author`.
 */
export function documentValue(update: Uint8Array, author: string, writer: string): Uint8Array {
  return encodeValue(author === writer ? update : [update, author], VALUE_MAX_BYTES)
}

/** Where the update of a row is, and its author if that is not its writer. Throws `MESSAGE_MALFORMED`. */
export function documentUpdate(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly start: number; readonly end: number; readonly author: string | undefined } {
  const paired = bytes[start] === CBOR_PAIR
  const at = paired ? start + 1 : start
  const head = bytes[at]!
  const lengthBytes = head < 0x58 ? 0 : 1 << (head - 0x58)
  if (head < 0x40 || head > 0x5a || at + 1 + lengthBytes > end) throw malformed("a document's row without an update")
  let length = lengthBytes === 0 ? head - 0x40 : 0
  for (let i = 1; i <= lengthBytes; i++) length = length * 256 + bytes[at + i]!
  const from = at + 1 + lengthBytes
  const to = from + length
  if (!paired && to === end) return { start: from, end: to, author: undefined }
  const author =
    paired && to + 17 === end && bytes[to] === CBOR_TEXT_16 ? String.fromCharCode(...bytes.subarray(to + 1, end)) : ''
  if (!REPLICA_ID_PATTERN.test(author)) throw malformed("a document's row that is no update")
  return { start: from, end: to, author }
}

/** The value of a row of `author` that is issued again under another replica id; undefined: it stays as it is. */
export function reissuedValue({ key, bytes, start, end }: Readonly<Row>, author: string): Uint8Array | undefined {
  if (bytes === undefined || readDocumentKey(key) === undefined) return undefined
  const update = documentUpdate(bytes, start, end)
  return update.author === undefined ? documentValue(bytes.slice(update.start, update.end), author, '') : undefined
}

/** A header's value. */
export function documentHeader({ generation }: Pick<DocumentHeader, 'generation'>): Uint8Array {
  return encodeValue([generation], DOCUMENT_HEADER_MAX_BYTES)
}

/** What a guest has in place of the tombstone of a header. */
export function deletedDocumentHeader(generation: number): Uint8Array {
  return encodeValue([generation, true], DOCUMENT_HEADER_MAX_BYTES)
}

export function readDocumentHeader(bytes: Uint8Array): DocumentHeader {
  const value = bytes.length > DOCUMENT_HEADER_MAX_BYTES ? undefined : decodeValue(bytes)
  const [generation, deleted]: readonly unknown[] = Array.isArray(value) ? value : []
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation) || generation < 0) {
    throw malformed("a document's header without a generation")
  }
  return { generation, deleted: deleted === true }
}

/** Throws `MESSAGE_MALFORMED` for a row that no honest peer writes. `replicaId` is that of the row's dot. */
export function checkDocumentRow({ key, bytes, start, end }: Readonly<Row>, replicaId: string): void {
  const { main, sub } = splitKey(key)
  if (main === '' || main.length > NAME_MAX_BYTES || hasControls(main)) throw malformed('a document without a name')
  if (sub === undefined) {
    if (bytes !== undefined) readDocumentHeader(bytes.subarray(start, end))
    return
  }
  const generation = readGenerationKey(key)
  if (generation !== undefined) {
    if (bytes !== undefined) readGenerationStart(bytes.subarray(start, end), generation)
    return
  }
  const read = readDocumentKey(key)
  if (read === undefined) throw malformed("a document's row with a key that is none")
  if (bytes === undefined) return
  const update = documentUpdate(bytes, start, end)
  // Who wrote an adopted row was checked by the peer that it came from.
  const isAdopted = update.author === undefined && replicaId === ADOPTED_REPLICA_ID
  if (!isAdopted && read.client !== documentClient(update.author ?? replicaId, read.nonce)) {
    throw malformed("a document's row under a client id that its writer does not own")
  }
  checkYjsUpdate(bytes, update.start, update.end, read.client)
}
