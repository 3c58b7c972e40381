import { decodeValue, documentClient } from '@gossipgrid/core'
import type { AwarenessMessage } from '../../documents/opened/document-awareness.ts'
import { coversDoc } from '../covering.ts'
import type { Grant } from '../grants.ts'

/** The messages that guests are to be sent, read once for all of them. */
const READ = new WeakMap<Uint8Array, Partial<AwarenessMessage>>()

/** A message about the awareness of a document. */
export function awarenessIn(value: Uint8Array): Partial<AwarenessMessage> {
  const known = READ.get(value)
  if (known !== undefined) return known
  const decoded: unknown = decodeValue(value)
  const message = typeof decoded === 'object' && decoded !== null ? (decoded as Partial<AwarenessMessage>) : {}
  READ.set(value, message)
  return message
}

/** Whether a guest may be sent a message. */
export function mayReceive(grants: readonly Grant[], value: Uint8Array): boolean {
  const { document } = awarenessIn(value)
  return typeof document === 'string' && coversDoc(grants, 'read', document)
}

/** Whether a guest may publish a message: a question, or a state under a client id of its own. */
export function maySay(grants: readonly Grant[], author: string, value: Uint8Array): boolean {
  const { client, document, nonce } = awarenessIn(value)
  if (typeof document !== 'string') return false
  if (client === undefined) return coversDoc(grants, 'read', document)
  if (!Number.isSafeInteger(nonce) || documentClient(author, nonce!) !== client) return false
  return coversDoc(grants, 'write', document)
}
