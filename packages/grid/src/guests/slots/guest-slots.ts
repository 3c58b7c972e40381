import { GridError, splitKey } from '@gossipgrid/core'
import type { Peer } from '@gossipgrid/core'
import { drawSlot, writerOf } from './slot-proof.ts'
import type { Slot } from './slot-proof.ts'

/**
 * The slot of a guest's own rows in sets and counters: a new one at each opening, and after each refused row of it. A row of a counter is a running
 * total. If one was taken at a member whose answer was lost, and refused at another one, counting on in that slot would take it back. So it would
 * where a member that is behind sends an earlier total.
 */
export class GuestSlots {
  readonly #peer: Peer
  #current: Slot
  #next: Slot | undefined
  #isSpent = false

  /** `current` was drawn for this opening. */
  constructor(peer: Peer, current: Slot) {
    this.#peer = peer
    this.#current = current
    peer.slotId = current.id
    void this.#draw()
  }

  /** Throws `BACKLOG_FULL` for the moment in which another slot is drawn. */
  check(): void {
    if (this.#isSpent) throw new GridError('BACKLOG_FULL', 'another slot of this guest is being drawn: write again')
  }

  /** Shows that a row is in the slot; undefined for a row of another slot. */
  proofOf(rowKey: string): Uint8Array | undefined {
    return this.#isOwn(rowKey) ? this.#current.proof : undefined
  }

  /** A member has refused this row, or does not have all that it counted: own rows are in another slot from here on. */
  leave(rowKey: string): void {
    if (!this.#isOwn(rowKey)) return
    this.#isSpent = true
    this.#change()
  }

  #change(): void {
    if (!this.#isSpent || this.#next === undefined) return
    this.#current = this.#next
    this.#next = undefined
    this.#isSpent = false
    this.#peer.slotId = this.#current.id
    void this.#draw()
  }

  #isOwn(rowKey: string): boolean {
    const { main, sub } = splitKey(rowKey)
    return writerOf(sub ?? main) === this.#current.id
  }

  async #draw(): Promise<void> {
    this.#next = await drawSlot()
    this.#change()
  }
}
