import * as Y from 'yjs'
import type { StructRun } from '../rows/own-rows.ts'
import { sizeOf } from '../rows/own-structs.ts'
import type { Placement } from './generation-map.ts'
import type { LateIds } from './late-ids.ts'

/** Structs for one row: a run ends when it has this size. */
const RUN_BYTES = 256 * 1024

type Struct = Y.Item | Y.GC | Y.Skip

/**
 * Rebases the late edits of one author to the current generation: structs with the same ids, which refer to the copies of what
 * they referred to. Every peer that rebases them writes the same rows, so it does not matter how many do, or how often.
 */
export class LateStructs {
  readonly #client: number
  readonly #structs: readonly Struct[]
  readonly #map: Placement
  readonly #ids: LateIds
  readonly #surroundings: () => Y.Doc | undefined
  #unplaced = false
  #missing = false

  /**
   * `update` has all structs of the author. The ids of structs that are left out are added to `ids`. `surroundings` returns the
   * generation that was edited, without garbage collection, for structs that were beside deleted ones. Undefined if that
   * generation is gone.
   */
  constructor(
    { client, update }: { readonly client: number; readonly update: Uint8Array },
    map: Placement,
    ids: LateIds,
    surroundings: () => Y.Doc | undefined,
  ) {
    this.#client = client
    this.#structs = Y.decodeUpdate(update).structs
    this.#map = map
    this.#ids = ids
    this.#surroundings = surroundings
  }

  /** True if some structs have no place, and are left out. */
  get unplaced(): boolean {
    return this.#unplaced
  }

  /** All late structs: the edits of an author are rebased together. Undefined while rows are missing. */
  runs(): readonly StructRun[] | undefined {
    const first = this.#map.lateFrom(this.#client)
    const late = this.#structs.filter(({ id, length }) => id.clock + length > first)
    const runs: StructRun[] = []
    let encoder = new Y.UpdateEncoderV1()
    let start = 0
    let count = 0
    let end = first
    if (first > 0 && late.length > 0) {
      // Yjs does not accept a gap before the first clock.
      new Y.GC(Y.createID(this.#client, 0), first).write(encoder, 0)
      count += 1
    }
    for (const [i, struct] of late.entries()) {
      if (struct instanceof Y.Skip || struct.id.clock > end) return undefined
      const translated = this.#translated(struct, end - struct.id.clock)
      if (this.#missing) return undefined
      if (translated instanceof Y.GC) this.#ids.leaveOut(translated.id, translated.length)
      translated.write(encoder, 0)
      count += 1
      end = struct.id.clock + struct.length
      if (i < late.length - 1 && sizeOf(encoder) < RUN_BYTES) continue
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
    const parent = origin === null && right === null ? this.#parentOf(struct, id) : null
    // Its parent was deleted.
    if (parent === undefined) return new Y.GC(id, length)
    const content = offset > 0 ? struct.content.splice(offset) : struct.content
    return new Y.Item(id, null, origin, null, right, parent?.of as never, parent?.key ?? null, content)
  }

  /** The parent of a struct whose neighbours do not determine it. Undefined if it is gone. */
  #parentOf({ parent, parentSub }: Y.Item, id: Y.ID): { of: string | Y.ID; key: string | null } | undefined {
    let of = parent as string | Y.ID | null
    let key = parentSub
    if (of === null) {
      const y = this.#surroundings()
      const item = this.#structAt(y, id)
      if (y === undefined) this.#unplaced = true
      if (!(item instanceof Y.Item) || !(item.parent instanceof Y.AbstractType)) return undefined
      of = item.parent._item === null ? Y.findRootTypeKey(item.parent) : item.parent._item.id
      key = item.parentSub
    }
    if (typeof of === 'string') return { of, key }
    const there = this.#placeOf(of)
    if (there === undefined && this.#isLate(of)) this.#unplaced = true
    return there === undefined ? undefined : { of: there, key }
  }

  /** The id in the new generation. Undefined if there is none. */
  #placeOf(id: Y.ID): Y.ID | undefined {
    if (!this.#isLate(id)) return this.#map.find(id)
    this.#missing ||= !this.#ids.isHere(id)
    return this.#ids.isLeftOut(id) ? undefined : id
  }

  #isLate({ client, clock }: Y.ID): boolean {
    return clock >= this.#map.lateFrom(client)
  }

  /** The id in the new generation, or else the nearest one in a direction, as the neighbour of `of`. */
  #beside(id: Y.ID, of: Y.ID, direction: -1 | 1): Y.ID | null {
    const same = this.#placeOf(id)
    if (same !== undefined) return same
    const y = this.#surroundings()
    const struct = this.#structAt(y, id)
    let item: Y.Item | null = struct instanceof Y.Item ? struct : null
    let { clock } = id
    while (item !== null) {
      const { id: first, length } = item
      const [from, end] = direction < 0 ? [first.clock, clock + 1] : [clock, first.clock + length]
      const found = this.#nearest(first.client, from, end, of, direction < 0)
      if (found !== undefined) return found
      item = direction < 0 ? item.left : item.right
      if (item !== null) clock = direction < 0 ? item.id.clock + item.length - 1 : item.id.clock
    }
    return null
  }

  /** Undefined if there are no surroundings, or while rows of them are missing. */
  #structAt(y: Y.Doc | undefined, id: Y.ID): Y.Item | Y.GC | undefined {
    if (y === undefined) return undefined
    if (Y.getState(y.store, id.client) > id.clock) return Y.getItem(y.store, id)
    this.#missing = true
    return undefined
  }

  /** The first or last id of a range that the new generation has, or that the author has made since. */
  #nearest(client: number, from: number, end: number, of: Y.ID, last: boolean): Y.ID | undefined {
    const late = Math.max(from, this.#map.lateFrom(client))
    const lateEnd = client === of.client ? Math.min(end, of.clock) : late
    const known = Math.min(end, late)
    if (last && lateEnd > late) return Y.createID(client, lateEnd - 1)
    const found = known > from ? this.#map.nearest({ client, clock: from, length: known - from }, last) : undefined
    return found ?? (lateEnd > late ? Y.createID(client, late) : undefined)
  }
}
