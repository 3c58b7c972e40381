import {
  ADOPTED_REPLICA_ID,
  BlockWriter,
  GUESTS,
  NO_SHARE,
  decodeValue,
  encodeShare,
  encodeValue,
  covers as hasCounted,
  isSwept,
  kindCode,
  readShare,
  subjectOf,
  withoutSubject,
} from '@gossipgrid/core'
import type { Collection, Partition, PartitionName, Peer } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import { sameContent } from '../../maps/layout.ts'
import { DOCUMENT_ROWS, covers, mapsOf } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { grantKeyOf, guestNameOf, isCounting, openMap } from '../map-kinds.ts'
import type { MemberMessage } from '../messages.ts'
import type { GuestIdentity } from './guest-identity.ts'
import type { GuestOutbox } from './guest-outbox.ts'

const CURSOR = 'cursor/'
const CURSOR_MAX_BYTES: number = 128 * 1024

export interface GuestRowsDeps {
  readonly pump: Pump
  readonly outbox: GuestOutbox
}

/** What a guest has of its maps as members sent it, with its own writes on top. All changes are in pieces that are stored whole. */
export class GuestRows {
  readonly #pump: Pump
  readonly #peer: Peer
  readonly #outbox: GuestOutbox
  readonly #identity: GuestIdentity
  /** Maps that are being sent again from the start, and the keys of the rows that have come. */
  readonly #refilled = new Map<string, Set<string>>()
  /** Deletes that need no tombstone: no other peer compares this copy. */
  #deleted: { readonly partition: Partition; readonly rowKey: string }[] = []

  constructor({ outbox, pump }: GuestRowsDeps, identity: GuestIdentity) {
    this.#identity = identity
    this.#pump = pump
    this.#peer = pump.peer
    this.#outbox = outbox
    for (const partition of this.#partitions())
      for (const slot of partition.replica.table.slots())
        if (isGone(partition, slot)) this.#deleted.push({ partition, rowKey: partition.replica.table.key(slot) })
    this.#dropDeleted()
  }

  /** What members gave the guest to keep, by map. */
  cursors(): Map<string, Uint8Array> {
    const { table } = this.#own.replica
    const cursors = new Map<string, Uint8Array>()
    for (const slot of table.slots()) {
      const key = table.key(slot)
      if (key.startsWith(CURSOR) && !table.deleted(slot))
        cursors.set(key.slice(CURSOR.length), decodeValue(table.value(slot)!) as Uint8Array)
    }
    return cursors
  }

  /** The connection is another one: what was being sent from the start begins again. */
  connected(): void {
    this.#refilled.clear()
  }

  /** Takes a piece of what is at a member. Throws `COLLECTION_MISMATCH` for a map that is open here as another kind. */
  take({ cursor, isReset, kind, map, more, rows }: Extract<MemberMessage, { type: 'rows' }>): void {
    const partition = openMap(this.#peer, map, kind)
    if (isReset) this.#refilled.set(map, new Set())
    const refilled = this.#refilled.get(map)
    this.#inOnePiece(() => {
      if (isReset) this.#keep(map, undefined)
      for (const { rowKey, bytes, hlc } of rows) {
        refilled?.add(rowKey)
        this.#adopt(partition, rowKey, bytes, hlc)
      }
      if (cursor !== undefined || !more) this.#keep(map, cursor)
      if (more) return
      if (refilled !== undefined) this.#remove(partition, (rowKey) => !refilled.has(rowKey))
      this.#refilled.delete(map)
    })
  }

  /** A write was answered: from here on, its row is what members say it is, unless there is a later write. */
  answered(number: number, bytes: Uint8Array | undefined, hlc?: number): void {
    const { kind, map, rowKey } = this.#outbox.find(number)!
    const partition = openMap(this.#peer, map, kind)
    this.#inOnePiece(() => {
      this.#outbox.remove(number)
      this.#adopt(partition, rowKey, bytes, hlc)
    })
  }

  /**
   * Edits that build on a refused one are refused with it. Returns the rows that go; undefined if no edit waits. Otherwise members are to send the
   * document again: they may have older rows, and those that the edits delete.
   */
  refuseEdits(name: string, after: number): Uint8Array[] | undefined {
    const partition = openMap(this.#peer, DOCUMENT_ROWS, 0)
    const { table } = partition.replica
    const numbers = this.#outbox.editsOf(name).filter((number) => number > after)
    const gone: Uint8Array[] = []
    if (numbers.length === 0) return undefined
    this.#inOnePiece(() => {
      this.#keep(DOCUMENT_ROWS, undefined)
      for (const number of numbers) {
        const { rowKey } = this.#outbox.find(number)!
        const slot = table.slotOf(rowKey)
        const bytes = slot === undefined ? undefined : table.value(slot)
        if (bytes !== undefined && rowKey !== name) gone.push(bytes)
        this.#outbox.remove(number)
        this.#adopt(partition, rowKey, undefined)
      }
    })
    return gone
  }

  /** The bytes of a row. */
  valueOf(kind: number, map: string, rowKey: string): Uint8Array | undefined {
    const { table } = openMap(this.#peer, map, kind).replica
    const slot = table.slotOf(rowKey)
    return slot === undefined ? undefined : table.value(slot)
  }

  /** Removes what grants do not cover any more, but for own writes that wait for their answer. */
  restrict(grants: readonly Grant[]): void {
    this.#inOnePiece(() => {
      const granted = new Set(mapsOf(grants))
      for (const map of this.cursors().keys()) if (!granted.has(map)) this.#keep(map, undefined)
      for (const partition of this.#partitions()) {
        const { kind } = partition.name
        const map = guestNameOf(partition.name)!
        const removed = this.#remove(partition, (rowKey) => !covers(grants, 'read', map, grantKeyOf(kind, rowKey)))
        // It says that the guest has them. With the former grants, it would count again.
        if (removed > 0) this.#keep(map, undefined)
      }
    })
  }

  /** Removes everything, own writes that wait as well: they are of another subject. */
  wipe(): void {
    this.#inOnePiece(() => {
      this.#outbox.clear()
      for (const map of this.cursors().keys()) this.#keep(map, undefined)
      for (const partition of this.#partitions()) this.#remove(partition, () => true)
    })
  }

  get #own(): Partition {
    return this.#peer.collections.internal(GUESTS)
  }

  #partitions(): Partition[] {
    const isOfGuest = ({ partitions: [first] }: Collection): boolean =>
      first !== undefined && guestNameOf(first.name) !== undefined
    return [...this.#peer.collections].filter(isOfGuest).flatMap(({ partitions }) => [...partitions])
  }

  #inOnePiece(change: () => void): void {
    this.#pump.undisturbed(() => this.#peer.atomically(change))
    // They read in what was deleted who did it.
    this.#pump.listenerCalls.run()
    this.#dropDeleted()
    this.#pump.tickSoon()
  }

  #adopt(partition: Partition, rowKey: string, bytes: Uint8Array | undefined, hlc?: number): void {
    if (this.#outbox.has(partition, rowKey)) return
    const { name, replica } = partition
    const { table } = replica
    const slot = table.slotOf(rowKey)
    const before = slot === undefined || table.deleted(slot) ? undefined : table.value(slot)
    const gone = bytes === undefined || isSwept(bytes, 0, bytes.length)
    if (gone) this.#deleted.push({ partition, rowKey })
    const dateHlc = gone ? undefined : hlc
    const after = gone ? undefined : this.#isOwn(partition, slot, bytes) ? withoutSubject(bytes) : bytes
    if (sameContent(before, after) && (dateHlc === undefined || table.hlc(slot!) === dateHlc)) return
    if (isCounting(name.kind) && !hasCounted(readShare(bytes), readShare(before))) this.#outbox.slots.leave(rowKey)
    this.#peer.adopt(partition, rowKey, bytes ?? goneBytes(name), ADOPTED_REPLICA_ID, this.#pump.now(), dateHlc)
  }

  /** Whether a member answers with the guest's own write, to which it has added the subject. */
  #isOwn({ replica: { table } }: Partition, slot: number | undefined, bytes: Uint8Array): boolean {
    if (slot === undefined || this.#peer.collections.ids.id(table.writer(slot)) === ADOPTED_REPLICA_ID) return false
    return subjectOf(bytes) === this.#identity.subject
  }

  /** Returns how many rows go, or will when members have answered the guest's own. */
  #remove(partition: Partition, isGone: (rowKey: string) => boolean): number {
    const { table } = partition.replica
    const gone = [...table.slots()].map((slot) => table.key(slot)).filter(isGone)
    for (const rowKey of gone) this.#adopt(partition, rowKey, undefined)
    return gone.length
  }

  #keep(map: string, cursor: Uint8Array | undefined): void {
    const own = this.#own
    const key = CURSOR + map
    if (cursor === undefined && own.replica.table.slotOf(key) === undefined) return
    const bytes = cursor && encodeValue(cursor, CURSOR_MAX_BYTES)
    this.#peer.write(own, key, bytes, this.#pump.now())
  }

  #dropDeleted(): void {
    const { ids } = this.#peer.collections
    const log = new BlockWriter(ids)
    const own = this.#outbox.takeRemoved().map((rowKey) => ({ partition: this.#own, rowKey }))
    for (const { partition, rowKey } of [...this.#deleted.splice(0), ...own]) {
      const { replica } = partition
      const slot = replica.table.slotOf(rowKey)
      if (slot === undefined || !isGone(partition, slot) || this.#outbox.has(partition, rowKey)) continue
      const { sequence, writer } = replica.row(slot)
      log.drops(partition.name, [{ key: rowKey, replicaId: ids.id(writer), sequence }])
      replica.drop(slot)
    }
    if (log.length > 0) this.#peer.commit.remote(log.take())
  }
}

const COUNTER_KIND = kindCode({ kind: 'counter' })
const NO_COUNT = encodeShare(NO_SHARE)

/** What stands for a row that is gone until it is dropped: a tombstone. A counter has none, and the store takes none for sound. */
function goneBytes({ kind }: PartitionName): Uint8Array | undefined {
  return kind === COUNTER_KIND ? NO_COUNT : undefined
}

function isGone({ name, replica: { table } }: Partition, slot: number): boolean {
  return table.deleted(slot) || (name.kind === COUNTER_KIND && sameContent(table.value(slot), NO_COUNT))
}
