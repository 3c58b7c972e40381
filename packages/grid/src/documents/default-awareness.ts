import * as protocol from 'y-protocols/awareness'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'

/** By Y.Doc: the Awareness that its providers share, and the number of these providers. */
const awarenesses = new WeakMap<Doc, { readonly awareness: Awareness; usersCount: number }>()

/** The Awareness that all providers of a Y.Doc share. Each of them calls `leaveAwareness` in the end. */
export function defaultAwareness(doc: Doc): Awareness {
  const known = awarenesses.get(doc)
  if (known !== undefined) {
    known.usersCount += 1
    return known.awareness
  }
  const awareness = new protocol.Awareness(doc)
  awarenesses.set(doc, { awareness, usersCount: 1 })
  // It is destroyed with its Y.Doc.
  awareness.on('destroy', () => {
    if (awarenesses.get(doc)?.awareness === awareness) awarenesses.delete(doc)
  })
  return awareness
}

/** A provider stops using the Awareness. The last one destroys it. */
export function leaveAwareness(doc: Doc, awareness: Awareness): void {
  const known = awarenesses.get(doc)
  if (known?.awareness !== awareness) return
  known.usersCount -= 1
  if (known.usersCount === 0) awareness.destroy()
}
