import { NO_SHARE, compositeKey, encodeShare, readShare, splitKey } from '@gossipgrid/core'
import type { Peer, Share } from '@gossipgrid/core'
import { partitionOf, simulatedCollection } from '@gossipgrid/testing/simulation'
import type {
  Application,
  LedgerWrite,
  Random,
  SimulatedCollection,
  SimulatedPeer,
  SimulatedWrite,
  Violation,
} from '@gossipgrid/testing/simulation'
import { KeyCounts } from '../../packages/grid/src/keyed/key-counts.ts'
import { LifeTables } from './life-tables.ts'

const KEYS = 6

/** A write of the numbers of a slot, or of what a delete had seen of them. */
interface Step {
  readonly share: Share
  readonly write: LedgerWrite
}

/** What one peer counted under a key since it started, until a delete removed it there; and what deletes had seen of that. */
interface Slot {
  readonly key: string
  readonly counts: Step[]
  readonly deletes: Step[]
}

/** The least and the most that can be true, going by what was acknowledged and by what may have happened. */
interface Range {
  readonly least: Share
  readonly most: Share
}

/** Counts under keys at every peer, and deletes keys, with the tables of the SDK. */
export class CountersApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection = simulatedCollection('visits', 'counters')
  /** By the key of the slot's row. */
  readonly #slots = new Map<string, Slot>()
  readonly #tables: LifeTables<KeyCounts>

  constructor() {
    this.collections = [this.#collection]
    this.#tables = new LifeTables(
      this.#collection,
      (partition, peer) => new KeyCounts(partition, { slotId: peer.slotId }),
    )
  }

  act(machine: SimulatedPeer, random: Random): void {
    const key = `key ${random.mostlySmall(0, KEYS - 1)}`
    const by = random.between(1, 10)
    const choice = random.fraction()
    const { peer } = machine
    if (peer === undefined) return
    const counts = this.#tables.of(machine, peer)
    if (choice < 0.7) this.#count(machine, counts, key, { up: by, down: 0 })
    else if (choice < 0.8) this.#count(machine, counts, key, { up: 0, down: by })
    else if (choice < 0.98) this.#delete(machine, peer, counts, [key], Infinity)
    else this.#delete(machine, peer, counts, [...counts.all.keys()], counts.startOver())
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    if (peer === undefined) return
    const counts = this.#tables.of(machine, peer)
    if (counts.all.size > 0) this.#delete(machine, peer, counts, [random.pick([...counts.all.keys()])], Infinity)
  }

  read(): void {}

  /** Under each key is what was counted and not deleted, each of it once. */
  check(peer: Peer): Violation | undefined {
    const partition = partitionOf(peer, this.#collection)!
    const fresh = new KeyCounts(partition, { slotId: peer.slotId })
    const kept = this.#tables.now(peer)
    for (const key of new Set([...fresh.all.keys(), ...(kept?.all.keys() ?? []), ...this.#keys()])) {
      const sum = fresh.sumOf(key)
      if (kept !== undefined && kept.sumOf(key) !== sum) {
        return `counters: ${peer.peerId} shows ${kept.sumOf(key)} of '${key}', and ${sum} when it looks at all rows`
      }
      const slots = [...this.#slots.values()].filter((slot) => slot.key === key)
      const least = slots.reduce((total, slot) => total + netOf(slot).least, 0)
      const most = slots.reduce((total, slot) => total + netOf(slot).most, 0)
      if (sum === undefined ? slots.some(isOwed) : slots.every(isGone)) {
        return `counters: ${peer.peerId} shows ${sum} of '${key}', which must ${sum === undefined ? '' : 'not '}be there`
      }
      if (sum !== undefined && (sum < least || sum > most)) {
        return `counters: ${peer.peerId} shows ${sum} of '${key}' instead of ${least} to ${most}`
      }
    }
    return undefined
  }

  #keys(): Set<string> {
    return new Set(Array.from(this.#slots.values(), ({ key }) => key))
  }

  #count(machine: SimulatedPeer, counts: KeyCounts, key: string, { up, down }: Share): void {
    const { slot, share } = counts.ownOf(key)
    const rowKey = compositeKey(key, slot)
    const known = this.#slotOf(rowKey)
    const last = known.counts.at(-1)?.share ?? NO_SHARE
    if (share.up !== last.up || share.down !== last.down) {
      machine.check(
        `counters: slot ${slot} of '${key}' is at ${textOf(last)}, and its peer goes on from ${textOf(share)}`,
      )
    }
    const next = { up: share.up + up, down: share.down + down }
    const [write] = machine.write(this.#collection, [{ key: rowKey, value: encodeShare(next) }])
    if (write !== undefined) known.counts.push({ share: next, write })
    const own = counts.ownOf(key)
    // In another slot, a delete of another peer has been applied in the same step.
    if (machine.peer !== undefined && own.slot === slot && textOf(own.share) !== textOf(next)) {
      machine.check(`counters: '${key}' does not show what its peer has just counted`)
    }
  }

  #delete(machine: SimulatedPeer, peer: Peer, counts: KeyCounts, keys: readonly string[], before: number): void {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const rows = keys.flatMap((key) => counts.rowsOf(key, before))
    const shares = new Map(rows.map(({ key }) => [key, readShare(table.value(table.slotOf(key)!))]))
    const writes: SimulatedWrite[] = counts.deletesOf(rows).map(({ key, bytes }) => ({ key, value: bytes }))
    for (const write of machine.write(this.#collection, writes)) {
      if (write.value === undefined) continue
      const { main, sub } = splitKey(write.key)
      const rowKey = compositeKey(main, sub!.split('-')[0]!)
      this.#slotOf(rowKey).deletes.push({ share: shares.get(rowKey)!, write })
    }
    if (machine.peer !== peer) return
    for (const { key, slot, hlc } of rows) {
      const at = table.slotOf(key)
      if (at === undefined || table.deleted(at) || table.hlc(at) !== hlc) continue
      machine.check(`counters: ${peer.peerId} shows slot ${slot}, which it just deleted`)
    }
  }

  #slotOf(rowKey: string): Slot {
    let slot = this.#slots.get(rowKey)
    if (slot === undefined) {
      slot = { key: splitKey(rowKey).main, counts: [], deletes: [] }
      this.#slots.set(rowKey, slot)
    }
    return slot
  }
}

function rangeOf(steps: readonly Step[]): Range {
  const largest = (some: readonly Step[]): Share => ({
    up: Math.max(0, ...some.map(({ share }) => share.up)),
    down: Math.max(0, ...some.map(({ share }) => share.down)),
  })
  return {
    least: largest(steps.filter(({ write }) => write.acknowledged && !write.excused)),
    most: largest(steps.filter(({ write }) => !write.withdrawn)),
  }
}

/** What a slot adds to the count of its key, at least and at most. */
function netOf({ counts, deletes }: Slot): { readonly least: number; readonly most: number } {
  const [counted, seen] = [rangeOf(counts), rangeOf(deletes)]
  const left = (amount: number, deleted: number): number => Math.max(0, amount - deleted)
  return {
    least: left(counted.least.up, seen.most.up) - left(counted.most.down, seen.least.down),
    most: left(counted.most.up, seen.least.up) - left(counted.least.down, seen.most.down),
  }
}

/** Something was counted and acknowledged that no delete can have seen. */
function isOwed({ counts, deletes }: Slot): boolean {
  const [{ least }, { most }] = [rangeOf(counts), rangeOf(deletes)]
  return least.up > most.up || least.down > most.down
}

/** Acknowledged deletes have seen all that can have been counted. */
function isGone({ counts, deletes }: Slot): boolean {
  const [{ most }, { least }] = [rangeOf(counts), rangeOf(deletes)]
  return least.up >= most.up && least.down >= most.down
}

function textOf({ up, down }: Share): string {
  return `[${up},${down}]`
}
