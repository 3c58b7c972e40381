import {
  NO_SHARE,
  OwnShares,
  PRESENT,
  compositeKey,
  countRows,
  covers,
  deleteRowKey,
  encodeShare,
  largest,
  mainOf,
  splitKey,
  sumOf,
} from '@gossipgrid/core'
import type { CollectionDescriptor, PartitionName, Peer, Row } from '@gossipgrid/core'
import type { Violation } from './checkers.ts'
import type { EventQueue } from './event-queue.ts'
import { PARTITIONS, nameOf } from './partition-ledger.ts'
import type { PartitionWrite } from './partition-ledger.ts'
import { copyKey } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import type { PartitionWriting } from './partition-writing.ts'
import type { Random } from './random.ts'
import { codeOf } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const COUNTERS = 'visits'
const SET = 'words'
const KEYS = 5
const WORDS = 8

/** The counters and the set. */
export function keyedCollections(owners: number): CollectionDescriptor[] {
  const shape = { mode: 'partitioned', partitions: PARTITIONS, owners } as const
  return [
    { name: COUNTERS, kind: 'counters', ...shape },
    { name: SET, kind: 'set', ...shape },
  ]
}

interface Increment {
  readonly key: string
  readonly by: number
  readonly write: PartitionWrite
  /** The key of the row of its slot, and what that has counted with it. */
  readonly rowKey: string
  readonly up: number
}

/** What a delete had seen of a slot. */
interface Seen {
  readonly up: number
  readonly write: PartitionWrite
}

export interface PartitionKeyedDeps {
  /** Counters are deleted as well. */
  readonly deletes: boolean
  readonly queue: EventQueue
  readonly writing: PartitionWriting
}

/**
 * Partitioned counters and a partitioned set in a simulation. In the end each counter has every increment that was acknowledged, once, and
 * none that was not made; but for those that a delete had seen, which do not count. The set has no remove but of adds that the remover had seen, so every later add is there.
 */
export class PartitionKeyed {
  readonly #deps: PartitionKeyedDeps
  readonly #increments: Increment[] = []
  /** By the key of the row of a slot: what deletes had seen of it. */
  readonly #seen = new Map<string, Seen[]>()
  /** Key and date of each add that a remove has seen. */
  readonly #removed = new Set<string>()
  /** By machine and life. */
  readonly #shares = new Map<string, OwnShares>()

  constructor(deps: PartitionKeyedDeps) {
    this.#deps = deps
  }

  /** A machine counts, adds or removes. */
  act(machine: SimulatedPeer, random: Random): void {
    const choice = random.fraction()
    const [key, word] = [`count ${random.below(KEYS)}`, `tword ${random.below(WORDS)}`]
    const by = random.between(1, 9)
    const { peer } = machine
    if (peer === undefined) return
    if (this.#deps.deletes && random.chance(0.1)) this.#delete(machine, peer, key, random)
    else if (choice < 0.5) this.#count(machine, peer, key, by, random)
    else if (choice < 0.75) this.#add(machine, peer, word, random)
    else this.#remove(machine, peer, word, random)
  }

  /** What is wrong once all owners are whole and have the same. */
  check(witnesses: readonly Witness[]): Violation | undefined {
    for (const { copies, peer } of witnesses) {
      for (const key of new Set(this.#increments.map((increment) => increment.key))) {
        const name = nameOf(COUNTERS, key, codeOf('counters'))
        if (!copies.has(copyKey(name))) continue
        const ofKey = this.#increments.filter((increment) => increment.key === key)
        const owed = ofKey.filter((each) => isOwed(each) && !this.#isSeen(each, () => true))
        const possible = ofKey.filter((each) => !this.#isSeen(each, isOwed))
        const [least, most] = [total(owed), total(possible)]
        const shown = Number(sumOf(countRows(peer.partitions.inCopy(name, key))) ?? 0n)
        if (shown < least || shown > most)
          return `counters: ${peer.peerId} has '${key}' at ${shown} instead of ${least} to ${most}`
      }
      for (let word = 0; word < WORDS; word++) {
        const name = nameOf(SET, `tword ${word}`, codeOf('set'))
        const rows = copies.has(copyKey(name)) ? peer.partitions.inCopy(name, `tword ${word}`) : []
        const wrong = rows.find((row) => row.bytes === undefined && !this.#removed.has(`${row.key} ${row.hlc}`))
        if (wrong !== undefined)
          return `set: ${peer.peerId} has removed an add of '${splitKey(wrong.key).main}' that no remove had seen`
      }
    }
    return undefined
  }

  #count(machine: SimulatedPeer, peer: Peer, key: string, by: number, random: Random): void {
    const now = machine.clock.now()
    const name = nameOf(COUNTERS, key, codeOf('counters'))
    const shares = this.#sharesOf(machine, peer)
    // An application shows what it counts.
    peer.partitions.read([{ name, key }], now, () => undefined)
    const { slot, share } = shares.of(key, now.monotonicMs)
    const next = { up: share.up + by, down: share.down }
    const rowKey = compositeKey(key, slot)
    const written = peer.partitions.write(name, rowKey, encodeShare(next), now)
    shares.counted(key, { slot, share: next }, now.monotonicMs)
    const made = { name, key: rowKey, endsAtMs: Infinity, removes: false }
    const write = this.#deps.writing.made(machine, peer, made, written, random)
    this.#increments.push({ key, by, rowKey, up: next.up, write })
  }

  /** Deletes all that an owner and this machine know of a counter, as an application does. */
  #delete(machine: SimulatedPeer, peer: Peer, key: string, random: Random): void {
    const name = nameOf(COUNTERS, key, codeOf('counters'))
    peer.partitions.read([{ name, key }], machine.clock.now(), ([found]) => {
      // A caller goes on after the step that has answered it.
      this.#deps.queue.after(0, () => {
        if (machine.peer === peer && found!.rows !== undefined)
          this.#deleteRows(machine, peer, { name, key, rows: found!.rows }, random)
      })
    })
    machine.take({ type: 'tick' })
  }

  #deleteRows(
    machine: SimulatedPeer,
    peer: Peer,
    {
      key,
      name,
      rows,
    }: { readonly name: PartitionName; readonly key: string; readonly rows: readonly Readonly<Row>[] },
    random: Random,
  ): void {
    const now = machine.clock.now()
    const shares = this.#sharesOf(machine, peer)
    const own = shares.known(key, now.monotonicMs)
    const ownKey = own === undefined ? undefined : compositeKey(key, own.slot)
    const { counts, seen } = countRows(rows)
    const known = counts.some(({ rowKey }) => rowKey === ownKey) || own === undefined ? [] : [ownKey!]
    const slots = [...counts.map(({ rowKey }) => rowKey), ...known]
    for (const rowKey of slots) {
      const found = counts.find((count) => count.rowKey === rowKey)
      const share = largest(found?.share, rowKey === ownKey ? own!.share : NO_SHARE)
      if (!covers(seen.get(rowKey), share) && share.up > 0) {
        const most = shares.deleted(rowKey, share)
        const deleted = deleteRowKey(rowKey, shares.deleter)
        const written = peer.partitions.write(name, deleted, encodeShare(most), machine.clock.now())
        const made = { name, key: deleted, endsAtMs: Infinity, removes: false }
        const write = this.#deps.writing.made(machine, peer, made, written, random)
        this.#seen.set(rowKey, [...(this.#seen.get(rowKey) ?? []), { up: most.up, write }])
      }
      const row = rows.find((each) => each.key === rowKey)
      if (row !== undefined) this.#removeRow(machine, peer, name, row, random)
    }
  }

  #isSeen({ rowKey, up }: Increment, counts: (seen: Seen) => boolean): boolean {
    return this.#seen.get(rowKey)?.some((seen) => seen.up >= up && counts(seen)) === true
  }

  #add(machine: SimulatedPeer, peer: Peer, word: string, random: Random): void {
    const name = nameOf(SET, word, codeOf('set'))
    const key = compositeKey(word, peer.slotId)
    const written = peer.partitions.write(name, key, PRESENT, machine.clock.now())
    this.#deps.writing.made(machine, peer, { name, key, endsAtMs: Infinity, removes: false }, written, random)
  }

  #remove(machine: SimulatedPeer, peer: Peer, word: string, random: Random): void {
    const name = nameOf(SET, word, codeOf('set'))
    peer.partitions.read([{ name, key: word }], machine.clock.now(), ([found]) => {
      // A caller goes on after the step that has answered it.
      this.#deps.queue.after(0, () => {
        if (machine.peer === peer)
          for (const row of found!.rows ?? []) this.#removeRow(machine, peer, name, row, random)
      })
    })
    machine.take({ type: 'tick' })
  }

  #removeRow(
    machine: SimulatedPeer,
    peer: Peer,
    name: PartitionName,
    { bytes, hlc, key }: Readonly<Row>,
    random: Random,
  ): void {
    const now = peer.partitions.known(name, mainOf(key)).find((row) => row.key === key)
    if (bytes === undefined || (now !== undefined && (now.hlc !== hlc || now.bytes === undefined))) return
    this.#removed.add(`${key} ${hlc}`)
    const written = peer.partitions.write(name, key, undefined, machine.clock.now(), hlc)
    this.#deps.writing.made(machine, peer, { name, key, endsAtMs: 0, removes: true }, written, random)
  }

  #sharesOf({ index, life }: SimulatedPeer, peer: Peer): OwnShares {
    const known = this.#shares.get(`${index} ${life}`)
    const shares = known ?? new OwnShares(peer.slotId, () => peer.slotId)
    if (known === undefined) this.#shares.set(`${index} ${life}`, shares)
    return shares
  }
}

/** It is durable somewhere, and was not lost with disks. */
function isOwed({ write }: { readonly write: PartitionWrite }): boolean {
  return write.acknowledged && !write.excused
}

function total(increments: readonly Increment[]): number {
  return increments.reduce((sum, { by }) => sum + by, 0)
}
