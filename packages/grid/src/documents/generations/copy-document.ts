import { writeYjsUpdate } from '@gossipgrid/core'
import * as Y from 'yjs'

/**
 * Copies the visible content of a Y.Doc into another one, as edits of that one: text with its formats, maps, lists and XML,
 * nested in any way. Does not copy history and deleted content. The content may have any client ids, so use this to bring
 * documents of other providers into a grid. Throws a `TypeError` for subdocuments.
 *
 * @example
 * ```ts
 * import { copyDocument } from 'gossipgrid/yjs'
 * import { Doc } from 'yjs'
 *
 * const old = new Doc()
 * old.getText('body').insert(0, 'from elsewhere')
 * const moved = new Doc()
 * copyDocument(old, moved)
 * console.log(moved.getText('body').toJSON()) // from elsewhere
 * ```
 */
export function copyDocument(from: Y.Doc, to: Y.Doc): void {
  const { update } = copyStructs(from, to.clientID, Y.getState(to.store, to.clientID))
  // As a local edit: else Yjs would change the client id of the Y.Doc, because a remote update has the same one.
  if (update === undefined) return
  Y.transact(to, (transaction) => {
    Y.applyUpdate(to, update)
    transaction.local = true
  })
}

/** The visible content of a Y.Doc, as structs of one client. */
export interface CopiedStructs {
  /** Undefined if there is no visible content. */
  readonly update: Uint8Array | undefined
  /** The originals of the structs, in order: three numbers for each range (client, clock, length). */
  readonly copied: readonly number[]
}

/** Copies the visible content of a Y.Doc into structs of a client, from a clock on. Throws a `TypeError` for subdocuments. */
export function copyStructs(from: Y.Doc, client: number, clock: number): CopiedStructs {
  const copy = new Copy(client, clock)
  for (const [key, type] of from.share) copy.type(type, key)
  return copy
}

type Shared = Y.Doc['share'] extends Map<string, infer Type> ? Type : never

/** Writes visible items one after another, each with the one before it as its origin. */
class Copy implements CopiedStructs {
  readonly copied: number[] = []
  readonly #encoder = new Y.UpdateEncoderV1()
  readonly #client: number
  readonly #first: number
  #clock: number
  #count = 0

  constructor(client: number, clock: number) {
    this.#client = client
    this.#first = clock
    this.#clock = clock
  }

  get update(): Uint8Array | undefined {
    if (this.#count === 0) return undefined
    const structs = {
      client: this.#client,
      clock: this.#first,
      count: this.#count,
      pieces: [this.#encoder.toUint8Array()],
    }
    return writeYjsUpdate([structs], [])
  }

  /** `parent` is the key of a root type, or the id of the copy of an item. */
  type(type: Shared, parent: string | Y.ID): void {
    let last: Y.ID | null = null
    for (let item = type._start; item !== null; item = item.right) {
      if (!item.deleted) last = this.#item(item, last, parent, null)
    }
    for (const [key, item] of type._map) if (!item.deleted) this.#item(item, null, parent, key)
  }

  #item(item: Y.Item, left: Y.ID | null, parent: string | Y.ID, key: string | null): Y.ID {
    const { content, length } = item
    if (content instanceof Y.ContentDoc) throw new TypeError('subdocuments cannot be copied: copy each by itself')
    const id = Y.createID(this.#client, this.#clock)
    const last = Y.createID(this.#client, this.#clock + length - 1)
    const owner = parent as unknown as Shared
    new Y.Item(id, null, left, null, null, owner, key, content).write(this.#encoder, 0)
    this.#clock += length
    this.#count += 1
    this.#note(item)
    if (content instanceof Y.ContentType) this.type(content.type, id)
    return last
  }

  #note({ id, length }: Y.Item): void {
    const { copied } = this
    const at = copied.length - 3
    if (copied[at] === id.client && copied[at + 1]! + copied[at + 2]! === id.clock)
      copied[at + 2] = copied[at + 2]! + length
    else copied.push(id.client, id.clock, length)
  }
}
