import type { Collections } from '../replica/collections.ts'
import { mismatchOf } from '../replica/mismatch.ts'
import { GridError } from '../errors.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Instant } from '../instant.ts'
import { isInternal, isSameCollection } from '../kinds/kinds.ts'
import { HOUSEKEEPING_AFTER_MS, HOUSEKEEPING_GAP_MS } from '../limits.ts'
import type { LocalWrites, Written } from '../writes/local-writes.ts'
import type { Membership } from '../members/membership.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import { rare } from '#rare'
import type { Drops } from './drops.ts'
import type { RareWork } from './rare-work.ts'
import { RegisteredNames, collectionKeyOf } from './registered-names.ts'
import type { RegisteredName } from './registered-names.ts'
import { Registry } from './registry.ts'
import { RegistryRows } from './registry-rows.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

export interface HousekeepingDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  /** Whether what this peer holds survives it. */
  readonly durable: boolean
  readonly membership: Membership
  readonly outbox: Outbox
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/** Regular work of a peer for the whole grid: which members are durable, what may be purged, which kind a name has. */
export class Housekeeping {
  readonly names: RegisteredNames
  readonly registry: Registry
  readonly rows: RegistryRows
  readonly #deps: HousekeepingDeps
  #rare: RareWork | undefined
  #nextMs: number
  /** When the code that is missing is asked for again. */
  #nextLoadMs = -Infinity
  #now: Instant

  constructor(deps: HousekeepingDeps, now: Instant) {
    this.#deps = deps
    this.#now = now
    const { collections, writes } = deps
    this.rows = new RegistryRows({
      collections,
      write: (partition, key, value) => writes.write(partition, key, value, this.#now),
    })
    this.names = new RegisteredNames(this.rows)
    this.registry = new Registry({ collections, rows: this.rows })
    this.#nextMs = now.monotonicMs + HOUSEKEEPING_AFTER_MS
  }

  /** Drops collections. Undefined while its code is not loaded: see `loadRare`. */
  get drops(): Drops | undefined {
    return this.#rarely()?.drops
  }

  /** Loads the code that most peers never run. */
  loadRare(): Promise<void> {
    return rare.load()
  }

  /** Monotonic milliseconds at which there is something to do: the next round, or more of a drop. */
  get wakeAtMs(): number {
    return this.#rare?.drops.busy === true ? 0 : this.#nextMs
  }

  /** Lets go of what was dropped and is still here; from the first drop on, `Drops` follows them. */
  letGo(): void {
    if (this.#deps.collections.dropped.size > 0) this.#rarely()
  }

  tick(now: Instant): void {
    this.#now = now
    this.letGo()
    this.#rare?.drops.tick()
    if (now.monotonicMs < this.#nextMs) return
    this.#nextMs = now.monotonicMs + HOUSEKEEPING_GAP_MS
    try {
      this.#see(this.#deps.time.wallMs(now))
    } catch (error) {
      // Too much waits for the disk, or there are too many collections. The next round tries again.
      if (!(error instanceof GridError) || (error.code !== 'BACKLOG_FULL' && error.code !== 'COLLECTION_LIMIT'))
        throw error
    }
  }

  #see(wallMs: number): void {
    if (this.#deps.durable && !this.#deps.membership.self.left) this.#rarely()?.attend(wallMs, this.#now)
    if (this.registry.candidates().length > 0) this.#rarely()?.purging.ripen(wallMs)
    this.#registerNames()
    this.settleNames()
  }

  /** A durable peer will not come back: purging no longer waits for it. Undefined when it was not registered. Throws `BACKLOG_FULL`. */
  forget(peerId: PeerId, now: Instant): Written | undefined {
    this.#now = now
    return this.registry.strike(peerId)
  }

  #registerNames(): void {
    const registered = new Set(
      this.names.all().flatMap(({ descriptor }) => (descriptor === undefined ? [] : [collectionKeyOf(descriptor)])),
    )
    for (const { descriptor, partitions } of this.#deps.collections) {
      if (isInternal(descriptor.kind) || registered.has(collectionKeyOf(descriptor))) continue
      if (partitions.every(({ replica }) => replica.vector.isEmpty)) continue
      this.names.register(descriptor, this.#deps.writes.identity.id)
    }
  }

  #rarely(): RareWork | undefined {
    if (rare.code === undefined && this.#now.monotonicMs >= this.#nextLoadMs) {
      this.#nextLoadMs = this.#now.monotonicMs + HOUSEKEEPING_GAP_MS
      // Without a network it fails, and is tried again.
      rare.load().catch(() => undefined)
    }
    const { names, registry, rows } = this
    this.#rare ??= rare.code?.makeRareWork({ ...this.#deps, names, registry, rows })
    return this.#rare
  }

  /** A name has the kind for which it was registered first. Returns these registrations. */
  settleNames(): ReadonlyMap<string, RegisteredName> {
    const { collections } = this.#deps
    const first = this.names.earliest()
    for (const { descriptor } of first.values()) {
      // The first row of a partitioned collection does not say what it belongs to: the registry does.
      if (descriptor?.mode === 'partitioned' && !isInternal(descriptor.kind)) collections.settle(descriptor)
    }
    for (const collection of collections) {
      const { descriptor, mismatch } = collection
      const meant = first.get(descriptor.name)?.descriptor
      if (meant === undefined || isInternal(descriptor.kind)) continue
      collections.settle(meant)
      const reason = isSameCollection(meant, descriptor) ? undefined : mismatchOf(meant, descriptor)
      if (mismatch === reason) continue
      collections.refuse(collection, reason)
      if (reason !== undefined && collections.isOpen(collection)) {
        this.#deps.outbox.event({ type: 'mismatch', name: collection.title, reason })
      }
    }
    return first
  }
}
