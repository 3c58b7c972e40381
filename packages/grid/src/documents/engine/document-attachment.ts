import { GridError } from '@gossipgrid/core'
import type { Doc } from 'yjs'

/** What keeps a Y.Doc the same as a document. */
export interface Attachment {
  readonly name: string
  /** Why it takes no more edits; undefined while it does. */
  readonly endedBy: GridError | undefined
  detach(): void
}

const attached = new WeakMap<Doc, Attachment>()
const known = new WeakSet<Doc>()

/** Whether a Y.Doc is open, in whichever grid. */
export function isAttached(y: Doc): boolean {
  const attachment = attached.get(y)
  return attachment !== undefined && attachment.endedBy === undefined
}

/** Throws `DOCUMENT_FOREIGN` for a Y.Doc that is open: it can be one document at a time. */
export function checkUnattached(y: Doc, name: string): void {
  if (!isAttached(y)) return
  const known = attached.get(y)!.name
  throw new GridError(
    'DOCUMENT_FOREIGN',
    `the Y.Doc for '${name}' is open as '${known}' already: close that first, or pass another Y.Doc`,
  )
}

/** True for a Y.Doc that was open as a document before: others may have what was typed into it. */
export function wasAttached(y: Doc): boolean {
  return known.has(y)
}

/** Takes a Y.Doc over from an attachment that has ended. */
export function attach(y: Doc, attachment: Attachment): void {
  const before = attached.get(y)
  if (before !== attachment) before?.detach()
  attached.set(y, attachment)
  known.add(y)
}

/** The Y.Doc is free again. */
export function letGo(y: Doc, attachment: Attachment): void {
  if (attached.get(y) === attachment) attached.delete(y)
}
