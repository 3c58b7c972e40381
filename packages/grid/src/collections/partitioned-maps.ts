import { INDEX_ROWS, checkCollectionName, partitions } from '@gossipgrid/core'
import type { AskedQuery, CollectionDescriptor } from '@gossipgrid/core'
import type { Logger } from '../logger.ts'
import { checkMapOptions, checkSamePartitioned } from '../maps/map-options.ts'
import { ValueSchema } from '../maps/schema.ts'
import { OWNERS_DEFAULT, PARTITIONS_DEFAULT, checkPartitionOptions } from '../partitioned/partition-options.ts'
import type { OwnerReadOptions, PartitionedMapOptions } from '../partitioned/partition-options.ts'
import { PartitionedMap } from '../partitioned/partitioned-map.ts'
import type { PartitionedMapDeps } from '../partitioned/partitioned-map.ts'
import type { MapWork } from '../partitioned/routed-map.ts'
import type { OwnerQueries } from '../partitioned/queries/owner-queries.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** A partitioned map that a guest opens. */
export interface OpenedAtGuest {
  readonly descriptor: CollectionDescriptor
  readonly schema: ValueSchema | undefined
  readonly mapTtlMs: number | undefined
}

/** Where a guest reads and writes partitioned maps: at the member that it is connected to. */
export interface MapsRoute {
  open<Value>(opened: OpenedAtGuest): Pick<PartitionedMapDeps<Value>, 'load' | 'queries' | 'live'>
}

/** The partitioned maps of a grid that were opened, by name. */
export class PartitionedMaps {
  readonly #writes: WritePath
  readonly #logger: Logger
  readonly #valueSizeMaxBytes: number
  readonly #joins: boolean
  readonly #maps = new Map<string, PartitionedMap<unknown>>()
  #queries: Promise<OwnerQueries> | undefined
  /** Only at guests. */
  route: MapsRoute | undefined

  /** `joins`: there are addresses of a grid that this peer is to meet first. */
  constructor(writes: WritePath, logger: Logger, valueSizeMaxBytes: number, joins: boolean) {
    this.#writes = writes
    this.#logger = logger
    this.#valueSizeMaxBytes = valueSizeMaxBytes
    this.#joins = joins
    if (writes.pump.peer.takesPart) this.#followIndexes()
  }

  /** Answers a query of another peer. */
  answer(query: AskedQuery): void {
    // Without an answer, that peer asks another one.
    void this.loadQueries()
      .then((queries) => queries.answer(query))
      .catch(() => undefined)
  }

  get<Value>(name: string, options: PartitionedMapOptions<Value>): PartitionedMap<Value> {
    const { pump } = this.#writes
    pump.checkOpen()
    checkPartitionOptions(options as PartitionedMapOptions<never>)
    const { mode: _, owners, partitions: count, ...mapOptions } = options as PartitionedMapOptions<never>
    checkMapOptions(mapOptions)
    const known = this.#maps.get(name)
    if (known !== undefined) {
      checkSame(known, options as PartitionedMapOptions<never>)
      return known as PartitionedMap<Value>
    }
    const schema = options.schema === undefined ? undefined : new ValueSchema(options.schema)
    const descriptor: CollectionDescriptor = {
      name,
      kind: options.merge === 'fields' ? 'fields' : 'map',
      mode: 'partitioned',
      owners: owners ?? OWNERS_DEFAULT,
      partitions: count ?? PARTITIONS_DEFAULT,
    }
    const map = new PartitionedMap<Value>({
      writes: this.#writes,
      options: options as PartitionedMapOptions<never>,
      ...(this.route === undefined
        ? this.#here<Value>(descriptor, schema, options.ttlMs)
        : this.#elsewhere<Value>(this.route, { descriptor, schema, mapTtlMs: options.ttlMs })),
    })
    this.#maps.set(name, map as PartitionedMap<unknown>)
    return map
  }

  /** Of a peer that asks owners itself. */
  #here<Value>(
    descriptor: CollectionDescriptor,
    schema: ValueSchema | undefined,
    mapTtlMs: number | undefined,
  ): MapWays<Value> {
    const { pump } = this.#writes
    const collection = pump.peer.open(descriptor)
    // It is registered at once, if this peer may do that.
    pump.tickSoon()
    const deps = { writes: this.#writes, collection, valueSizeMaxBytes: this.#valueSizeMaxBytes, schema }
    return {
      collection,
      load: async () => {
        await this.takePart()
        const { RoutedMap } = await import('../partitioned/routed-map.ts')
        return new RoutedMap<Value>({ ...deps, mapTtlMs })
      },
      queries: async ({ entries }) => (await this.loadQueries()).of<Value>(collection, entries),
      live: async <Shown>({ entries }: MapWork<Value>, query: unknown, options: OwnerReadOptions) => {
        const { asking } = await this.loadQueries()
        const { openPartitionedLive } = await import('../partitioned/live/open-partitioned-live.ts')
        return openPartitionedLive<Shown>({ pump, entries, asking, logger: this.#logger }, query, options)
      },
    }
  }

  #elsewhere<Value>(route: MapsRoute, opened: OpenedAtGuest): MapWays<Value> {
    const { descriptor } = opened
    checkCollectionName(descriptor.name)
    const collection = { descriptor, title: descriptor.name, partitions: [], mismatch: undefined }
    return { collection, ...route.open<Value>(opened) }
  }

  /** Loads what this peer needs to take part in partitioned collections: on servers it is there from the start. */
  async takePart(): Promise<void> {
    const { pump } = this.#writes
    if (!pump.peer.takesPart) await partitions.load()
    const { code } = partitions
    if (code === undefined || pump.peer.takesPart || pump.closed) return
    pump.undisturbed(() => pump.peer.takePart(code.partitioning({ joins: this.#joins }), pump.now()))
    pump.tickSoon()
  }

  /** What this peer asks owners with, and answers them by. */
  loadQueries(): Promise<OwnerQueries> {
    if (this.#queries === undefined) {
      const load = async (): Promise<OwnerQueries> =>
        new (await import('../partitioned/queries/owner-queries.ts')).OwnerQueries(this.#writes)
      this.#queries = load()
      // A page that could not load it tries again with the next call.
      this.#queries.catch(() => (this.#queries = undefined))
    }
    return this.#queries
  }

  /** An owner keeps the indexes that the registry names, also if nothing here has asked anything. */
  #followIndexes(): void {
    const { rows } = this.#writes.pump.peer.housekeeping
    const { replica } = rows.partition
    const load = (): void => {
      end()
      this.loadQueries().catch(() => undefined)
    }
    const end = replica.observe({
      changed: (slot) => {
        if (replica.table.key(slot).startsWith(INDEX_ROWS)) load()
      },
    })
    if (rows.of(INDEX_ROWS).length > 0) load()
  }

  /** Forgets maps that were dropped: the next ones of their names are other objects. */
  dropped(): void {
    for (const [name, map] of this.#maps) if (map.isDropped) this.#maps.delete(name)
  }
}

type MapWays<Value> = Omit<PartitionedMapDeps<Value>, 'writes' | 'options'>

/** Throws `COLLECTION_MISMATCH` if a map is opened again with other options. */
function checkSame(map: PartitionedMap<unknown>, later: PartitionedMapOptions<never>): void {
  const { options: first } = map
  checkSamePartitioned(map.name, [
    ['owners', map.owners, later.owners],
    ['partitions', map.partitions, later.partitions],
    ['merge', first.merge ?? 'value', later.merge],
    ['ttlMs', first.ttlMs, later.ttlMs],
    ['schema', first.schema, later.schema],
  ])
}
