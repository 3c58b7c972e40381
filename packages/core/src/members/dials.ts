import type { Instant } from '../instant.ts'
import { DIALS_MAX, DIAL_ADDRESSES_MAX, DIAL_GAP_MS, NEIGHBOURS_MAX } from '../limits.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Member } from './membership.ts'
import type { Neighbours } from './neighbours.ts'
import type { Offences } from './offences.ts'

export type Dial = Pick<MemberRecord, 'peerId' | 'addresses'>

/**
 * Dials members that are no neighbours yet. What a member's addresses are is hearsay, so that one message could send all
 * peers to the addresses of somebody who has nothing to do with them: only so many are dialled at a time.
 */
export class Dials {
  readonly #neighbours: Neighbours
  readonly #offences: Offences
  readonly #dial: (dial: Dial) => void
  #left = DIALS_MAX
  #nextRoundMs = 0
  /** Where in the list of members the next round goes on, so that each has its turn. */
  #from = 0

  constructor(neighbours: Neighbours, offences: Offences, dial: (dial: Dial) => void) {
    this.#neighbours = neighbours
    this.#offences = offences
    this.#dial = dial
  }

  /** A member was heard of for the first time, or under other addresses. */
  learned({ peerId, addresses }: Dial, now: Instant): void {
    if (this.#left === 0 || this.#neighbours.size >= NEIGHBOURS_MAX || this.#neighbours.has(peerId)) return
    if (addresses.length === 0 || this.#offences.refuses(peerId, now)) return
    this.#left -= 1
    this.#dial({ peerId, addresses: addresses.slice(0, DIAL_ADDRESSES_MAX) })
  }

  tick(members: () => readonly Member[], now: Instant): void {
    if (now.monotonicMs < this.#nextRoundMs) return
    this.#nextRoundMs = now.monotonicMs + DIAL_GAP_MS
    this.#left = DIALS_MAX
    if (this.#neighbours.size >= NEIGHBOURS_MAX) return
    const all = members()
    const first = this.#from % Math.max(1, all.length)
    for (const { record, state } of [...all.slice(first), ...all.slice(0, first)]) {
      if (this.#left === 0) return
      this.#from += 1
      if (state !== 'gone') this.learned(record, now)
    }
  }
}
