import type { PeerId } from '../ports.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import type { Sessions } from './sessions.ts'

/** A neighbour's wish for a session that has to wait. */
export interface DeferredDigest {
  readonly from: PeerId
  readonly session: number
  readonly root: string
  /** The hash over the other's purge floors. */
  readonly floors: string | undefined
  /** What the other peer has said of its copies. */
  readonly copies: readonly CopyGroup[] | undefined
  readonly atMs: number
}

/**
 * Digests that are answered later: while one neighbour is sending what is missing here, an answer to another one would
 * make it send the same. In order of arrival.
 */
export class DeferredDigests {
  readonly #sessions: Sessions
  #digests: DeferredDigest[] = []

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  get count(): number {
    return this.#digests.length
  }

  /** When the next one is to be answered, if the sessions under way bring nothing more until then. */
  get wakeAtMs(): number {
    const first = this.#digests[0]
    return first === undefined ? Infinity : this.#sessions.deferredUntilMs(first.atMs)
  }

  /** How many of a neighbour wait. */
  of(from: PeerId): number {
    return this.#digests.filter((digest) => digest.from === from).length
  }

  add(digest: DeferredDigest): void {
    this.#digests.push(digest)
  }

  /** Takes out the next one that is to be answered. */
  due(nowMs: number): DeferredDigest | undefined {
    return nowMs >= this.wakeAtMs ? this.#digests.shift() : undefined
  }

  /** The other has given up this session. */
  stopped(from: PeerId, session: number): void {
    this.#digests = this.#digests.filter((digest) => digest.from !== from || digest.session !== session)
  }

  disconnected(from: PeerId): void {
    this.#digests = this.#digests.filter((digest) => digest.from !== from)
  }
}
