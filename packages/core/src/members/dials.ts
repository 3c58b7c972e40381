import type { Instant } from '../instant.ts'
import { DIALS_MAX, DIAL_ADDRESSES_MAX, DIAL_GAP_MS, NEIGHBOURS_MAX } from '../limits.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Membership } from './membership.ts'
import type { NeighbourTable } from './neighbour-table.ts'
import type { Offences } from './offences.ts'
import type { Outbox } from '../outbox/outbox.ts'

type Dial = Pick<MemberRecord, 'peerId' | 'addresses'>

export interface DialsDeps {
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly offences: Offences
  readonly outbox: Outbox
}

/**
 * Dials members that are not neighbours yet. Any member can claim any address for another one, so that one message could
 * send all peers to a host that has nothing to do with the grid: only so many addresses are dialled at a time.
 */
export class Dials {
  readonly #deps: DialsDeps
  #left = DIALS_MAX
  #nextRoundMs = 0
  /** Where in the list of members the next round goes on, so that each has its turn. */
  #from = 0

  constructor(deps: DialsDeps) {
    this.#deps = deps
  }

  /** A member is new, or has new addresses. */
  learned({ peerId, addresses }: Dial, now: Instant): void {
    const { neighbours, offences, outbox } = this.#deps
    if (this.#left === 0 || neighbours.size >= NEIGHBOURS_MAX || neighbours.has(peerId)) return
    if (addresses.length === 0 || offences.refuses(peerId, now)) return
    this.#left -= 1
    outbox.dial(peerId, addresses.slice(0, DIAL_ADDRESSES_MAX))
  }

  tick(now: Instant): void {
    if (now.monotonicMs < this.#nextRoundMs) return
    this.#nextRoundMs = now.monotonicMs + DIAL_GAP_MS
    this.#left = DIALS_MAX
    if (this.#deps.neighbours.size >= NEIGHBOURS_MAX) return
    const all = this.#deps.membership.others
    const first = this.#from % Math.max(1, all.length)
    for (const { record, state } of [...all.slice(first), ...all.slice(0, first)]) {
      if (this.#left === 0) return
      this.#from += 1
      if (state !== 'gone') this.learned(record, now)
    }
  }
}
