import type { ChaCha20Poly1305 } from '@chainsafe/as-chacha20poly1305'
import { pureJsCrypto } from '@libp2p/noise'
import type { ICryptoInterface } from '@libp2p/noise'

/**
 * Noise's cipher in WebAssembly, more than twice as fast as in JavaScript, which does the work until it has been loaded, and
 * where the page's Content Security Policy allows no WebAssembly (`wasm-unsafe-eval`).
 */
export function wasmCipher(): ICryptoInterface {
  let cipher: ChaCha20Poly1305 | undefined
  const load = async (): Promise<void> => {
    const library = await import('@chainsafe/as-chacha20poly1305')
    cipher = new library.ChaCha20Poly1305(library.newInstance())
  }
  load().catch(() => undefined)
  return {
    ...pureJsCrypto,
    chaCha20Poly1305Encrypt: (plain, nonce, associated, key) =>
      cipher === undefined
        ? pureJsCrypto.chaCha20Poly1305Encrypt(plain, nonce, associated, key)
        : cipher.seal(key, nonce, plain.subarray(), associated),
    chaCha20Poly1305Decrypt: (sealed, nonce, associated, key, target) => {
      if (cipher === undefined) return pureJsCrypto.chaCha20Poly1305Decrypt(sealed, nonce, associated, key, target)
      const plain = cipher.open(key, nonce, sealed.subarray(), associated, target)
      if (plain === null) throw new Error('the bytes were not sealed with this key')
      return plain
    },
  }
}
