import { randomBytes } from 'node:crypto'
import { pureJsCrypto } from '@libp2p/noise'
import { expect, test, vi } from 'vitest'
import { wasmCipher } from './wasm-cipher.ts'

test('what the fast cipher seals the slow one opens, and the other way round, before and after it is loaded', async () => {
  const fast = wasmCipher()
  const [key, nonce, associated] = [randomBytes(32), randomBytes(12), randomBytes(8)]
  const agree = (sizeBytes: number): void => {
    const plain = randomBytes(sizeBytes)
    const sealed = fast.chaCha20Poly1305Encrypt(plain, nonce, associated, key).subarray()
    expect(
      Buffer.from(sealed).equals(pureJsCrypto.chaCha20Poly1305Encrypt(plain, nonce, associated, key).subarray()),
    ).toBe(true)
    expect(plain.equals(fast.chaCha20Poly1305Decrypt(sealed, nonce, associated, key).subarray())).toBe(true)
    sealed[0]! ^= 1
    expect(() => fast.chaCha20Poly1305Decrypt(sealed, nonce, associated, key)).toThrow(/key|tag|mac/i)
  }
  agree(1000)
  await vi.dynamicImportSettled()
  for (const sizeBytes of [0, 1, 1000, 65_000]) agree(sizeBytes)
})
