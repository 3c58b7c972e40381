import * as protocol from 'y-protocols/awareness'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'

/** The Awareness of a Y.Doc whose providers were given none, and how many of them there are. */
const awarenesses = new WeakMap<Doc, { readonly awareness: Awareness; usersCount: number }>()

/** The Awareness that all providers of a Y.Doc share; each that takes it leaves it again. */
export function defaultAwareness(doc: Doc): Awareness {
  const known = awarenesses.get(doc)
  if (known !== undefined) {
    known.usersCount += 1
    return known.awareness
  }
  const awareness = new protocol.Awareness(doc)
  awarenesses.set(doc, { awareness, usersCount: 1 })
  // As with its Y.Doc.
  awareness.on('destroy', () => {
    if (awarenesses.get(doc)?.awareness === awareness) awarenesses.delete(doc)
  })
  return awareness
}

/** It ends with the last that leaves it. */
export function leaveAwareness(doc: Doc, awareness: Awareness): void {
  const known = awarenesses.get(doc)
  if (known?.awareness !== awareness) return
  known.usersCount -= 1
  if (known.usersCount === 0) awareness.destroy()
}
