import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import type { Instant } from '../instant.ts'
import { GRACE_MS } from '../limits.ts'
import type { Hints } from '../hints/hints.ts'
import type { Collections } from '../replica/collections.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { KnownVersions } from './known-versions.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { largestOf } from './missing-rows.ts'
import { keysOfCopy, rowsOfKey } from './rows-of-key.ts'

export interface LargestRowsDeps {
  readonly collections: Collections
  readonly hints: Hints
  readonly ids: ReplicaIds
  readonly known: KnownVersions
}

/** A key of a partition. */
export interface KeyOfPart {
  readonly name: PartitionName
  readonly key: string
}

/**
 * After so long, owners may have purged the delete of a row: half of the shortest time, since clocks differ. This peer may not
 * have heard of it yet.
 */
const MAY_BE_PURGED_MS: number = GRACE_MS / 2

/** What a peer answers a reader with: of each row the later one of what was found and what this peer knows itself. */
export class LargestRows {
  readonly #deps: LargestRowsDeps
  #purgedBeforeHlc = 0

  constructor(deps: LargestRowsDeps) {
    this.#deps = deps
  }

  /** To be called before anything is read. */
  forgetOld(now: Instant): void {
    this.#deps.known.forgetOld(now)
    this.#purgedBeforeHlc = hlcFromWall(now.wallMs - MAY_BE_PURGED_MS)
  }

  /** The answer to a reader, of what owners have answered. What only this peer has counts unless its delete may be purged. */
  of(at: KeyOfPart, found: readonly Row[]): Readonly<Row>[] {
    const { known } = this.#deps
    const { name, key } = at
    for (const row of found) known.note(name, row)
    for (const row of this.#ownRows(at)) if (this.lasts(row)) known.note(name, row)
    return [...known.of(name, key)]
  }

  /** All that this peer knows of a key itself. */
  known(at: KeyOfPart): readonly Readonly<Row>[] {
    const { ids, known } = this.#deps
    const { name, key } = at
    return largestOf(name.kind, ids, [this.#ownRows(at), [...known.of(name, key)]]).map(withOwnBytes)
  }

  /** Whether a row that owners do not have is new to them: if it is too old for that, they may have had it, and purged its delete. */
  lasts({ hlc }: Readonly<Row>): boolean {
    return hlc >= this.#purgedBeforeHlc
  }

  /** What a peer with a current copy answers itself. Its copy needs no noting: it goes only once all owners cover it. */
  own({ name, key }: KeyOfPart): readonly Readonly<Row>[] {
    const { collections, hints, known } = this.#deps
    if (hints.rowsOf(name, key).length > 0 || known.has(name, key)) return this.known({ name, key })
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
  *unsettled(names: readonly PartitionName[]): Generator<KeyOfPart, void, undefined> {
    const { hints, known } = this.#deps
    for (const name of names) for (const key of hints.keysOf(name)) yield { name, key }
    const wanted = new Set(names.map(nameKey))
    for (const each of known.written) if (wanted.has(nameKey(each.name))) yield each
  }

  #ownRows({ name, key }: KeyOfPart): Readonly<Row>[] {
    const { collections, hints } = this.#deps
    return [...rowsOfKey(collections, name, key), ...hints.rowsOf(name, key)]
  }
}
