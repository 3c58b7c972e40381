import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { MARK_PREFIX } from '../storage/opening.ts'
import { Floor } from '../versions/floor.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey, readLog } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'

/** The memory of all floors. Past it, nothing more is proposed until some are due. */
const MARKS_MAX_BYTES = 16 * 1024 * 1024
/** What a floor takes besides its replica ids, and for each of them. */
const COST_BYTES = 512
const COST_OF_ID_BYTES = 16

/** A purge floor of a partition that all peers with a copy have acknowledged. */
export interface FloorMark {
  readonly name: PartitionName
  readonly floor: Floor
  /** Wall milliseconds of the last acknowledgement: the grace period begins there. */
  readonly settledMs: number
}

/** What the store has under one key. */
interface Stored {
  readonly key: string
  /** Marks in it that are still wanted. */
  left: number
}

export interface FloorMarksDeps {
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
}

/**
 * The floors that this peer is to adopt when their grace period is over. They are stored beside the log, so that a restart does not
 * begin the grace period again. Peers need not agree on them: see `PartitionFloors`.
 */
export class FloorMarks {
  readonly #deps: FloorMarksDeps
  /** By partition, oldest first. */
  readonly #marks = new Map<string, FloorMark[]>()
  readonly #stored = new Map<FloorMark, Stored>()
  #nextNumber = 1
  #bytes = 0
  #spent: string[] = []

  constructor(deps: FloorMarksDeps) {
    this.#deps = deps
  }

  /** There is no room for more. */
  get full(): boolean {
    return this.#bytes > MARKS_MAX_BYTES
  }

  /** Goes on with what an earlier life has stored. What is unreadable is forgotten: its floor is proposed again. */
  restore(stored: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, bytes] of stored) {
      this.#nextNumber = Math.max(this.#nextNumber, Number(key.slice(MARK_PREFIX.length)) + 1)
      const of: Stored = { key, left: 0 }
      for (const mark of this.#read(bytes)) this.#add(mark, of)
      if (of.left === 0) this.#spent.push(key)
    }
  }

  of(name: PartitionName): readonly FloorMark[] {
    return this.#marks.get(nameKey(name)) ?? []
  }

  all(): FloorMark[] {
    return [...this.#marks.values()].flat()
  }

  add(mark: FloorMark): void {
    const stored: Stored = { key: MARK_PREFIX + String(this.#nextNumber++).padStart(15, '0'), left: 0 }
    this.#add(mark, stored)
    const { commit, ids } = this.#deps
    if (!commit.persistent) return
    const block = new BlockWriter(ids)
    block.floor(mark.name, mark.floor.encode())
    const floors = block.take()
    const bytes = new ByteWriter(floors.length + 8)
    bytes.varint(mark.settledMs)
    bytes.raw(floors)
    commit.later([{ type: 'put', key: stored.key, bytes: bytes.take() }])
  }

  /** It was adopted, or never will be. */
  remove(mark: FloorMark): void {
    const key = nameKey(mark.name)
    const left = this.of(mark.name).filter((each) => each !== mark)
    if (left.length > 0) this.#marks.set(key, left)
    else this.#marks.delete(key)
    this.#bytes -= costOf(mark)
    const stored = this.#stored.get(mark)
    this.#stored.delete(mark)
    if (stored !== undefined && --stored.left === 0) this.#spent.push(stored.key)
  }

  /** Deletes from the store what is no longer needed. */
  tick(): void {
    if (this.#spent.length === 0) return
    const { commit } = this.#deps
    if (commit.persistent) commit.later(this.#spent.map((key) => ({ type: 'delete', key })))
    this.#spent = []
  }

  #add(mark: FloorMark, stored: Stored): void {
    this.#marks.set(nameKey(mark.name), [...this.of(mark.name), mark])
    this.#bytes += costOf(mark)
    this.#stored.set(mark, stored)
    stored.left += 1
  }

  #read(bytes: Uint8Array): FloorMark[] {
    const { ids } = this.#deps
    try {
      const reader = new ByteReader(bytes)
      const settledMs = reader.varint()
      return readLog(bytes.subarray(reader.position), ids).flatMap((record) => {
        if (record.type !== 'floor') return []
        return [{ name: record.partition, floor: Floor.decode(record.floor, ids), settledMs }]
      })
    } catch {
      return []
    }
  }
}

function costOf({ floor }: FloorMark): number {
  return COST_BYTES + COST_OF_ID_BYTES * floor.size
}
