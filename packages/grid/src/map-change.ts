import { decodeValue } from '@gossipgrid/core'
import type { Change } from './changes.ts'

/** A change of a map that decodes its values when they are looked at: most readers look at few. */
export class MapChange<Value> implements Change<Value> {
  readonly type: 'set' | 'delete'
  readonly key: string
  readonly missed = 0
  #content: Uint8Array | undefined
  #before: Uint8Array | undefined
  #kept = false

  constructor(key: string, content: Uint8Array | undefined, before: Uint8Array | undefined) {
    this.type = content === undefined ? 'delete' : 'set'
    this.key = key
    this.#content = content
    this.#before = before
  }

  /** Fit to wait for long: with copies, where a view would keep the whole slab that it lies in. */
  kept(): this {
    if (this.#kept) return this
    this.#kept = true
    const [content, before] = [this.#content, this.#before]
    // One buffer for both: it is buffers that cost.
    const bytes = new Uint8Array((content?.length ?? 0) + (before?.length ?? 0))
    if (content !== undefined) {
      bytes.set(content)
      this.#content = bytes.subarray(0, content.length)
    }
    if (before !== undefined) {
      bytes.set(before, content?.length ?? 0)
      this.#before = bytes.subarray(content?.length ?? 0)
    }
    return this
  }

  /** What it keeps while it waits for its reader. */
  get sizeBytes(): number {
    return this.key.length + (this.#content?.length ?? 0) + (this.#before?.length ?? 0)
  }

  get value(): Value | undefined {
    return this.#content === undefined ? undefined : (decodeValue(this.#content) as Value)
  }

  get previous(): Value | undefined {
    return this.#before === undefined ? undefined : (decodeValue(this.#before) as Value)
  }
}
