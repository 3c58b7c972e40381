import { OWN_SHARES_MAX_BYTES, OWN_SHARE_KEPT_MS } from '../limits.ts'
import { NO_SHARE, largest } from './shares.ts'
import type { Share } from './shares.ts'

/** What a share takes besides its key. */
const COST_BYTES = 128

/** This peer's slot of a counter, and what it has counted there. */
export interface OwnShare {
  readonly slot: string
  readonly share: Share
}

interface Kept extends OwnShare {
  /** Monotonic milliseconds. */
  readonly atMs: number
}

/**
 * What a peer has itself counted under the keys of partitioned counters, in this life. It is never taken from what a read has found:
 * an owner that answers may lack the last counts, and a row that goes on from there would take them away. A share that was not used
 * for long is forgotten, and the peer counts under that key in another slot from then on.
 */
export class OwnShares {
  readonly #slotId: string
  readonly #draw: () => string
  /** By key; those that were used longest ago come first. */
  readonly #counts = new Map<string, Kept>()
  /** How much of a slot this peer's deletes had seen, by the key of the slot's row. */
  readonly #deletes = new Map<string, Share>()
  #deleter: string
  #number = 0
  #bytes = 0
  #deleteBytes = 0

  /** `slotId`: drawn at each opening. `draw` draws another one. */
  constructor(slotId: string, draw: () => string) {
    this.#slotId = slotId
    this.#deleter = slotId
    this.#draw = draw
  }

  /** The slot in which this peer counts under a key, with what it has counted there. */
  of(key: string, nowMs: number): OwnShare {
    this.#forgetOld(nowMs)
    return this.#counts.get(key) ?? { slot: this.#newSlot, share: NO_SHARE }
  }

  /** The same, if it has counted there. */
  known(key: string, nowMs: number): OwnShare | undefined {
    this.#forgetOld(nowMs)
    return this.#counts.get(key)
  }

  /** It has counted in that slot. */
  counted(key: string, { slot, share }: OwnShare, nowMs: number): void {
    if (this.#counts.delete(key)) this.#bytes -= costOf(key)
    this.#counts.set(key, { slot, share, atMs: nowMs })
    this.#bytes += costOf(key)
    for (const oldest of this.#counts.keys()) {
      if (this.#bytes <= OWN_SHARES_MAX_BYTES) break
      this.#forget(oldest)
    }
  }

  /** The slot at which this peer writes how much of other slots its deletes had seen. */
  get deleter(): string {
    return this.#deleter
  }

  /** A delete of this peer has seen so much of a slot. Returns the most that one has seen: what it is to write. */
  deleted(rowKey: string, share: Share): Share {
    const known = this.#deletes.get(rowKey)
    if (known === undefined) this.#deleteBytes += costOf(rowKey)
    if (this.#deleteBytes > OWN_SHARES_MAX_BYTES) {
      // Under another slot nothing can be overwritten with less.
      this.#deletes.clear()
      this.#deleteBytes = costOf(rowKey)
      this.#deleter = this.#draw()
    }
    const seen = largest(this.#deletes.get(rowKey), share)
    this.#deletes.set(rowKey, seen)
    return seen
  }

  get #newSlot(): string {
    return `${this.#slotId}${this.#number === 0 ? '' : this.#number.toString(16)}`
  }

  #forgetOld(nowMs: number): void {
    for (const [key, { atMs }] of this.#counts) {
      if (nowMs - atMs < OWN_SHARE_KEPT_MS) return
      this.#forget(key)
    }
  }

  #forget(key: string): void {
    this.#counts.delete(key)
    this.#bytes -= costOf(key)
    // The slot may be one of those so far: none of them is used for a new key any more.
    this.#number += 1
  }
}

function costOf(key: string): number {
  return COST_BYTES + 2 * key.length
}
