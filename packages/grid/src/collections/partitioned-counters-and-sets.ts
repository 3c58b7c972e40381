import { PARTITIONS_MIN, checkKnown } from '@gossipgrid/core'
import type { Collection } from '@gossipgrid/core'
import { misfit } from '../batches/checks.ts'
import { checkSamePartitioned } from '../maps/map-options.ts'
import { PartitionedCounter } from '../partitioned/keyed/partitioned-counter.ts'
import { PartitionedCounters } from '../partitioned/keyed/partitioned-counters.ts'
import type { RoutedCounters } from '../partitioned/keyed/routed-counters.ts'
import type { RoutedElements } from '../partitioned/keyed/routed-elements.ts'
import { PartitionedSet } from '../partitioned/keyed/partitioned-set.ts'
import { PartitionedSets } from '../partitioned/keyed/partitioned-sets.ts'
import type { PartitionedFaceDeps } from '../partitioned/keyed/partitioned-face.ts'
import {
  OWNERS_DEFAULT,
  PARTITIONED_OPTIONS,
  PARTITIONS_DEFAULT,
  checkShape,
} from '../partitioned/partition-options.ts'
import type { PartitionedOptions } from '../partitioned/partition-options.ts'
import type { WritePath } from '../runtime/write-path.ts'

type Kind = 'counters' | 'set' | 'sets'
type Face = PartitionedCounters | PartitionedSet<unknown> | PartitionedSets<unknown>

/** The partitioned counters and sets of a grid that were opened, by kind and name. */
export class PartitionedCountersAndSets {
  readonly #writes: WritePath
  readonly #takePart: () => Promise<void>
  readonly #faces = new Map<string, Face>()
  readonly #single = new WeakMap<PartitionedCounters, PartitionedCounter>()

  /** `takePart` loads what this peer needs to take part in partitioned collections. */
  constructor(writes: WritePath, takePart: () => Promise<void>) {
    this.#writes = writes
    this.#takePart = takePart
  }

  counters(name: string, options: PartitionedOptions): PartitionedCounters {
    return this.#face('counters', name, options, (collection) => {
      const load = async (): Promise<RoutedCounters> => {
        await this.#takePart()
        const routed = await import('../partitioned/keyed/routed-counters.ts')
        return new routed.RoutedCounters(this.#writes, collection)
      }
      return new PartitionedCounters({ writes: this.#writes, collection, load })
    })
  }

  /** It needs one partition only, so by default it has as few as there can be. */
  counter(name: string, options: PartitionedOptions): PartitionedCounter {
    checkOptions(options)
    const counters = this.counters(name, { ...options, partitions: options.partitions ?? PARTITIONS_MIN })
    const known = this.#single.get(counters) ?? new PartitionedCounter(counters)
    this.#single.set(counters, known)
    return known
  }

  set<Element>(name: string, options: PartitionedOptions): PartitionedSet<Element> {
    return this.#face('set', name, options, (collection) => new PartitionedSet<Element>(this.#deps(collection)))
  }

  sets<Element>(name: string, options: PartitionedOptions): PartitionedSets<Element> {
    return this.#face('sets', name, options, (collection) => new PartitionedSets<Element>(this.#deps(collection)))
  }

  /** Forgets what was dropped: the next ones of their names are other objects. */
  dropped(): void {
    for (const [at, face] of this.#faces) if (face.isDropped) this.#faces.delete(at)
  }

  #deps(collection: Collection): PartitionedFaceDeps<RoutedElements> {
    const load = async (): Promise<RoutedElements> => {
      await this.#takePart()
      const routed = await import('../partitioned/keyed/routed-elements.ts')
      return new routed.RoutedElements(this.#writes, collection)
    }
    return { writes: this.#writes, collection, load }
  }

  #face<Opened extends { readonly owners: number; readonly partitions: number }>(
    kind: Kind,
    name: string,
    options: PartitionedOptions,
    make: (collection: Collection) => Opened,
  ): Opened {
    const { pump } = this.#writes
    pump.checkOpen()
    checkOptions(options)
    const known = this.#faces.get(`${kind} ${name}`) as Opened | undefined
    if (known !== undefined) {
      checkSamePartitioned(name, [
        ['owners', known.owners, options.owners],
        ['partitions', known.partitions, options.partitions],
      ])
      return known
    }
    const { owners = OWNERS_DEFAULT, partitions = PARTITIONS_DEFAULT } = options
    const face = make(pump.peer.open({ name, kind, mode: 'partitioned', owners, partitions }))
    // It is registered at once, if this peer may do that.
    pump.tickSoon()
    this.#faces.set(`${kind} ${name}`, face as unknown as Face)
    return face
  }
}

/** Throws `INVALID_OPTION`, `PARTITIONS_INVALID`. */
function checkOptions(options: PartitionedOptions): void {
  checkKnown(options, PARTITIONED_OPTIONS)
  if (options.mode !== 'partitioned') throw misfit('mode', "'partitioned', or there are no options", options.mode)
  checkShape(options)
}
