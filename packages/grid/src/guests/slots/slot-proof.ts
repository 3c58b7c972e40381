import { SLOT_PROOF_BYTES } from '../guest-limits.ts'

const DIGITS = 16

/**
 * A slot of a guest, in which it counts and adds. The slot is the hash of the proof, which the guest shows to members with its writes and to no
 * other guest. So no other peer can write in a slot of a guest or of a peer.
 */
export interface Slot {
  readonly id: string
  readonly proof: Uint8Array
}

/** A slot that no other peer has. */
export async function drawSlot(): Promise<Slot> {
  const proof = crypto.getRandomValues(new Uint8Array(SLOT_PROOF_BYTES))
  return { id: await slotOf(proof), proof }
}

/** The slot of which this is the proof. */
export async function slotOf(proof: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', proof as Uint8Array<ArrayBuffer>))
  return Array.from(hash.subarray(0, DIGITS / 2), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The slot whose writer a row is of: its first digits; in the row of a delete, the slot of the deleter. Undefined for a row without any. */
export function writerOf(rowSlot: string | undefined): string | undefined {
  return rowSlot === undefined ? undefined : (rowSlot.split('-')[1] ?? rowSlot.slice(0, DIGITS))
}
