import type { Row } from '@gossipgrid/core'
import { Replica } from '@gossipgrid/core/internals'
import { replaceMethod } from './replacements.ts'

/**
 * Tombstones are purged in time, but the floor is not recorded: a peer that was away brings back what the others
 * deleted.
 */
export function purgeWithoutFloor(): () => void {
  return replaceMethod(Replica.prototype, 'raiseFloor', () => {
    return function raiseFloor(this: Replica, floor: Replica['floor']): void {
      const { table } = this
      for (const slot of table.slots()) {
        if (table.deleted(slot) && floor.has(table.writer(slot), table.sequence(slot))) this.drop(slot)
      }
    }
  })
}

/** A peer that was away for too long issues its deleted entries again, instead of dropping them in its full resync. */
export function restampingResync(): () => void {
  const own = new WeakMap<Replica, number>()
  const restoreWrite = replaceMethod(Replica.prototype, 'write', (original) => {
    return function write(this: Replica, row: Row): number {
      own.set(this, row.writer)
      return original.call(this, row)
    }
  })
  const restoreDrop = replaceMethod(Replica.prototype, 'drop', (original) => {
    return function drop(this: Replica, slot: number): void {
      const writer = own.get(this)
      const live = !this.table.deleted(slot) && this.table.expiresAtMs(slot) === Infinity
      // Only a full resync drops live entries.
      if (writer === undefined || !live) original.call(this, slot)
      else this.redot(slot, writer, this.vector.highest(writer) + 1)
    }
  })
  return () => {
    restoreDrop()
    restoreWrite()
  }
}
