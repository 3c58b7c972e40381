import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import type { Instant } from '../instant.ts'
import type { Hints } from '../hints/hints.ts'
import type { Collections } from '../replica/collections.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { KnownVersions } from './known-versions.ts'
import { keysOfCopy, rowsOfKey } from './rows-of-key.ts'

export interface LargestRowsDeps {
  readonly collections: Collections
  readonly hints: Hints
  readonly known: KnownVersions
}

/** A key of a partition. */
export interface UnsettledKey {
  readonly name: PartitionName
  readonly key: string
}

/** What a peer answers a reader with: of each row the later one of what was found and what this peer knows itself. */
export class LargestRows {
  readonly #deps: LargestRowsDeps

  constructor(deps: LargestRowsDeps) {
    this.#deps = deps
  }

  /** To be called before anything is read. */
  forgetOld(now: Instant): void {
    this.#deps.known.forgetOld(now)
  }

  of({ name, key }: { readonly name: PartitionName; readonly key: string }, found: readonly Row[]): Readonly<Row>[] {
    const { collections, hints, known } = this.#deps
    for (const row of found) known.note(name, row)
    for (const row of rowsOfKey(collections, name, key)) known.note(name, row)
    for (const row of hints.rowsOf(name, key)) known.note(name, row)
    return [...known.of(name, key)]
  }

  /** What a peer with a current copy answers itself. Its copy needs no noting: it goes only once all owners cover it. */
  own({ name, key }: { readonly name: PartitionName; readonly key: string }): readonly Readonly<Row>[] {
    const { collections, hints, known } = this.#deps
    if (hints.rowsOf(name, key).length > 0 || known.has(name, key)) return this.of({ name, key }, [])
    return rowsOfKey(collections, name, key).map(withOwnBytes)
  }

  /** The keys of a partition of which this peer knows something itself. */
  *keys(name: PartitionName): Generator<string, void, undefined> {
    const { collections, hints, known } = this.#deps
    yield* keysOfCopy(collections, name)
    yield* hints.keysOf(name)
    yield* known.keysOf(name)
  }

  /** The keys in these partitions, all of one collection, of which this peer knows writes that their owners may lack: each at least once. */
  *unsettled(names: readonly PartitionName[]): Generator<UnsettledKey, void, undefined> {
    const { hints, known } = this.#deps
    for (const name of names) for (const key of hints.keysOf(name)) yield { name, key }
    const wanted = new Set(names.map(nameKey))
    for (const each of known.written) if (wanted.has(nameKey(each.name))) yield each
  }
}
