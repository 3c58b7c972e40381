import * as Y from 'yjs'
import { bringTo, showSame } from './shown-content.ts'
import type { SameTypes, SharedType } from './shown-content.ts'

/** How often a Y.Doc is edited to show the same as another one. Its listeners may edit it meanwhile. */
const TRIES_MAX = 3

/** Makes all root types of another Y.Doc in a Y.Doc. */
export function askForRoots(of: Y.Doc, from: Y.Doc): void {
  for (const [key, type] of from.share) of.get(key, type.constructor as new () => SharedType)
}

/**
 * Moves the structs of another Y.Doc into a Y.Doc, which keeps the shared types that editors are bound to. The other Y.Doc must
 * not be used afterwards. Differences in visible content are changed first, as an edit that editors observe; the rest changes
 * without events. `failed` gets errors of listeners. Returns false, with nothing moved, if the two cannot be made to show the
 * same. Must not be called within a transaction of either Y.Doc.
 */
export function adoptContent(y: Y.Doc, from: Y.Doc, origin: unknown, failed: (error: unknown) => void): boolean {
  for (let i = 0; i < TRIES_MAX; i++) {
    const same: SameTypes = new Map()
    if (Array.from(y.share).every(([key, type]) => showSame(type, from.share.get(key), same))) {
      moveStructs(y, from, same)
      return true
    }
    try {
      Y.transact(y, () => bringAll(y, from), origin, false)
    } catch (error) {
      failed(error)
    }
  }
  return false
}

/** Edits the Y.Doc under another client id: if a remote edit had its own one, Yjs would draw a new client id. */
function bringAll(y: Y.Doc, from: Y.Doc): void {
  const { clientID } = y
  y.clientID = from.clientID
  try {
    for (const [key, type] of y.share) bringTo(type, from.share.get(key)!)
  } finally {
    y.clientID = clientID
  }
}

/** Must not fail: `y` is inconsistent until the end. */
function moveStructs(y: Y.Doc, from: Y.Doc, same: SameTypes): void {
  for (const structs of from.store.clients.values()) {
    for (const struct of structs) if (struct instanceof Y.Item) moveItem(struct, y, same)
  }
  for (const [theirs, ours] of same) if (theirs !== ours) moveType(theirs, ours)
  for (const [key, type] of from.share) {
    if (y.share.has(key)) continue
    type.doc = y
    y.share.set(key, type)
  }
  const { store } = y
  store.clients.clear()
  for (const [client, structs] of from.store.clients) store.clients.set(client, structs)
  store.pendingStructs = null
  store.pendingDs = null
}

function moveItem(item: Y.Item, y: Y.Doc, same: SameTypes): void {
  const parent = same.get(item.parent as SharedType)
  if (parent !== undefined) item.parent = parent
  const { content } = item
  if (!(content instanceof Y.ContentType)) return
  const type = same.get(content.type)
  if (type === undefined) content.type.doc = y
  else {
    content.type = type
    type._item = item
  }
}

function moveType(theirs: SharedType, ours: SharedType): void {
  ours._start = theirs._start
  ours._map = theirs._map
  ours._length = theirs._length
  ours._searchMarker = theirs._searchMarker === null ? null : []
  if (theirs instanceof Y.Text && ours instanceof Y.Text) ours._hasFormatting = theirs._hasFormatting
}
