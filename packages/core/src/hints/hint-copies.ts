import { CONFIRMATIONS_MAX } from '../limits.ts'
import { GridError } from '../errors.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Hint } from './hints.ts'

interface CopyRequest {
  readonly copies: number
  readonly by: 'durable' | 'peers'
  readonly hint: () => Hint | undefined
  /** As last reported. */
  reported: string
}

export interface HintCopiesDeps {
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/**
 * Counts the copies of rows that this peer has written to partitions of others: those of owners, by their own words. A count is
 * enough only once every peer in reach that has a copy of the partition has the row too, since a reader may ask any of them.
 */
export class HintCopies {
  readonly #deps: HintCopiesDeps
  readonly #requests = new Map<number, CopyRequest>()
  /** Hints whose copies were still being counted at the last look. */
  #counted: ReadonlySet<Hint> = new Set()

  constructor(deps: HintCopiesDeps) {
    this.#deps = deps
  }

  /**
   * Starts counting. `hint` gives the row that is looked at, or a later one of its key; undefined once it has ended. Throws
   * `BACKLOG_FULL`.
   */
  request(number: number, copies: number, by: 'durable' | 'peers', hint: () => Hint | undefined): void {
    if (this.#requests.size >= CONFIRMATIONS_MAX) {
      throw new GridError('BACKLOG_FULL', `${CONFIRMATIONS_MAX} writes wait for copies already: await some first`)
    }
    this.#requests.set(number, { copies, by, hint, reported: '' })
    this.look()
  }

  cancel(number: number): void {
    this.#requests.delete(number)
  }

  /** Whether the copies of a row are still being counted. */
  isCounting(hint: Hint): boolean {
    return this.#counted.has(hint)
  }

  /** Reports the counts that have changed. */
  look(): void {
    const counted = new Set<Hint>()
    for (const [number, request] of this.#requests) {
      const hint = request.hint()
      if (hint === undefined) continue
      const { copies, peers, reached } = this.#count(hint)
      const isEnough = reached && (request.by === 'peers' ? peers : copies) >= request.copies
      if (!isEnough) counted.add(hint)
      this.#report(number, request, copies, peers, isEnough)
    }
    this.#counted = counted
  }

  #report(number: number, request: CopyRequest, copies: number, peers: number, isEnough: boolean): void {
    const reported = `${copies} ${peers} ${isEnough}`
    if (reported === request.reported) return
    request.reported = reported
    if (isEnough) this.#requests.delete(number)
    this.#deps.outbox.event({ type: 'copies', request: number, copies, peers, isEnough })
  }

  /** `copies`: owners with a directory that have it; `peers`: all that do. */
  #count({ name, storedBy, keptBy }: Hint): { copies: number; peers: number; reached: boolean } {
    const { neighbours, peerId, placement } = this.#deps
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    const audience = placement.audience(name) as ReadonlySet<PeerId>
    const copies = [...storedBy].filter((peer) => owners.has(peer) && placement.isDurable(peer)).length
    const reached = [...audience].every(
      (peer) => storedBy.has(peer) || keptBy.has(peer) || peer === peerId || !neighbours.has(peer),
    )
    return { copies, peers: new Set([...storedBy, ...keptBy]).size, reached }
  }
}
