import { decodeValue } from '@gossipgrid/core'
import type { Change } from './changes.ts'

/** A change of a map that decodes its values when they are looked at: most readers look at few. */
export class MapChange<Value> implements Change<Value> {
  readonly type: 'set' | 'delete'
  readonly key: string
  readonly missed = 0
  readonly #content: Uint8Array | undefined
  readonly #before: Uint8Array | undefined

  /** Copies what it is given: it may wait for long, and a view would keep the whole slab that it lies in. */
  constructor(key: string, content: Uint8Array | undefined, before: Uint8Array | undefined) {
    this.type = content === undefined ? 'delete' : 'set'
    this.key = key
    this.#content = content?.slice()
    this.#before = before?.slice()
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
