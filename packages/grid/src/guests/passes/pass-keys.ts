import { deriveKey } from '@gossipgrid/network'
import { exportJWK, importJWK, importPKCS8 } from 'jose'
import type { CryptoKey as JoseKey, JWK } from 'jose'

/** The start of a private Ed25519 key as PKCS #8: its 32 bytes follow. */
const PKCS8_START = '302e020100300506032b657004220420'

/** The keys of one secret of a grid for passes: every member derives the same ones. */
export interface PassKey {
  readonly privateKey: JoseKey
  readonly publicKey: JoseKey
  /** The public key as a pass shows it. */
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  /** Seals cursors. */
  readonly cursorKey: CryptoKey
}

/** The keys of the secrets of a grid, the current one first. */
export function passKeysOf(name: string, secrets: readonly string[]): Promise<PassKey[]> {
  return Promise.all(secrets.map((secret) => passKeyOf(name, secret)))
}

async function passKeyOf(name: string, secret: string): Promise<PassKey> {
  const seed = await deriveKey(name, secret, 'passes')
  const bytes = Buffer.concat([Buffer.from(PKCS8_START, 'hex'), seed])
  const pem = `-----BEGIN PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END PRIVATE KEY-----`
  const privateKey = await importPKCS8(pem, 'EdDSA', { extractable: true })
  const { x } = (await exportJWK(privateKey)) as JWK & { readonly x: string }
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const
  const publicKey = (await importJWK(jwk, 'EdDSA')) as JoseKey
  const cursorBits = await deriveKey(name, secret, 'guest cursors')
  const cursorKey = await crypto.subtle.importKey('raw', cursorBits, 'AES-GCM', false, ['encrypt', 'decrypt'])
  return { privateKey, publicKey, jwk, cursorKey }
}
