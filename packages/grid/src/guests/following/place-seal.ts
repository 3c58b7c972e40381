import { ByteReader, ByteWriter, encodeValue } from '@gossipgrid/core'
import { GUEST_CURSOR_MAX_BYTES, GUEST_REQUEST_MAX_BYTES } from '../guest-limits.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** A place is padded to one of few lengths: that of a cursor shows how many peers have written. */
const LENGTH_MIN_BYTES = 256

/** What a place is of. It is good for nothing else. */
export interface PlaceOf {
  /** As members call it: one that was dropped has another name. */
  readonly collection: string
  readonly kind: number
  readonly partition: number
  /** What keys begin with that the guest is given, and whether it is one key. */
  readonly covered: readonly string[]
  readonly exact: boolean
}

/**
 * Where a guest stands in the changes of a partition, for the guest to keep: it cannot read it, since it shows who has written how much. Undefined if
 * it would be too large: then the guest gets all of the partition when it goes on.
 */
export async function sealPlace(key: CryptoKey, of: PlaceOf, cursor: Uint8Array): Promise<Uint8Array | undefined> {
  let length = LENGTH_MIN_BYTES
  while (length < cursor.length + 4) length *= 2
  if (length + NONCE_BYTES + TAG_BYTES > GUEST_CURSOR_MAX_BYTES) return undefined
  const writer = new ByteWriter(length)
  writer.varint(cursor.length)
  writer.raw(cursor)
  const text = new Uint8Array(length)
  text.set(writer.take())
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const body = new Uint8Array(await crypto.subtle.encrypt(cipher(iv, of), key, text))
  const sealed = new Uint8Array(NONCE_BYTES + body.length)
  sealed.set(iv)
  sealed.set(body, NONCE_BYTES)
  return sealed
}

/** The cursor. Undefined for bytes that no member has sealed with one of these keys for this, whatever they are. */
export async function openPlace(
  keys: readonly CryptoKey[],
  of: PlaceOf,
  sealed: Uint8Array,
): Promise<Uint8Array | undefined> {
  const iv = sealed.slice(0, NONCE_BYTES)
  const body = sealed.slice(NONCE_BYTES)
  for (const key of keys) {
    try {
      const reader = new ByteReader(new Uint8Array(await crypto.subtle.decrypt(cipher(iv, of), key, body)))
      return reader.piece().slice()
    } catch {
      // Another key may fit.
    }
  }
  return undefined
}

function cipher(iv: Uint8Array<ArrayBuffer>, of: PlaceOf): AesGcmParams {
  const { collection, covered, exact, kind, partition } = of
  const named = encodeValue(['feed', collection, kind, partition, exact, ...covered], GUEST_REQUEST_MAX_BYTES)
  return { name: 'AES-GCM', iv, additionalData: named as Uint8Array<ArrayBuffer> }
}
