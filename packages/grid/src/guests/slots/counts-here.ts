import { kindCode, readShare } from '@gossipgrid/core'
import type { Partition, Replica, Share } from '@gossipgrid/core'
import { KeyCounts } from '../../keyed/key-counts.ts'

const COUNTER_KIND = kindCode({ kind: 'counter' })
/** It counts nothing itself. */
const READER = { slotId: '?' }

/** What counters have counted, as this peer knows. */
export interface CountsHere {
  /** Under a key; in a single counter, which has none, in all. Undefined if nothing was counted. */
  sumOf(key: string): bigint | undefined
  /** How much deletes had seen of the slot of a row. */
  seenOf(rowKey: string): Share | undefined
}

const KNOWN = new WeakMap<Replica, CountsHere>()

/** They are counted once, and then follow the changes. */
export function countsOf(partition: Partition): CountsHere {
  const { replica } = partition
  const counts = KNOWN.get(replica) ?? counted(partition)
  KNOWN.set(replica, counts)
  return counts
}

function counted(partition: Partition): CountsHere {
  const { name, replica } = partition
  if (name.kind === COUNTER_KIND) return new SingleCount(replica)
  const counts = new KeyCounts(partition, READER)
  replica.observe({ changed: (slot, previous) => void counts.changed(slot, previous) })
  return counts
}

/** The count of a single counter, whose rows are never deleted. */
class SingleCount implements CountsHere {
  #sum: bigint | undefined

  constructor(replica: Replica) {
    const { table } = replica
    for (const slot of table.slots()) this.#add(table.value(slot), undefined)
    replica.observe({ changed: (slot, previous) => this.#add(table.value(slot), previous) })
  }

  sumOf(): bigint | undefined {
    return this.#sum
  }

  seenOf(): undefined {
    return undefined
  }

  #add(bytes: Uint8Array | undefined, previous: Uint8Array | undefined): void {
    const [after, before] = [readShare(bytes), readShare(previous)]
    this.#sum = (this.#sum ?? 0n) + BigInt(after.up - after.down) - BigInt(before.up - before.down)
  }
}
