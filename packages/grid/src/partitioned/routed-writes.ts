import { GridError, HINTS_MAX_BYTES, includes, mainOf } from '@gossipgrid/core'
import type { PartitionName, Row, Written } from '@gossipgrid/core'
import type { WriteReceipt } from '../receipts/receipt.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { orAborted, settlesWithin } from '../runtime/waiting.ts'
import type { Pump, WritePath } from '../runtime/write-path.ts'
import type { PartitionReceipt, PartitionWriteOptions } from './partition-options.ts'

const TIMEOUT_MS = 10_000
/** A write that is better with a read before it waits so long for that, and then writes without knowing. */
const BRIEF_READ_MAX_MS = 2000
/** Upper bound for what a row takes as a hint, beside its key and its value. */
const HINT_ROW_COST_BYTES = 1024

/** Where a row of a partitioned collection is. */
export interface RoutedPlace {
  readonly name: PartitionName
}

/** A row to write to a partition. */
export type RoutedRow = RowWrite<RoutedPlace>

/** Writes to one partition that were applied here. */
export interface BegunPartitionWrite {
  readonly name: PartitionName
  readonly key: string
  readonly written: Written
  readonly durable: Promise<WriteReceipt>
  /** Counts of copies so far. Undefined where they are counted once the write is durable here. */
  readonly count: CopiesCount | undefined
}

/** Owners that have a write, as they say so. */
interface CopiesCount {
  copies: number
  /** As many as were asked for. */
  readonly enough: Promise<void>
  stop(): void
}

/** Writes to partitions, wherever their copies are. */
export class RoutedWrites {
  readonly #writes: WritePath

  constructor(writes: WritePath) {
    this.#writes = writes
  }

  /** Writes rows of one partition in one piece. Rejects as `PartitionedMap.set` does. */
  async write(rows: readonly RoutedRow[], options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    return this.settled(this.begin(rows, options), options)
  }

  /**
   * Writes rows of any partitions in one piece: all of them are in one write to this peer's disk. Each partition then goes to its owners
   * by itself. The receipt has the fewest copies of them. Rejects as `PartitionedMap.set` does.
   */
  async writeAll(rows: readonly RoutedRow[], options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    const begun = this.#beginAll(byPartition(rows), options)
    const receipts = await Promise.all(begun.map((each) => this.settled(each, options)))
    return {
      version: receipts.at(-1)!.version,
      durable: receipts.every(({ durable }) => durable),
      hinted: receipts.some(({ hinted }) => hinted),
      copies: Math.min(...receipts.map(({ copies }) => copies)),
    }
  }

  /** Applies rows of one partition in one piece. Throws if they cannot be applied. */
  begin(rows: readonly RoutedRow[], options: PartitionWriteOptions = {}): BegunPartitionWrite {
    return this.#beginAll([rows], options)[0]!
  }

  /** `groups`: the rows of each partition. */
  #beginAll(groups: readonly (readonly RoutedRow[])[], options: PartitionWriteOptions): BegunPartitionWrite[] {
    const { pump } = this
    pump.checkOpen()
    pump.listenerCalls.wrote()
    try {
      this.#check(groups, options)
      const applied = pump.undisturbed(() => this.#apply(groups))
      return groups.map((rows, place) => {
        const { name } = rows[0]!.partition
        const { key } = rows.at(-1)!
        const written = applied[place]!
        const durable = this.#writes.follow({ name }, written)
        const isCounted = written.hinted === true && (options.copies !== undefined || !pump.peer.persistent)
        const count = isCounted ? this.#count({ name, key, written }, options) : undefined
        return { name, key, written, durable, count }
      })
    } catch (error) {
      pump.meters.writes.refused += 1
      throw error
    }
  }

  /** Without rows with a date of their own of which this peer knows later versions by now: those win. */
  current(rows: readonly RoutedRow[]): readonly RoutedRow[] {
    const known = new Map<string, ReadonlyMap<string, Readonly<Row>>>()
    const latest = ({ key, partition: { name } }: RoutedRow): Readonly<Row> | undefined => {
      const main = mainOf(key)
      const ofMain =
        known.get(main) ?? new Map(this.pump.peer.partitions.known(name, main).map((row) => [row.key, row]))
      known.set(main, ofMain)
      return ofMain.get(key)
    }
    return rows.filter((row) => {
      if (row.dateHlc === undefined) return true
      const now = latest(row)
      if (now === undefined || now.hlc < row.dateHlc) return true
      // The remove of that very add.
      return now.hlc === row.dateHlc && now.bytes !== undefined && row.bytes === undefined
    })
  }

  /** Waits for what the options ask for. */
  async settled(begun: BegunPartitionWrite, options: PartitionWriteOptions): Promise<PartitionReceipt> {
    const { written, durable } = begun
    const hinted = written.hinted === true
    let count: CopiesCount | undefined
    try {
      const { version, durable: isDurable } = await orAborted(durable, options.signal)
      const receipt = { version, durable: isDurable, hinted, copies: this.#isOwner(begun.name) && !hinted ? 1 : 0 }
      const isEnoughAlone = options.copies === undefined || this.#wanted(begun.name, options) <= receipt.copies
      if (begun.count === undefined && isEnoughAlone) return receipt
      count = begun.count ?? this.#count(begun, options)
      const { timeoutMs = TIMEOUT_MS } = options
      const isEnough = await settlesWithin(count.enough, timeoutMs, {
        signal: options.signal,
        closed: this.#writes.copies.closed,
      })
      const reached = { ...receipt, copies: Math.max(receipt.copies, count.copies) }
      if (isEnough) return reached
      throw this.#late(begun, reached, timeoutMs)
    } finally {
      begun.count?.stop()
      count?.stop()
    }
  }

  /** How full the room for writes is that wait for their owners, from 0 to 1. */
  get fullness(): number {
    const hintBytes = this.pump.peer.partitions.hints?.ownBytes ?? 0
    return Math.max(hintBytes / HINTS_MAX_BYTES, this.#writes.room.crowded ? 1 : 0)
  }

  /** How long a write may wait for a read before it, which it can do without. */
  briefMs({ timeoutMs = BRIEF_READ_MAX_MS }: PartitionWriteOptions): number {
    // With no other peer in reach there is nothing to wait for.
    return this.pump.peer.neighbours.size === 0 ? 1 : Math.min(timeoutMs, BRIEF_READ_MAX_MS)
  }

  get pump(): Pump {
    return this.#writes.pump
  }

  /** Whether this peer writes to its own copy of the partition. */
  #isHere(name: PartitionName): boolean {
    const { placement } = this.pump.peer.collections
    return placement.holds(name) && placement.hasAllOwn(name)
  }

  #isOwner(name: PartitionName): boolean {
    const { peer } = this.pump
    return includes(peer.collections.placement.owners(name), peer.peerId)
  }

  #check(groups: readonly (readonly RoutedRow[])[], { copies }: PartitionWriteOptions): void {
    const { peer } = this.pump
    this.#writes.room.checkAll(groups.flat())
    const elsewhere = groups.filter(([first]) => !this.#isHere(first!.partition.name)).flat()
    if (elsewhere.length === 0) return
    if (!peer.persistent && copies !== undefined && copies !== 1) {
      const why = 'this peer has neither a directory nor a copy of the partition'
      throw new GridError('INVALID_OPTION', `copies can only be 1: ${why}, and gives the write to one other peer`)
    }
    const bytes = elsewhere.reduce(
      (sum, row) => sum + HINT_ROW_COST_BYTES + 4 * row.key.length + (row.bytes?.length ?? 0),
      0,
    )
    // Core checks each row; a batch has to fit as a whole.
    if (elsewhere.length > 1 && (peer.partitions.hints?.ownBytes ?? 0) + bytes > HINTS_MAX_BYTES)
      throw new GridError('BACKLOG_FULL', `${HINTS_MAX_BYTES} bytes of writes wait for the owners of their partitions`)
  }

  /** Returns the last write of each group. */
  #apply(groups: readonly (readonly RoutedRow[])[]): Written[] {
    const { meters, peer } = this.pump
    const last: Written[] = []
    const apply = (): void => {
      for (const [place, rows] of groups.entries()) {
        for (const { bytes, dateHlc, key, partition } of rows) {
          last[place] = peer.partitions.write(partition.name, key, bytes, this.pump.now(), dateHlc)
          meters.writes[bytes === undefined ? 'deletes' : 'sets'] += 1
        }
      }
    }
    if (groups.length === 1 && groups[0]!.length === 1) apply()
    else peer.atomically(apply)
    return last
  }

  /** The owners that are to have a write. */
  #wanted(name: PartitionName, { copies = 1 }: PartitionWriteOptions): number {
    return copies === 'all' ? Math.max(1, this.pump.peer.partitions.owners(name).length) : copies
  }

  #count(
    { name, key, written }: Pick<BegunPartitionWrite, 'name' | 'key' | 'written'>,
    options: PartitionWriteOptions,
  ): CopiesCount {
    const { peer } = this.pump
    const wanted = this.#wanted(name, options)
    const by = peer.persistent ? 'durable' : 'peers'
    // Another peer takes the write over and is its writer from then on: this one hears of it once.
    const isGivenAway = written.hinted === true && !peer.persistent
    const { promise, resolve } = Promise.withResolvers<void>()
    // Core counts the copy of this peer as well, also if it owns the partition no more.
    const isFormer = written.hinted !== true && !this.#isOwner(name)
    const request = peer.partitions.countCopies(name, key, written, isFormer ? wanted + 1 : wanted, by)
    const stop = this.#writes.copies.listen(request, (known) => {
      const counted = by === 'peers' && written.hinted !== true ? known.peers : known.copies
      count.copies = isFormer ? counted - 1 : counted
      if (known.isEnough || (isGivenAway && known.peers > 0)) resolve()
    })
    const count: CopiesCount = {
      copies: 0,
      enough: promise,
      stop: () => {
        stop()
        peer.partitions.cancelCopies(request)
      },
    }
    this.pump.tickSoon()
    return count
  }

  #late({ name, written }: BegunPartitionWrite, reached: PartitionReceipt, timeoutMs: number): GridError {
    const { peer } = this.pump
    if (written.hinted === true && !peer.persistent) {
      const text = `no other peer took the write within ${timeoutMs} ms, and this one has no directory`
      return new GridError('OWNERS_UNREACHABLE', `${text}; it goes on trying, so the write may still arrive`, {
        cause: reached,
      })
    }
    this.pump.meters.writes.copiesTimeouts += 1
    const owners = peer.partitions.owners(name).length
    const known = `${reached.copies} of ${owners} owners are known to have it after ${timeoutMs} ms`
    return new GridError('COPIES_TIMEOUT', `${known}; the write stands here and continues to spread`, {
      cause: reached,
    })
  }
}

/** Rows by their partitions, in the order in which those come first. */
function byPartition(rows: readonly RoutedRow[]): RoutedRow[][] {
  const groups = new Map<string, RoutedRow[]>()
  for (const row of rows) {
    const { collection, kind, partition } = row.partition.name
    const key = `${kind} ${partition} ${collection}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
}
