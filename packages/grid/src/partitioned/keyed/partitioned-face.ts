import type { Collection } from '@gossipgrid/core'
import { REACHED_OPTIONS, checkReadOptions } from '../../reads/after-token.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { covered, openFeed } from '../changes/open-feed.ts'
import type { RunningFeed } from '../changes/map-changes.ts'
import type { Coverage, PartitionFeed } from '../changes/partition-changes.ts'
import { checkWalk } from '../partition-options.ts'
import type { OwnerReadOptions, PartitionWalk, PartitionWalkOptions } from '../partition-options.ts'

export interface PartitionedFaceDeps<Routed> {
  readonly writes: WritePath
  readonly collection: Collection
  /** Loads what it does. */
  readonly load: () => Promise<Routed>
}

/** What partitioned counters and sets have in common. */
export abstract class PartitionedFace<Routed> {
  /** The name that it was opened by. */
  readonly name: string
  /** Number of partitions. */
  readonly partitions: number
  /** Peers that are to have each partition. */
  readonly owners: number
  readonly #writes: WritePath
  readonly #collection: Collection
  readonly #load: () => Promise<Routed>
  #routed: Promise<Routed> | undefined

  /** @internal */
  constructor({ writes, collection, load }: PartitionedFaceDeps<Routed>) {
    const { partitions, owners } = collection.descriptor
    this.name = collection.title
    this.partitions = partitions
    this.owners = owners!
    this.#writes = writes
    this.#collection = collection
    this.#load = load
  }

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    const { dropped } = this.#writes.pump.peer.collections
    return dropped.current(this.name) !== this.#collection.descriptor.name
  }

  protected working(): Promise<Routed> {
    this.#writes.pump.checkOpen()
    if (this.#routed === undefined) {
      this.#routed = this.#load()
      // A page that could not load it tries again with the next call.
      this.#routed.catch(() => (this.#routed = undefined))
    }
    return this.#routed
  }

  protected reading(options: OwnerReadOptions): Promise<Routed> {
    checkReadOptions(options, REACHED_OPTIONS)
    return this.working()
  }

  protected walk<Shown>(
    options: PartitionWalkOptions,
    walk: (routed: Routed, covered: (coverage: Coverage) => void) => AsyncGenerator<Shown, void, undefined>,
  ): PartitionWalk<Shown> {
    checkWalk(options)
    let coverage: Coverage = { complete: false, unanswered: [] }
    const working = (): Promise<Routed> => this.working()
    async function* steps(): AsyncGenerator<Shown, void, undefined> {
      yield* walk(await working(), (found) => (coverage = found))
    }
    return covered(steps(), () => coverage)
  }

  protected feed<Change>(
    start: (routed: Routed, begun: (running: RunningFeed) => void) => AsyncGenerator<Change, void, undefined>,
  ): PartitionFeed<Change> {
    this.#writes.pump.checkOpen()
    return openFeed((begun) => this.working().then((routed) => start(routed, begun)))
  }
}
