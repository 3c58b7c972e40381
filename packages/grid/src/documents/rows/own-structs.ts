import { GridError } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { OwnContent, StructRun } from './own-rows.ts'

/** A longer text is cut. A clock takes up to three bytes. */
const STRUCT_MAX_CLOCKS = 65_536
/** A larger struct that cannot be cut is not written. */
const STRUCT_MAX_BYTES = 512 * 1024
/** Structs for one row: a run ends when it has this size. */
const RUN_BYTES = 256 * 1024

/** The structs of one client in a Y.Doc, encoded. */
export class OwnStructs implements OwnContent {
  readonly #y: Y.Doc
  readonly #client: number
  readonly #origin: unknown
  readonly #refused: (error: GridError) => void
  #encoder = new Y.UpdateEncoderV1()

  /** `refused` is called for content that cannot be written. Such content is deleted instead. */
  constructor(y: Y.Doc, client: number, origin: unknown, refused: (error: GridError) => void) {
    this.#y = y
    this.#client = client
    this.#origin = origin
    this.#refused = refused
  }

  get clock(): number {
    return Y.getState(this.#y.store, this.#client)
  }

  structsFrom(clock: number): readonly StructRun[] {
    const structs = this.#y.store.clients.get(this.#client)
    if (structs === undefined || clock >= this.clock) return []
    const first = Y.findIndexSS(structs, clock)
    for (let i = first; i < structs.length; i++) {
      if (!isTooLong(structs[i]!)) continue
      // Yjs merges the parts again at the end of the transaction.
      return Y.transact(this.#y, (transaction) => this.#runs(structs, clock, first, transaction), this.#origin)
    }
    return this.#runs(structs, clock, first, undefined)
  }

  #runs(
    structs: Y.AbstractStruct[],
    clock: number,
    first: number,
    transaction: Y.Transaction | undefined,
  ): readonly StructRun[] {
    const runs: StructRun[] = []
    let encoder = this.#emptyEncoder()
    let start = clock
    let count = 0
    const unwritable: Y.Item[] = []
    for (let i = first; i < structs.length; i++) {
      let struct = structs[i]!
      while (transaction !== undefined && isTooLong(struct)) {
        Y.getItemCleanStart(transaction, Y.createID(this.#client, struct.id.clock + cutOf(struct)))
        struct = structs[i]!
      }
      if (isUnwritable(struct)) {
        unwritable.push(struct)
        struct = deletedForm(struct)
      }
      struct.write(encoder, i === first ? clock - struct.id.clock : 0, 0)
      count += 1
      const end = struct.id.clock + struct.length
      if (i < structs.length - 1 && sizeOf(encoder) < RUN_BYTES) continue
      runs.push({ clock: start, end, count, bytes: encoder.toUint8Array() })
      encoder = this.#emptyEncoder()
      start = end
      count = 0
    }
    if (unwritable.length > 0) queueMicrotask(() => this.#refuse(unwritable))
    return runs
  }

  /** Reuses an encoder that was filled with few bytes: making its buffer takes longer than filling it. */
  #emptyEncoder(): Y.UpdateEncoderV1 {
    const buffers = buffersOf(this.#encoder)
    if (buffers.bufs.length > 0) this.#encoder = new Y.UpdateEncoderV1()
    else buffers.cpos = 0
    return this.#encoder
  }

  #refuse(unwritable: readonly Y.Item[]): void {
    // Structs of one turn may be written twice, and are refused once.
    const items = unwritable.filter((item) => !item.deleted)
    if (items.length === 0) return
    const errors = items.map(({ content }) =>
      content instanceof Y.ContentDoc
        ? new GridError('INVALID_VALUE', 'subdocuments are not supported and were removed: open a document by its name')
        : new GridError(
            'VALUE_TOO_LARGE',
            `one value of more than ${STRUCT_MAX_BYTES} bytes was removed: store it in parts`,
          ),
    )
    Y.transact(this.#y, (transaction) => {
      for (const item of items) item.delete(transaction)
    })
    for (const error of errors) this.#refused(error)
  }
}

/** True if the struct must be cut. */
function isTooLong(struct: Y.AbstractStruct): struct is Y.Item {
  if (struct.length === 1 || !(struct instanceof Y.Item) || struct.deleted) return false
  return struct.content instanceof Y.ContentString ? struct.length > STRUCT_MAX_CLOCKS : isTooLarge(struct)
}

/** Where to cut a struct. Never within a surrogate pair, since Yjs would replace both halves. */
function cutOf({ content, length }: Y.Item): number {
  const half = Math.min(STRUCT_MAX_CLOCKS, Math.ceil(length / 2))
  const isPair = content instanceof Y.ContentString && (content.str.charCodeAt(half - 1) & 0xfc00) === 0xd800
  return isPair ? half + 1 : half
}

/** True if the struct does not fit into any row. */
function isUnwritable(struct: Y.AbstractStruct): struct is Y.Item {
  if (!(struct instanceof Y.Item) || struct.deleted) return false
  return struct.content instanceof Y.ContentDoc || isTooLarge(struct)
}

function isTooLarge(item: Y.Item): boolean {
  const { content } = item
  if (content instanceof Y.ContentString || content instanceof Y.ContentType) return false
  const encoder = new Y.UpdateEncoderV1()
  item.write(encoder, 0)
  return sizeOf(encoder) > STRUCT_MAX_BYTES
}

/** The struct as a deleted one. */
function deletedForm({ id, origin, rightOrigin, parent, parentSub, length }: Y.Item): Y.Item {
  return new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, new Y.ContentDeleted(length))
}

/** Number of bytes in an encoder. */
export function sizeOf(encoder: Y.UpdateEncoderV1): number {
  const { bufs, cpos } = buffersOf(encoder)
  let sizeBytes = cpos
  for (const { length } of bufs) sizeBytes += length
  return sizeBytes
}

/** The full buffers of an encoder, and the number of bytes in its current one. */
function buffersOf({ restEncoder }: Y.UpdateEncoderV1): { readonly bufs: readonly Uint8Array[]; cpos: number } {
  return restEncoder as unknown as { readonly bufs: readonly Uint8Array[]; cpos: number }
}
