import { decodeValue } from '@gossipgrid/core'
import { putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A change of an entry, or the mark that changes were left out. A plain object that only this reader has. */
export interface Change<Value> {
  /** `lagged`: the reader was too slow, and `missed` changes were left out. Read the current entries to continue. */
  readonly type: 'set' | 'delete' | 'lagged'
  /** '' if lagged. */
  readonly key: string
  /** The new value. Undefined for a delete, and if lagged. */
  readonly value: Value | undefined
  /** The value before, if this peer had one. */
  readonly previous: Value | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

/** A change of an entry, with its values as encoded bytes. */
export class EncodedChange<Value> implements UnreadChange<Change<Value>> {
  readonly key: string
  readonly sizeBytes: number
  readonly #content: Uint8Array | undefined
  readonly #before: Uint8Array | undefined
  #kept: EncodedChange<Value> | undefined

  constructor(key: string, content: Uint8Array | undefined, before: Uint8Array | undefined) {
    this.key = key
    this.sizeBytes = key.length + (content?.length ?? 0) + (before?.length ?? 0)
    this.#content = content
    this.#before = before
  }

  /** With copies of the values: views would keep the slabs that contain them alive. All readers share the copies. */
  kept(): EncodedChange<Value> {
    this.#kept ??= this.#copy()
    return this.#kept
  }

  read(): Change<Value> {
    const change: Change<Value> = {
      type: this.#content === undefined ? 'delete' : 'set',
      key: this.key,
      value: undefined,
      previous: undefined,
      missed: 0,
    }
    if (this.#content !== undefined) putDecoded(change, 'value', this.#content, decodeValue)
    if (this.#before !== undefined) putDecoded(change, 'previous', this.#before, decodeValue)
    return change
  }

  #copy(): EncodedChange<Value> {
    const [content, before] = [this.#content, this.#before]
    const length = content?.length ?? 0
    // One buffer for both, because each buffer has a high cost.
    const bytes = new Uint8Array(length + (before?.length ?? 0))
    if (content !== undefined) bytes.set(content)
    if (before !== undefined) bytes.set(before, length)
    const copy = new EncodedChange<Value>(
      this.key,
      content === undefined ? undefined : bytes.subarray(0, length),
      before === undefined ? undefined : bytes.subarray(length),
    )
    copy.#kept = copy
    return copy
  }
}
