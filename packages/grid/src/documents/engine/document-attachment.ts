import { GridError } from '@gossipgrid/core'
import type { Doc } from 'yjs'

/** Connects a Y.Doc with a document. */
export interface Attachment {
  readonly name: string
  /** Why it accepts no more edits. Undefined while it does. */
  readonly endedBy: GridError | undefined
  detach(): void
}

const attached = new WeakMap<Doc, Attachment>()
const known = new WeakSet<Doc>()

/** True if a Y.Doc is open as a document, in any grid. */
export function isAttached(y: Doc): boolean {
  const attachment = attached.get(y)
  return attachment !== undefined && attachment.endedBy === undefined
}

/** Throws `DOCUMENT_FOREIGN` if a Y.Doc is already open: it can be only one document at a time. */
export function checkUnattached(y: Doc, name: string): void {
  if (!isAttached(y)) return
  const known = attached.get(y)!.name
  throw new GridError(
    'DOCUMENT_FOREIGN',
    `the Y.Doc for '${name}' is already open as '${known}': close that first, or pass another Y.Doc`,
  )
}

/** True if a Y.Doc was open as a document before. Then others may have its content. */
export function wasAttached(y: Doc): boolean {
  return known.has(y)
}

/** Attaches a Y.Doc, and detaches its earlier attachment, which has ended. */
export function attach(y: Doc, attachment: Attachment): void {
  const before = attached.get(y)
  if (before !== attachment) before?.detach()
  attached.set(y, attachment)
  known.add(y)
}

/** Frees the Y.Doc. */
export function letGo(y: Doc, attachment: Attachment): void {
  if (attached.get(y) === attachment) attached.delete(y)
}
