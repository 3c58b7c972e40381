import {
  NO_SHARE,
  covers,
  deleteRowKey,
  deletedRow,
  encodeShare,
  largest,
  left,
  readShare,
  splitKey,
} from '@gossipgrid/core'
import type { Left, Partition, Share } from '@gossipgrid/core'
import type { RowWrite } from '../runtime/row-write.ts'

/** This peer's own row under a key. */
export interface OwnCount {
  readonly slot: string
  readonly share: Share
}

/** What all slots have counted under a key, less what deletes had seen. */
export interface KeyCount {
  sum: bigint
  /** Slots with counts that no delete had seen. The key is there as long as there is one. */
  slots: number
  own: OwnCount | undefined
}

/** The row of a slot that has counted under a key. */
export interface CountRow {
  readonly key: string
  readonly slot: string
  readonly hlc: number
  readonly share: Share
}

/**
 * The counters under all keys. A slot is written by one peer, and its counts only grow. A delete writes down how much it had
 * seen of each slot, in a row that only the deleter writes; of several deletes the largest numbers stand. So a key's count is
 * the sum over its slots of what they counted, less what any delete had seen of them (an observed-reset counter: Weidner and
 * Almeida, 2022). Slots whose counts were all seen are tombstones, which are purged as those of sets are.
 */
export class KeyCounts {
  readonly all: Map<string, KeyCount> = new Map<string, KeyCount>()
  readonly #partition: Partition
  readonly #peer: { readonly slotId: string }
  /** How much deletes had seen, by the key of the slot's row. */
  readonly #seen = new Map<string, Share>()
  /** A slot of this peer that a delete has removed is never written again: others might count it twice. */
  #ownSlots = 0

  /** `peer` has the slot of its own rows. */
  constructor(partition: Partition, peer: { readonly slotId: string }) {
    this.#partition = partition
    this.#peer = peer
    const { table } = partition.replica
    const live = [...table.slots()].filter((slot) => !table.deleted(slot))
    const isDelete = (slot: number): boolean => deletedRow(table.key(slot)) !== undefined
    for (const slot of live.filter(isDelete)) this.changed(slot, undefined)
    for (const slot of live.filter((each) => !isDelete(each))) this.changed(slot, undefined)
  }

  sumOf(key: string): bigint | undefined {
    return this.all.get(key)?.sum
  }

  /** This peer's row under a key: that which is there, or a new one. */
  ownOf(key: string): OwnCount {
    const own = this.all.get(key)?.own
    return own?.slot.startsWith(this.#slotId) === true ? own : this.#newSlot()
  }

  /** How much deletes had seen of the slot of a row. */
  seenOf(rowKey: string): Share | undefined {
    return this.#seen.get(rowKey)
  }

  /** As `ownOf`, after a delete that is not applied yet. */
  ownAfterDelete(key: string): OwnCount {
    if (this.all.get(key)?.own !== undefined) this.#ownSlots += 1
    return this.#newSlot()
  }

  /** What this peer counts from here on goes to other slots. Returns the number of the first of them. */
  startOver(): number {
    for (const count of this.all.values()) count.own = undefined
    this.#ownSlots += 1
    return this.#ownSlots
  }

  /** The rows of the slots of a key that are there; of this peer's slots those with a number below `before`. */
  rowsOf(key: string, before: number = Infinity): CountRow[] {
    const { table } = this.#partition.replica
    const rows: CountRow[] = []
    for (const at of table.slotsOf(key)) {
      const rowKey = table.key(at)
      const slot = splitKey(rowKey).sub ?? ''
      if (table.deleted(at) || deletedRow(rowKey) !== undefined || this.#ownNumber(slot) >= before) continue
      rows.push({ key: rowKey, slot, hlc: table.hlc(at), share: readShare(table.value(at)) })
    }
    return rows
  }

  /**
   * The rows of a delete, by this peer, of slots as it saw them: how much it had seen, and a tombstone where a slot is still the
   * same.
   */
  deletesOf(rows: readonly CountRow[]): RowWrite[] {
    const partition = this.#partition
    const { table } = partition.replica
    return rows.flatMap(({ key, hlc, share }) => {
      const isSeen = covers(this.#seen.get(key), share) || (share.up === 0 && share.down === 0)
      const deleteKey = deleteRowKey(key, this.#slotId)
      const seen = isSeen ? [] : [{ partition, key: deleteKey, bytes: encodeShare(share) }]
      const slot = table.slotOf(key)
      const isSame = slot !== undefined && !table.deleted(slot) && table.hlc(slot) === hlc
      return isSame ? [...seen, { partition, key, bytes: undefined }] : seen
    })
  }

  /** Deletes, in a part of the table, of slots that are not there any more. Returns their keys, and where to look on. */
  idleDeletes(
    from: number,
    countMax: number,
    olderThanHlc: number,
  ): { readonly keys: string[]; readonly next: number } {
    const { table } = this.#partition.replica
    const keys: string[] = []
    const end = Math.min(from + countMax, table.slotCount)
    for (let slot = from; slot < end; slot++) {
      if (table.isFree(slot) || table.deleted(slot) || table.hlc(slot) > olderThanHlc) continue
      const key = table.key(slot)
      const of = deletedRow(key)
      if (of !== undefined && this.#shareAt(of) === undefined) keys.push(key)
    }
    return { keys, next: end === table.slotCount ? 0 : end }
  }

  /** A row has changed. Returns its key, with the count before. */
  changed(
    slot: number,
    previous: Uint8Array | undefined,
  ): { readonly key: string; readonly before: bigint | undefined } {
    const { table } = this.#partition.replica
    const rowKey = table.key(slot)
    const { main: key, sub = '' } = splitKey(rowKey)
    const before = this.sumOf(key)
    const bytes = table.deleted(slot) ? undefined : table.value(slot)
    const of = deletedRow(rowKey)
    if (of === undefined) this.#countChanged(key, sub, rowKey, bytes, previous)
    else this.#deleteChanged(key, of, bytes, previous)
    return { key, before }
  }

  #countChanged(
    key: string,
    slot: string,
    rowKey: string,
    bytes: Uint8Array | undefined,
    previous: Uint8Array | undefined,
  ): void {
    const seen = this.#seen.get(rowKey)
    const share = bytes === undefined ? undefined : readShare(bytes)
    const isOwn = slot.startsWith(this.#slotId)
    if (isOwn && share === undefined && previous !== undefined) this.#ownSlots += 1
    const own = isOwn ? { slot, share } : undefined
    this.#add(key, left(previous === undefined ? undefined : readShare(previous), seen), left(share, seen), own)
  }

  #deleteChanged(key: string, of: string, bytes: Uint8Array | undefined, previous: Uint8Array | undefined): void {
    const seen = this.#seen.get(of)
    const share = bytes === undefined ? undefined : readShare(bytes)
    // An honest deleter's numbers only grow. Where they do not, the other deletes of the slot count.
    const grows = share !== undefined && (previous === undefined || covers(share, readShare(previous)))
    const next = grows ? largest(seen, share) : this.#seenNow(key, of)
    if (next === undefined) this.#seen.delete(of)
    else this.#seen.set(of, next)
    const count = this.#shareAt(of)
    if (count !== undefined) this.#add(key, left(count, seen), left(count, next), undefined)
  }

  /** What all deletes of a slot that are there have seen. */
  #seenNow(key: string, of: string): Share | undefined {
    const { table } = this.#partition.replica
    let seen: Share | undefined
    for (const slot of table.slotsOf(key)) {
      if (!table.deleted(slot) && deletedRow(table.key(slot)) === of) seen = largest(seen, readShare(table.value(slot)))
    }
    return seen
  }

  #shareAt(rowKey: string): Share | undefined {
    const { table } = this.#partition.replica
    const slot = table.slotOf(rowKey)
    return slot === undefined || table.deleted(slot) ? undefined : readShare(table.value(slot))
  }

  #add(key: string, before: Left, after: Left, own: { slot: string; share: Share | undefined } | undefined): void {
    const known = this.all.get(key)
    const count = known ?? { sum: 0n, slots: 0, own: undefined }
    count.sum += after.net - before.net
    count.slots += after.slots - before.slots
    if (own?.share !== undefined) count.own = { slot: own.slot, share: own.share }
    else if (own !== undefined && count.own?.slot === own.slot) count.own = undefined
    if (count.slots > 0 && known === undefined) this.all.set(key, count)
    if (count.slots > 0) return
    // This peer's row may still be there, and all of it was seen. It counts in another slot then.
    if (count.own !== undefined) this.#ownSlots += 1
    this.all.delete(key)
  }

  get #slotId(): string {
    return this.#peer.slotId
  }

  #ownNumber(slot: string): number {
    return slot.startsWith(this.#slotId) ? Number.parseInt(`0${slot.slice(this.#slotId.length)}`, 16) : -1
  }

  #newSlot(): OwnCount {
    const number = this.#ownSlots === 0 ? '' : this.#ownSlots.toString(16)
    return { slot: `${this.#slotId}${number}`, share: NO_SHARE }
  }
}
