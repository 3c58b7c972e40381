import type { PeerId } from '@gossipgrid/core'

/** Bytes of a proof of membership. */
export const PROOF_BYTES = 32
/** What sealing adds to a frame: salt, counter, and the tag of AES-GCM. */
export const SEAL_BYTES: number = 16 + 6 + 16

const SALT_BYTES = 16
const HEAD_BYTES = 22
const NONCE_BYTES = 12
/** How many authors' keys are kept at once. A key that was dropped is derived again. */
const AUTHOR_KEYS_MAX = 512

/**
 * Only members of a private grid can prove that they are members, and read and write frames. Both need keys that are derived
 * from the secret.
 *
 * A proof is an HMAC over both peer ids, in order. Noise has authenticated both before. So a proof is good for one pair and one
 * direction: the peer that receives it cannot use it, and no other peer accepts it.
 *
 * A frame is sealed with AES-256-GCM. Each author has its own key, derived from the secret, the author's peer id and a random
 * salt, which is drawn whenever the peer opens. The nonce is a counter. One key for all authors would need random nonces, which
 * are safe for 2^32 frames, and a busy grid sends those within days.
 */
export class Lock {
  readonly #proofKey: CryptoKey
  readonly #frameKey: CryptoKey
  readonly #authorKeys = new Map<string, Promise<CryptoKey>>()
  readonly #salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES))
  #counter = 0

  private constructor(proofKey: CryptoKey, frameKey: CryptoKey) {
    this.#proofKey = proofKey
    this.#frameKey = frameKey
  }

  /** From two keys of 32 bytes, each for its own use. */
  static async from(proofBits: Uint8Array<ArrayBuffer>, frameBits: Uint8Array<ArrayBuffer>): Promise<Lock> {
    const hmac = { name: 'HMAC', hash: 'SHA-256' }
    return new Lock(
      await crypto.subtle.importKey('raw', proofBits, hmac, false, ['sign', 'verify']),
      await crypto.subtle.importKey('raw', frameBits, 'HKDF', false, ['deriveKey']),
    )
  }

  /** Shows `to` that `from` is a member. */
  async prove(from: PeerId, to: PeerId): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign('HMAC', this.#proofKey, claim(from, to)))
  }

  /** Whether `proof` shows `to` that `from` is a member; in constant time. */
  verify(proof: Uint8Array, from: PeerId, to: PeerId): Promise<boolean> {
    return crypto.subtle.verify('HMAC', this.#proofKey, own(proof), claim(from, to))
  }

  /** A frame that only members can read, and know to be whole and written by `author`. */
  async seal(author: PeerId, frame: Uint8Array): Promise<Uint8Array> {
    const counter = ++this.#counter
    const head = new Uint8Array(HEAD_BYTES)
    head.set(this.#salt)
    const view = new DataView(head.buffer)
    view.setUint16(SALT_BYTES, Math.floor(counter / 2 ** 32))
    view.setUint32(SALT_BYTES + 2, counter % 2 ** 32)
    const key = await this.#authorKey(author, this.#salt)
    const body = new Uint8Array(await crypto.subtle.encrypt(algorithm(head), key, own(frame)))
    const sealed = new Uint8Array(HEAD_BYTES + body.length)
    sealed.set(head)
    sealed.set(body, HEAD_BYTES)
    return sealed
  }

  /** The frame inside, or undefined if `author` did not seal it as a member. */
  async unseal(author: PeerId, sealed: Uint8Array): Promise<Uint8Array | undefined> {
    if (sealed.length < SEAL_BYTES) return undefined
    const head = own(sealed.subarray(0, HEAD_BYTES))
    const key = await this.#authorKey(author, head.slice(0, SALT_BYTES))
    try {
      return new Uint8Array(await crypto.subtle.decrypt(algorithm(head), key, own(sealed.subarray(HEAD_BYTES))))
    } catch {
      return undefined
    }
  }

  #authorKey(author: PeerId, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
    const name = `${author} ${String.fromCharCode(...salt)}`
    const known = this.#authorKeys.get(name)
    if (known !== undefined) {
      this.#authorKeys.delete(name)
      this.#authorKeys.set(name, known)
      return known
    }
    const key = crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt, info: utf8(`frames of ${author}`) },
      this.#frameKey,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    )
    this.#authorKeys.set(name, key)
    if (this.#authorKeys.size > AUTHOR_KEYS_MAX) this.#authorKeys.delete(this.#authorKeys.keys().next().value!)
    return key
  }
}

/** The nonce is the counter; salt and counter are in the clear, and a change of either breaks the seal. */
function algorithm(head: Uint8Array): AesGcmParams {
  const iv = new Uint8Array(NONCE_BYTES)
  iv.set(head.subarray(SALT_BYTES), NONCE_BYTES - (HEAD_BYTES - SALT_BYTES))
  return { name: 'AES-GCM', iv }
}

function claim(from: PeerId, to: PeerId): Uint8Array<ArrayBuffer> {
  return utf8(`member ${from} to ${to}`)
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
}

/** WebCrypto takes no shared memory; what comes from sockets and encoders never is. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
