import { SESSION_DEFERRED_MAX_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/** A neighbour's wish for a session that has to wait. */
export interface DeferredDigest {
  readonly from: PeerId
  readonly session: number
  readonly root: string
  /** The hash over the other's purge floors. */
  readonly floors: string | undefined
  readonly atMs: number
}

/**
 * Digests that are answered later: while one neighbour is sending what is missing here, an answer to another one would
 * make it send the same. In order of arrival, none for longer than `SESSION_DEFERRED_MAX_MS`.
 */
export class DeferredDigests {
  #digests: DeferredDigest[] = []

  get count(): number {
    return this.#digests.length
  }

  /** When the next one is to be answered if receiving goes on until `receivingUntilMs`. */
  wakeAtMs(receivingUntilMs: number): number {
    const first = this.#digests[0]
    return first === undefined ? Infinity : Math.min(receivingUntilMs, first.atMs + SESSION_DEFERRED_MAX_MS)
  }

  /** How many of a neighbour wait. */
  of(from: PeerId): number {
    return this.#digests.filter((digest) => digest.from === from).length
  }

  add(digest: DeferredDigest): void {
    this.#digests.push(digest)
  }

  /** Takes out the next one that is to be answered. */
  due(nowMs: number, receivingUntilMs: number): DeferredDigest | undefined {
    return nowMs >= this.wakeAtMs(receivingUntilMs) ? this.#digests.shift() : undefined
  }

  /** The other has given up this session. */
  stopped(from: PeerId, session: number): void {
    this.#digests = this.#digests.filter((digest) => digest.from !== from || digest.session !== session)
  }

  disconnected(from: PeerId): void {
    this.#digests = this.#digests.filter((digest) => digest.from !== from)
  }
}
