import { decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import { decodeCursor, encodeCursor } from '@gossipgrid/core/following'
import type { PartitionCursor, Partition } from '@gossipgrid/core'
import type { Collections } from '@gossipgrid/core'
import { GUEST_CURSOR_MAX_BYTES } from '../guest-limits.ts'
import { MessageFields } from '../message-fields.ts'

const NONCE_BYTES = 12

/** How far a guest has come in a map, and which of its keys it was sent. */
export interface SealedCursor {
  readonly cursor: PartitionCursor
  /** See `readingKey`. */
  readonly reading: string
}

/**
 * What a guest keeps for members: it cannot read it, since it shows who has written how much. Undefined if it would be too large: then the
 * guest gets all of the map the next time.
 */
export async function sealCursor(
  key: CryptoKey,
  { name }: Pick<Partition, 'name'>,
  { cursor, reading }: SealedCursor,
  { ids }: Collections,
): Promise<Uint8Array | undefined> {
  const seen = encodeCursor(cursor, ids)
  if (seen.length > GUEST_CURSOR_MAX_BYTES / 2) return undefined
  const text = encodeValue({ map: name.collection, kind: name.kind, reading, seen }, GUEST_CURSOR_MAX_BYTES * 2)
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const body = new Uint8Array(
    await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, text as Uint8Array<ArrayBuffer>),
  )
  const sealed = new Uint8Array(NONCE_BYTES + body.length)
  sealed.set(iv)
  sealed.set(body, NONCE_BYTES)
  return sealed.length > GUEST_CURSOR_MAX_BYTES ? undefined : sealed
}

/** Undefined for bytes that no member has sealed with one of these keys, and for a cursor of another map. */
export async function openCursor(
  keys: readonly CryptoKey[],
  { name }: Pick<Partition, 'name'>,
  sealed: Uint8Array,
  { ids }: Collections,
): Promise<SealedCursor | undefined> {
  const iv = sealed.slice(0, NONCE_BYTES)
  const body = sealed.slice(NONCE_BYTES)
  for (const key of keys) {
    try {
      const text = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, body))
      scanCbor(text)
      const fields = new MessageFields(decodeValue(text))
      if (fields.text('map', 1024) !== name.collection || fields.count('kind') !== name.kind) return undefined
      const cursor = decodeCursor(fields.bytesUpTo('seen'), ids)
      return { cursor, reading: fields.text('reading', GUEST_CURSOR_MAX_BYTES * 2) }
    } catch {
      // Another key may fit; else the guest gets all of the map.
    }
  }
  return undefined
}
