import type { Row } from '@gossipgrid/core'
import { Replica } from '@gossipgrid/core/internals'
import { replaceMethod } from './replacements.ts'

/** Tombstones are purged in time, and nobody is told: whoever was away brings back what they deleted. */
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

/** A peer that was away for too long issues anew what was deleted meanwhile, instead of letting it go. */
export function restampingFence(): () => void {
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
      // Only a fence takes out what is live.
      if (writer === undefined || !live) original.call(this, slot)
      else this.redot(slot, writer, this.vector.highest(writer) + 1)
    }
  })
  return () => {
    restoreDrop()
    restoreWrite()
  }
}
