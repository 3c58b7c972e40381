import { splitKey, wallFromHlc } from '@gossipgrid/core'
import type { Effect, Input, Instant, Row } from '@gossipgrid/core'
import { Peer, Replica } from '@gossipgrid/core/internals'
import { replaceGetter, replaceMethod } from './replacements.ts'

const SLOT_ID = /^[0-9a-f]{16}$/
const SHARED_SLOT = '00000000000000aa'

/** Tombstones of a set's rows count as purged five seconds after the add they remove: any version beats them. */
export function earlySetPurge(): () => void {
  let wallMs = 0
  const restoreStep = replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, input: Input, now: Instant): Effect[] {
      wallMs = now.wallMs
      return original.call(this, input, now)
    }
  })
  const restoreCompare = replaceMethod(Replica.prototype, 'compare', (original) => {
    return function compare(this: Replica, row: Readonly<Row>, slot: number): number {
      const order = original.call(this, row, slot)
      const ofSet = SLOT_ID.test(splitKey(row.key).sub ?? '')
      const purged = this.table.deleted(slot) && wallFromHlc(this.table.hlc(slot)) + 5000 < wallMs
      return order < 0 && ofSet && purged ? 1 : order
    }
  })
  return () => {
    restoreCompare()
    restoreStep()
  }
}

/** Two peers count in one slot. */
export function sharedSlot(): () => void {
  return replaceGetter(Peer.prototype, 'slotId', function slotId(this: Peer, original) {
    return this.peerId === 'peer-0' || this.peerId === 'peer-1' ? SHARED_SLOT : original
  })
}

/** An entry is dropped when it expires, instead of staying as the tombstone of its version. */
export function droppedExpiry(): () => void {
  return replaceMethod(Replica.prototype, 'expire', (original) => {
    return function expire(this: Replica, slot: number, wallMs: number): void {
      original.call(this, slot, wallMs)
      if (!this.table.isFree(slot) && this.table.deleted(slot)) this.drop(slot)
    }
  })
}
