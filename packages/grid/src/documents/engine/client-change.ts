import * as Y from 'yjs'
import { wasAttached } from './document-attachment.ts'

/**
 * Changes the client id of all structs of a client in a Y.Doc to one that has no structs there. The content stays the same, and
 * so do the shared types that editors are bound to. Only for content that no other peer or store has: for them it would be
 * other content.
 */
export function changeClient(y: Y.Doc, from: number, to: number): void {
  const { clients } = y.store
  const own = clients.get(from)
  if (own === undefined) return
  const changed = (id: Y.ID | null): Y.ID | null => (id?.client === from ? Y.createID(to, id.clock) : id)
  clients.delete(from)
  clients.set(to, own)
  for (const structs of clients.values()) {
    for (const struct of structs) {
      struct.id = changed(struct.id)!
      if (!(struct instanceof Y.Item)) continue
      struct.origin = changed(struct.origin)
      struct.rightOrigin = changed(struct.rightOrigin)
      struct.redone = changed(struct.redone)
    }
  }
}

/**
 * True if the content under a Y.Doc's own client id was typed into this Y.Doc, and exists nowhere else. Yjs draws a client id
 * for each Y.Doc, and draws again when an update from elsewhere has the same. False if another provider or a store follows the
 * Y.Doc, since it would keep the content under the old client id.
 */
export function isTypedHere(y: Y.Doc, lent: number): boolean {
  const { clients } = y.store
  if (y.clientID === lent || !clients.has(y.clientID) || clients.has(lent)) return false
  return !wasAttached(y) && !isFollowed(y)
}

function isFollowed(y: Y.Doc): boolean {
  const observers = y._observers as ReadonlyMap<string, ReadonlySet<unknown>>
  return ['update', 'updateV2'].some((type) => (observers.get(type)?.size ?? 0) > 0)
}
