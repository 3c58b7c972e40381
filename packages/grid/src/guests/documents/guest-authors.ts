import { deriveKey } from '@gossipgrid/network'

/** Under whom guests edit documents: every member derives the same for a guest, and no guest can search for the one of another. */
export class GuestAuthors {
  readonly #keys: Promise<CryptoKey[]>

  /** The current secret comes first. Authors of the others count too. */
  constructor(name: string, secrets: readonly string[]) {
    this.#keys = Promise.all(secrets.map((secret) => authorKeyOf(name, secret)))
  }

  /** The author of a guest, in the form of a replica id; those of earlier secrets follow. */
  async of(subject: string, guest: string): Promise<string[]> {
    const text = new TextEncoder().encode(JSON.stringify([subject, guest]))
    const keys = await this.#keys
    return Promise.all(
      keys.map(async (key) => Buffer.from(await crypto.subtle.sign('HMAC', key, text)).toString('hex', 0, 8)),
    )
  }
}

async function authorKeyOf(name: string, secret: string): Promise<CryptoKey> {
  const bits = await deriveKey(name, secret, 'guest authors')
  return crypto.subtle.importKey('raw', bits, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}
