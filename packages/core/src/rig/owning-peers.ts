import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { partitioning } from '../ownership/partitioning.ts'
import type { PeerOptions } from '../peer/open-peer.ts'
import { partitionIndex } from '../placement/key-slots.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PartitionName } from '../wire/block.ts'
import type { AskOptions } from '../asking/asking.ts'
import type { Written } from '../writes/local-writes.ts'
import { TestDisk } from './test-disk.ts'
import { WiredPeers } from './wired-peers.ts'

const OWNING: Partial<PeerOptions> = { partitioning: partitioning({ joins: true }) }

/** Until owners are registered, and have copied what they own. */
export const SETTLED_AFTER_MS = 30_000

/** A partitioned map with so many owners of each of its 16 partitions. */
export function usersOf(owners: number): CollectionDescriptor {
  return { name: 'users', kind: 'map', mode: 'partitioned', partitions: 16, owners }
}

/** A partition of it. */
export function users(index: number): PartitionName {
  return { collection: 'users', kind: 1, partition: 16 + index }
}

/** A key of the partition. */
export function keyIn(index: number, number = 0): string {
  for (let i = 0, found = 0; ; i++)
    if (partitionIndex(`key ${i}`, 16) === index && found++ === number) return `key ${i}`
}

/** Peers that are able to own partitions, as a test connects them. */
export class OwningPeers extends WiredPeers {
  /** Those that are open. */
  readonly names: string[] = []

  /** Opens a peer and links it with all that are open. */
  join(name: string, disk: TestDisk = new TestDisk(), others: readonly string[] = this.names): void {
    this.open(name, disk, OWNING)
    for (const other of others) this.link(other, name)
    if (!this.names.includes(name)) this.names.push(name)
  }

  /** Opens a durable peer that owns nothing. */
  joinWeightless(name: string, disk: TestDisk = new TestDisk(), others: readonly string[] = this.names): void {
    this.open(name, disk, { ...OWNING, weight: 0 })
    for (const other of others) this.link(other, name)
  }

  /** Opens a peer without a directory. */
  joinMemory(name: string, others: readonly string[] = this.names): void {
    this.open(name, undefined, OWNING)
    for (const other of others) this.link(other, name)
  }

  /** Opens a peer without a directory that is able to own. */
  joinMemoryOwner(name: string, others: readonly string[] = this.names): void {
    this.open(name, undefined, { partitioning: partitioning({ joins: true, ownsInMemory: true }) })
    for (const other of others) this.link(other, name)
    if (!this.names.includes(name)) this.names.push(name)
  }

  /** Opens peers, of which the first registers the users, and waits until the owners have their copies. */
  settle(descriptor: CollectionDescriptor, ...names: string[]): this {
    for (const name of names) this.join(name)
    this.advance(1000)
    this.peer(names[0]!).open(descriptor)
    this.advance(SETTLED_AFTER_MS)
    return this
  }

  placement(name: string): Rendezvous {
    return this.peer(name).collections.placement as Rendezvous
  }

  owners(index: number, seenBy: string = this.names[0]!): string[] {
    return [...(this.placement(seenBy).owners(users(index)) as ReadonlySet<string>)].toSorted()
  }

  put(name: string, index: number, value: number, number = 0): void {
    const partition = this.peer(name).collections.locate(users(index))
    if (!('replica' in partition)) throw new Error(`${name} has no copy of ${index}`)
    this.peer(name).write(partition, keyIn(index, number), Uint8Array.of(value), this.now)
    this.give(name, { type: 'tick' })
  }

  /** Writes to the partition's key, wherever its copies are. */
  writeTo(name: string, index: number, value: number | undefined, number = 0): Written {
    const bytes = value === undefined ? undefined : Uint8Array.of(value)
    const written = this.peer(name).partitions.write(users(index), keyIn(index, number), bytes, this.nowOf(name))
    this.give(name, { type: 'tick' })
    return written
  }

  /** Starts to read the partition's key. The result appears in the list once it is there. */
  read(name: string, index: number, number = 0, options: AskOptions = {}): (number | 'nothing' | 'unreachable')[] {
    const results: (number | 'nothing' | 'unreachable')[] = []
    const keys = [{ name: users(index), key: keyIn(index, number) }]
    this.peer(name).partitions.read(
      keys,
      this.nowOf(name),
      ([found]) => {
        const bytes = found!.rows?.[0]?.bytes
        results.push(found!.rows === undefined ? 'unreachable' : (bytes?.[found!.rows[0]!.start] ?? 'nothing'))
      },
      options,
    )
    this.give(name, { type: 'tick' })
    return results
  }

  /** Reads the partition's key, and delivers all messages before it returns what was found. */
  readNow(name: string, index: number, number = 0): (number | 'nothing' | 'unreachable')[] {
    const found = this.read(name, index, number)
    this.run()
    return found
  }

  /** Rows that the owners have not confirmed to a peer. */
  hintCount(name: string): number {
    return this.peer(name).partitions.hints!.count
  }

  /** A partition that exactly these peers own, or do not own. */
  partition(owners: readonly string[], others: readonly string[] = []): number {
    for (let index = 0; index < 16; index++) {
      const owning = this.owners(index)
      if (owners.every((name) => owning.includes(name)) && others.every((name) => !owning.includes(name))) return index
    }
    throw new Error(`no partition of ${owners.join()} without ${others.join()}`)
  }

  /** The value of the partition's key, as a number. */
  get(name: string, index: number, number = 0): number | undefined {
    const table = this.peer(name).collections.find(users(index))?.replica.table
    const slot = table?.slotOf(keyIn(index, number))
    return slot === undefined ? undefined : table!.value(slot)![0]
  }
}
