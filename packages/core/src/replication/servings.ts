import { hashHex } from '../bytes/hash.ts'
import type { SeenPart } from '../digests/part-digests.ts'
import type { Instant } from '../instant.ts'
import { MAP_CODE } from '../kinds/kinds.ts'
import { WHOLE_EXCHANGE_GAP_MS } from '../limits.ts'
import type { SharedPartitions } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { nameKey } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Serving } from './outgoing.ts'

export interface ServingsDeps {
  readonly collections: Collections
  readonly ids: ReplicaIds
}

/** Decides what to send to another peer in a session, going by the vectors that it has sent. */
export class Servings {
  readonly #deps: ServingsDeps
  /** When a neighbour last got a partition whole because one of the two is damaged. */
  readonly #wholeAtMs = new Map<PeerId, number>()

  constructor(deps: ServingsDeps) {
    this.#deps = deps
  }

  disconnected(neighbour: PeerId): void {
    this.#wholeAtMs.delete(neighbour)
  }

  /** What it does not know it could only refuse, and would never have all of. */
  of(
    neighbour: PeerId,
    isShared: SharedPartitions,
    parts: readonly SeenPart[],
    { kinds = [MAP_CODE], more }: Extract<Message, { readonly type: 'vectors' }>,
    now: Instant,
  ): Serving[] {
    const { collections, ids } = this.#deps
    const reported = new Map<string, SeenPart>()
    for (const part of parts) reported.set(nameKey(part), part)
    const mayGoWhole = now.monotonicMs - (this.#wholeAtMs.get(neighbour) ?? -Infinity) >= WHOLE_EXCHANGE_GAP_MS
    const servings: Serving[] = []
    for (const partition of collections.shared(isShared)) {
      const { replica, name } = partition
      if (!kinds.includes(name.kind)) continue
      const part = reported.get(nameKey(name))
      if (part === undefined) {
        // There was no room to name it. Its turn comes in a later session.
        if (more === true && !isReplicated(name)) continue
        servings.push({ partition, known: new VersionVector() })
        continue
      }
      const damaged =
        part.otherFloor === undefined &&
        part.fingerprint !== hashHex(replica.fingerprint) &&
        hashHex(part.seen.hash(ids)) === hashHex(replica.vector.hash(ids))
      // Both have seen the same writes and hold other entries: one of the two is damaged. Only the whole partition shows what.
      if (damaged && mayGoWhole) {
        this.#wholeAtMs.set(neighbour, now.monotonicMs)
        servings.push({ partition, known: new VersionVector() })
      } else servings.push({ partition, known: part.seen })
    }
    return servings
  }
}
