import { compositeKey, splitKey } from '../bytes/composite-key.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import type { Instant } from '../instant.ts'
import { splitGeneration } from '../kinds/generations.ts'
import { DROPS, MAP_CODE, isInternal, kindCode } from '../kinds/kinds.ts'
import {
  DROPPABLE_NAME_MAX_BYTES,
  DROPPED_NAMES_MAX,
  DROPPED_PER_STEP_MAX,
  DROP_PARTS_MAX,
  DROP_VECTORS_MAX_BYTES,
  GENERATION_MAX,
  LOST_WRITES_MAX,
} from '../limits.ts'
import { GridError } from '../errors.ts'
import { payloadOf } from '../entries/value-header.ts'
import type { LostWrite } from '../outbox/effects.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Collection, Collections, Partition } from '../replica/collections.ts'
import type { Replica } from '../replica/replica.ts'
import { decodeForeignVector, encodeVector } from '../versions/vector-codec.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { nameKey } from '../wire/block.ts'
import { Fields } from '../wire/fields.ts'
import type { LocalWrites, Written } from '../writes/local-writes.ts'
import type { RegisteredNames } from './registered-names.ts'

/** A partition that was dropped, and those of its entries that are left. */
interface Emptying {
  readonly replica: Replica
  readonly slots: Iterator<number, void>
}

interface LostRow {
  readonly key: string
  readonly value: Uint8Array
}

interface LostRows {
  readonly count: number
  /** Up to `LOST_WRITES_MAX` of them. */
  readonly first: readonly LostRow[]
}

const NOTHING_LOST: LostRows = { count: 0, first: [] }

export interface DropsDeps {
  readonly collections: Collections
  readonly outbox: Outbox
  readonly writes: LocalWrites
}

/** Drops collections: here, and where a drop arrives. */
export class Drops {
  readonly #deps: DropsDeps
  /** What is being emptied, a slice in each step. */
  #emptying: Emptying[] = []
  /** How many entries may go before the next `tick`. */
  #leftInStep = DROPPED_PER_STEP_MAX

  constructor(deps: DropsDeps) {
    this.#deps = deps
  }

  /** Lets go of what was dropped and is still here, and follows drops from here on. */
  start(): void {
    const { collections } = this.#deps
    collections.dropped.onDrop = () => this.#release()
    this.#release()
  }

  /** There is more to empty at once. */
  get busy(): boolean {
    return this.#emptying.length > 0
  }

  /** Goes on to empty what was dropped: the end of a step, in which drops may have come. */
  tick(): void {
    this.#empty()
    this.#leftInStep = DROPPED_PER_STEP_MAX
  }

  /** Drops the collections of a name, of every kind. Undefined if there are none. Throws `BACKLOG_FULL`, `COLLECTION_LIMIT`, `INVALID_NAME`. */
  drop(name: string, now: Instant): Written | undefined {
    const { collections, writes } = this.#deps
    const { dropped } = collections
    const current = dropped.current(name)
    const found = [...collections].filter(
      ({ descriptor }) => descriptor.name === current && !isInternal(descriptor.kind),
    )
    if (found.length === 0) return undefined
    checkDroppable(name)
    const generation = dropped.generationOf(name)
    if (generation > GENERATION_MAX || (generation === 0 && dropped.size >= DROPPED_NAMES_MAX)) {
      throw new GridError(
        'COLLECTION_LIMIT',
        `'${name}' cannot be dropped: drops are remembered for ever, and this grid has dropped too many names`,
      )
    }
    const partition = collections.internal(DROPS)
    const value = this.#seenIn(found.flatMap(({ partitions }) => partitions))
    return writes.write(partition, compositeKey(name, String(generation)), value, now)
  }

  /**
   * Deletes the registrations of what was dropped, and the rows of drops that a later drop of the same name replaces. Throws
   * `BACKLOG_FULL`.
   */
  tidy(names: RegisteredNames, now: Instant): void {
    const { collections, writes } = this.#deps
    const { dropped } = collections
    if (dropped.size === 0) return
    for (const registered of names.all()) {
      const { name: collection, descriptor } = registered
      const kind = descriptor === undefined ? MAP_CODE : kindCode(descriptor)
      if (dropped.isDropped({ collection, kind })) names.unregister(registered)
    }
    const partition = collections.internal(DROPS)
    const { table } = partition.replica
    if (table.liveCount <= dropped.size) return
    const live = [...table.slots()].filter((slot) => !table.deleted(slot)).map((slot) => table.key(slot))
    for (const key of live) {
      const { main, sub } = splitKey(key)
      if (Number(sub) + 1 < dropped.generationOf(main)) writes.write(partition, key, undefined, now)
    }
  }

  #isDropped({ descriptor }: Collection): boolean {
    const { dropped } = this.#deps.collections
    return dropped.isDropped({ collection: descriptor.name, kind: kindCode(descriptor) })
  }

  /** Lets go of all collections that were dropped. */
  #release(): void {
    const { collections } = this.#deps
    for (const collection of [...collections]) if (this.#isDropped(collection)) this.#releaseOne(collection)
  }

  #releaseOne(collection: Collection): void {
    const { collections, outbox, writes } = this.#deps
    const { descriptor, title } = collection
    const { table } = collections.internal(DROPS).replica
    const { generation } = splitGeneration(descriptor.name)
    // Of a drop that was replaced by a later one it is not known what its peer had seen.
    const slot = table.slotOf(compositeKey(title, String(generation)))
    const local = slot !== undefined && table.writer(slot) === writes.identity.index
    const lost = local
      ? NOTHING_LOST
      : this.#lost(collection, this.#readSeen(slot === undefined ? undefined : table.value(slot)))
    // If the application has not opened it, nothing reads it any more.
    const isRead = collections.isOpen(collection)
    collections.remove(collection)
    for (const partition of collection.partitions) {
      partition.dropped = true
      if (isRead) this.#emptying.push({ replica: partition.replica, slots: partition.replica.table.slots() })
    }
    this.#empty()
    const event = { type: 'dropped', name: title, kind: descriptor.kind, local, lostWrites: lost.count } as const
    const isMap = descriptor.kind === 'map' || descriptor.kind === 'fields'
    outbox.event({ ...event, lost: isMap ? lost.first.map(lostWrite) : [] })
  }

  /**
   * Removes entries, so that readers of what is open see them go. Only memory is at stake: the drop is logged, and what a crash
   * brings back with it, opening lets go again.
   */
  #empty(): void {
    for (let first = this.#emptying[0]; first !== undefined && this.#leftInStep > 0; first = this.#emptying[0]) {
      const { value: slot, done } = first.slots.next()
      if (done === true) this.#emptying.shift()
      else {
        first.replica.drop(slot)
        this.#leftInStep -= 1
      }
    }
  }

  /** What this peer has seen of partitions; an empty list if that is too large. */
  #seenIn(partitions: readonly Partition[]): Uint8Array {
    const { ids } = this.#deps.collections
    const parts = partitions.map(({ name, replica }) => ({
      kind: name.kind,
      partition: name.partition,
      vector: encodeVector(replica.vector, ids),
    }))
    const sizeBytes = parts.reduce((sum, { vector }) => sum + vector.length + 32, 0)
    const isSaid = sizeBytes <= DROP_VECTORS_MAX_BYTES && parts.length <= DROP_PARTS_MAX
    return encodeValue({ parts: isSaid ? parts : [] }, 2 * DROP_VECTORS_MAX_BYTES)
  }

  #readSeen(value: Uint8Array | undefined): Map<string, VersionVector> {
    const seen = new Map<string, VersionVector>()
    try {
      const fields = new Fields(decodeValue(value!), 'drop')
      for (const part of fields.list('parts', DROP_PARTS_MAX)) {
        const vector = decodeForeignVector(part.bytes('vector'), this.#deps.collections.ids)
        seen.set(partKey(part.count('kind'), part.count('partition')), vector)
      }
    } catch {
      // A row that no honest peer writes says nothing of what its peer had seen. It drops all the same.
    }
    return seen
  }

  /** Entries that this peer wrote and the peer that dropped the collection had not seen. It looks at no others: there may be a million. */
  #lost({ partitions }: Collection, seen: Map<string, VersionVector>): LostRows {
    const { index } = this.#deps.writes.identity
    let count = 0
    const first: LostRow[] = []
    for (const { name, replica } of partitions) {
      const { table } = replica
      const known = seen.get(partKey(name.kind, name.partition)) ?? new VersionVector()
      const unseen = replica.owed(known).filter(({ writer }) => writer === index)
      const slots: number[] = []
      replica.visitDots(unseen, (slot) => {
        if (!table.deleted(slot)) slots.push(slot)
        return true
      })
      count += slots.length
      for (const slot of slots.toSorted((a, b) => a - b).slice(0, LOST_WRITES_MAX - first.length)) {
        first.push({ key: table.key(slot), value: table.value(slot)! })
      }
    }
    return { count, first }
  }
}

/** Throws `INVALID_NAME` for a name that could not be opened again. */
function checkDroppable(name: string): void {
  const sizeBytes = new TextEncoder().encode(name).length
  if (sizeBytes <= DROPPABLE_NAME_MAX_BYTES) return
  throw new GridError(
    'INVALID_NAME',
    `'${name}' has ${sizeBytes} bytes: a name of more than ${DROPPABLE_NAME_MAX_BYTES} cannot be dropped, for it could not be opened again. Delete its entries instead`,
  )
}

function partKey(kind: number, partition: number): string {
  return nameKey({ collection: '', kind, partition })
}

function lostWrite({ key, value }: LostRow): LostWrite {
  const { main, sub: field } = splitKey(key)
  return { key: main, ...(field === undefined ? {} : { field }), value: decodeValue(payloadOf(value)) }
}
