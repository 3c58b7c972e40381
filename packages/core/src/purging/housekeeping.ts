import type { Collections } from '../replica/collections.ts'
import { mismatchOf } from '../replica/collections.ts'
import { GridError } from '../errors.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Instant } from '../instant.ts'
import { isInternal, isSameCollection } from '../kinds/kinds.ts'
import { HOUSEKEEPING_AFTER_MS, HOUSEKEEPING_GAP_MS } from '../limits.ts'
import type { LocalWrites, Written } from '../writes/local-writes.ts'
import type { Membership } from '../members/membership.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import { Purging } from './purging.ts'
import { Registry, nameRowKey } from './registry.ts'
import type { RegisteredName } from './registry.ts'
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
  readonly registry: Registry
  readonly #deps: HousekeepingDeps
  readonly #purging: Purging
  #nextMs: number
  #now: Instant

  constructor(deps: HousekeepingDeps, now: Instant) {
    this.#deps = deps
    this.#now = now
    const { collections, commit, membership, writes } = deps
    this.registry = new Registry({
      collections,
      write: (partition, key, value) => writes.write(partition, key, value, this.#now),
    })
    this.#purging = new Purging({ collections, commit, membership, registry: this.registry })
    this.#nextMs = now.monotonicMs + HOUSEKEEPING_AFTER_MS
  }

  /** Monotonic milliseconds at which the next round is due. */
  get wakeAtMs(): number {
    return this.#nextMs
  }

  tick(now: Instant): void {
    this.#now = now
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
    if (this.#deps.durable && !this.#deps.membership.self.left) this.#purging.attend(wallMs)
    this.#purging.ripen(wallMs)
    this.#registerNames()
    this.#settleNames()
  }

  /** A durable peer will not come back: purging no longer waits for it. Undefined when it was not registered. Throws `BACKLOG_FULL`. */
  forget(peerId: PeerId, now: Instant): Written | undefined {
    this.#now = now
    return this.registry.strike(peerId)
  }

  #registerNames(): void {
    const registered = new Set(this.registry.names().map(({ key }) => key))
    for (const { descriptor, partitions } of this.#deps.collections) {
      if (isInternal(descriptor.kind) || registered.has(nameRowKey(descriptor))) continue
      if (partitions.some(({ replica }) => !replica.vector.isEmpty)) this.registry.registerName(descriptor)
    }
  }

  /** A name has the kind for which it was registered first. */
  #settleNames(): void {
    const { collections } = this.#deps
    const first = new Map<string, RegisteredName>()
    for (const registered of this.registry.names()) {
      const known = first.get(registered.name)
      if (known === undefined || isEarlier(registered, known)) first.set(registered.name, registered)
    }
    for (const { descriptor } of first.values()) {
      // The first row of a partitioned collection does not say what it belongs to: the registry does.
      if (descriptor?.mode === 'partitioned' && !isInternal(descriptor.kind)) collections.settle(descriptor)
    }
    for (const collection of collections) {
      const { descriptor, partitions } = collection
      const meant = first.get(descriptor.name)?.descriptor
      if (meant === undefined || isInternal(descriptor.kind)) continue
      collections.settle(meant)
      const reason = isSameCollection(meant, descriptor) ? undefined : mismatchOf(meant, descriptor)
      if (partitions.every(({ mismatch }) => mismatch === reason)) continue
      for (const partition of partitions) partition.mismatch = reason
      if (reason !== undefined && collections.isOpen(collection)) {
        this.#deps.outbox.event({ type: 'mismatch', name: descriptor.name, reason })
      }
    }
  }
}

function isEarlier(a: RegisteredName, b: RegisteredName): boolean {
  return a.hlc < b.hlc || (a.hlc === b.hlc && a.replicaId < b.replicaId)
}
