import { publicKeyFromRaw } from '@libp2p/crypto/keys'

/** Whether `signature` is that of the Ed25519 key with these 32 public bytes. */
export async function verifySignature(
  publicKey: Uint8Array,
  text: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return publicKeyFromRaw(publicKey).verify(text, signature)
}
