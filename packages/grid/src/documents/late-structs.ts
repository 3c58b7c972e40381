import * as Y from 'yjs'
import type { Placement } from './generation-map.ts'
import type { OwnContent, StructRun } from './own-rows.ts'
import { sizeOf } from './own-structs.ts'

/** So much of structs goes into one row. */
const RUN_BYTES = 256 * 1024

/**
 * What one author has edited in a generation after another one had started from it, as structs of that one: under the
 * same ids, tied to the copies of what they were tied to. So it does not matter how often they are carried over.
 */
export class LateStructs implements OwnContent {
  readonly clock: number
  readonly #y: Y.Doc
  readonly #client: number
  readonly #map: Placement

  /** `y` has the old generation, with nothing collected. */
  constructor(y: Y.Doc, client: number, map: Placement) {
    this.#y = y
    this.#client = client
    this.#map = map
    const clock = Y.getState(y.store, client)
    this.clock = clock > map.covers.endOf(client) ? clock : 0
  }

  /** All of them: nothing of an author is carried over in parts. */
  structsFrom(): readonly StructRun[] {
    if (this.clock === 0) return []
    const runs: StructRun[] = []
    const first = this.#map.covers.endOf(this.#client)
    let encoder = new Y.UpdateEncoderV1()
    let start = 0
    let count = 0
    if (first > 0) {
      // Yjs takes no clocks with a gap before them.
      new Y.GC(Y.createID(this.#client, 0), first).write(encoder, 0)
      count += 1
    }
    const structs = this.#y.store.clients.get(this.#client)!
    for (let i = Y.findIndexSS(structs, first); i < structs.length; i++) {
      const struct = structs[i]!
      this.#translated(struct, Math.max(0, first - struct.id.clock)).write(encoder, 0)
      count += 1
      const end = struct.id.clock + struct.length
      if (i < structs.length - 1 && sizeOf(encoder) < RUN_BYTES) continue
      runs.push({ clock: start, end, count, bytes: encoder.toUint8Array() })
      encoder = new Y.UpdateEncoderV1()
      start = end
      count = 0
    }
    return runs
  }

  #translated(struct: Y.Item | Y.GC, offset: number): Y.Item | Y.GC {
    const id = Y.createID(this.#client, struct.id.clock + offset)
    const length = struct.length - offset
    if (!(struct instanceof Y.Item)) return new Y.GC(id, length)
    const before = offset > 0 ? Y.createID(this.#client, id.clock - 1) : struct.origin
    const origin = before === null ? null : this.#beside(before, id, -1)
    const right = struct.rightOrigin === null ? null : this.#beside(struct.rightOrigin, id, 1)
    const parent = this.#parentOf(struct)
    // It stands within what was deleted.
    if (parent === undefined) return new Y.GC(id, length)
    const whole = struct.content.copy()
    const content = offset > 0 ? whole.splice(offset) : whole
    return new Y.Item(id, null, origin, null, right, parent as never, struct.parentSub, content)
  }

  #parentOf({ parent }: Y.Item): string | Y.ID | undefined {
    if (!(parent instanceof Y.AbstractType)) return undefined
    if (parent._item === null) return Y.findRootTypeKey(parent)
    const { id } = parent._item
    return this.#map.isLate(id) ? id : this.#map.find(id)
  }

  /** The nearest that the new generation has, from `id` on in a direction, for a struct to stand beside. */
  #beside(id: Y.ID, of: Y.ID, direction: -1 | 1): Y.ID | null {
    if (this.#map.isLate(id)) return id
    const struct = Y.getItem(this.#y.store, id) as Y.Item | Y.GC
    let item: Y.Item | null = struct instanceof Y.Item ? struct : null
    let { clock } = id
    while (item !== null) {
      const { client } = item.id
      const at = Y.createID(client, clock)
      const found = this.#map.find(at)
      if (found !== undefined) return found
      if (client === of.client && this.#map.isLate(at) && clock < of.clock) return at
      clock = this.#next(at, direction)
      if (clock >= item.id.clock && clock < item.id.clock + item.length) continue
      item = direction < 0 ? item.left : item.right
      if (item !== null) clock = direction < 0 ? item.id.clock + item.length - 1 : item.id.clock
    }
    return null
  }

  /** The next clock that may have a place of its own. */
  #next(id: Y.ID, direction: -1 | 1): number {
    const { covers, deletes } = this.#map
    const known = covers.endOf(id.client)
    const [from, to] = this.#map.isLate(id)
      ? [known, Infinity]
      : (deletes.rangeOf(id.client, id.clock) ?? [id.clock, id.clock + 1])
    return direction < 0 ? from - 1 : to
  }
}
