import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { scanCbor } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'
import { Fields } from '../wire/fields.ts'
import { VALUE_MAX_BYTES } from '../limits.ts'

/**
 * The layout of a peer's store, next to the log (`log/NUMBER`, see `GroupCommit`):
 *
 * - `meta`: the format, the replica id, where the log begins;
 * - `part/PLACE`: one partition: its name, the vector its segments stand for at least;
 * - `seg/PLACE/BITS-INDEX`: a block with the entries whose key hash starts with these bits.
 *
 * PLACE is a number given to the partition on this peer, so that no name has to be made fit for a storage key.
 */
export const STORE_FORMAT = 4
export const META_KEY = 'meta'
/** Stands before the peer id of a store that was made from a backup. */
export const BACKUP_PREFIX = 'backup of '
export const PART_PREFIX = 'part/'
export const SEGMENT_PREFIX = 'seg/'
/** Unreadable blobs are kept under this prefix, for a person to look at. */
export const ASIDE_PREFIX = 'aside/'

export interface StoredMeta {
  readonly replicaId: string
  /** Whose state this is: it gives away a directory that was copied to another peer. */
  readonly peerId: string
  /** The oldest log blob that is still needed. */
  readonly logFirst: number
  /** How many part blobs there are, so that one that vanishes is missed; undefined in stores that do not say. */
  readonly parts: number | undefined
  /** Blobs were damaged and no checkpoint has finished since: vectors and the replica id are not to be believed. */
  readonly damaged: boolean
}

export interface StoredPart {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  /** As `encodeVector` writes it: what lies below the floor is left out. */
  readonly vector: Uint8Array
  /** As `Floor.encode` writes it; undefined for an empty one. */
  readonly floor?: Uint8Array
  /** Segments are named by this many leading bits of the key hash. */
  readonly segmentBits: number
  /** The segments that exist. */
  readonly segments: readonly number[]
}

/** How one partition lies in the store. */
export interface Stored {
  readonly place: number
  segmentBits: number
  segments: Set<number>
  /** Segments whose entries have changed since they were written. */
  dirty: Set<number>
  /** The vector in the stored part blob, and the purge floor. */
  vector: Uint8Array
  floor: Uint8Array | undefined
}

export function partKey(place: number): string {
  return PART_PREFIX + String(place).padStart(8, '0')
}

export function segmentKey(place: number, bits: number, index: number): string {
  return `${SEGMENT_PREFIX}${String(place).padStart(8, '0')}/${String(bits).padStart(2, '0')}-${String(index).padStart(7, '0')}`
}

/** The segment a key hash belongs to. */
export function segmentOf(keyHash: number, bits: number): number {
  return bits === 0 ? 0 : keyHash >>> (32 - bits)
}

/** The place in a `part/` or `seg/` key. */
export function placeOf(key: string): number {
  return Number(key.split('/')[1])
}

export function encodeMeta(meta: StoredMeta): Uint8Array {
  return encodeValue({ format: STORE_FORMAT, ...meta }, VALUE_MAX_BYTES)
}

/** Throws `STORAGE_FORMAT` for a later format, `MESSAGE_MALFORMED` for bytes that are not a meta blob. */
export function decodeMeta(bytes: Uint8Array): StoredMeta {
  const fields = read(bytes, 'meta')
  const format = fields.count('format')
  if (format > STORE_FORMAT) {
    throw new GridError(
      'STORAGE_FORMAT',
      `the stored state is of format ${format} and this version reads up to ${STORE_FORMAT}: update gossipgrid, or ` +
        'choose another directory',
    )
  }
  return {
    replicaId: fields.hash('replicaId'),
    peerId: fields.text('peerId', 128),
    logFirst: fields.count('logFirst'),
    parts: fields.has('parts') ? fields.count('parts') : undefined,
    damaged: fields.has('damaged') && fields.flag('damaged'),
  }
}

export function encodePart(part: StoredPart): Uint8Array {
  return encodeValue(part, 64 * VALUE_MAX_BYTES)
}

/** Throws `MESSAGE_MALFORMED`. */
export function decodePart(bytes: Uint8Array): StoredPart {
  const fields = read(bytes, 'part')
  return {
    collection: fields.text('collection', 128),
    kind: fields.count('kind'),
    partition: fields.count('partition'),
    vector: fields.bytes('vector'),
    ...(fields.has('floor') ? { floor: fields.bytes('floor') } : {}),
    segmentBits: fields.count('segmentBits'),
    segments: fields.counts('segments'),
  }
}

function read(bytes: Uint8Array, what: string): Fields {
  scanCbor(bytes)
  return new Fields(decodeValue(bytes), what)
}
