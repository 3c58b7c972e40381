import { PRESENCE_MAX_BYTES, TOPIC_MESSAGE_MAX_BYTES, decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import type { GridPresence } from './grid-presence.ts'
import { OtherStates } from './other-states.ts'

/** How often a member says who of its guests is present. */
export const GUEST_PRESENCE_GAP_MS = 10_000
/** Guests that a member has not named for so long are gone: it may have crashed. */
const KEPT_MS: number = 3 * GUEST_PRESENCE_GAP_MS
/** Guests of all members whose states are kept. */
const GUESTS_MAX = 10_000
/** Beside the state and the texts. */
const COST_BYTES = 32

/** What a member says of one of its guests. `value` undefined: it is gone. */
export interface GuestState {
  readonly peerId: string
  readonly subject: string
  readonly value: Uint8Array | undefined
}

/** Messages that say this of guests, each small enough for a topic. */
export function guestStateMessages(states: readonly GuestState[]): Uint8Array[] {
  const messages: Uint8Array[] = []
  let part: unknown[] = []
  let bytes = 0
  const flush = (): void => {
    if (part.length > 0) messages.push(encodeValue(part, TOPIC_MESSAGE_MAX_BYTES))
    part = []
    bytes = 0
  }
  for (const { peerId, subject, value } of states) {
    const size = COST_BYTES + (peerId.length + subject.length) * 3 + (value?.length ?? 0)
    if (bytes + size > TOPIC_MESSAGE_MAX_BYTES / 2) flush()
    part.push(value === undefined ? [peerId, subject] : [peerId, subject, value])
    bytes += size
  }
  flush()
  return messages
}

/** The states in such a message. What is none is left out: a member may be of a later version. */
function statesIn(bytes: Uint8Array): GuestState[] {
  const list = decodeValue(bytes)
  return Array.isArray(list) ? list.flatMap(stateIn) : []
}

function stateIn(state: unknown): GuestState[] {
  const [peerId, subject, value] = Array.isArray(state) ? (state as unknown[]) : []
  if (typeof peerId !== 'string' || typeof subject !== 'string' || peerId === '' || subject === '') return []
  if (value === undefined) return [{ peerId, subject, value }]
  if (!(value instanceof Uint8Array) || value.length > PRESENCE_MAX_BYTES) return []
  try {
    scanCbor(value)
  } catch {
    return []
  }
  return [{ peerId, subject, value }]
}

interface Known {
  /** The member that serves it. */
  readonly member: string
  readonly atMs: number
}

/** The states of the guests of all members, as members say. */
export class GuestPresences {
  readonly #others: OtherStates
  /** Those that were named longest ago come first. */
  readonly #known = new Map<string, Known>()
  #isClosed = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(presence: GridPresence<unknown>) {
    this.#others = new OtherStates(presence)
  }

  /** A member has said who of its guests is present. */
  take(member: string, bytes: Uint8Array): void {
    if (this.#isClosed) return
    for (const { peerId, subject, value } of statesIn(bytes)) {
      const known = this.#known.get(peerId)
      // The guest has gone on to another member before the one that it left has noticed.
      if (value === undefined && known?.member !== member) continue
      if (known === undefined && this.#known.size >= GUESTS_MAX) continue
      this.#known.delete(peerId)
      if (value !== undefined) this.#known.set(peerId, { member, atMs: performance.now() })
      this.#others.put(peerId, value === undefined ? undefined : { value, subject })
    }
    this.#watch()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#known.clear()
  }

  #watch(): void {
    clearTimeout(this.#timer)
    const [oldest] = this.#known.values()
    if (oldest === undefined) return
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, oldest.atMs + KEPT_MS - performance.now()) + 1)
  }

  #expire(): void {
    const before = performance.now() - KEPT_MS
    for (const [peerId, { atMs }] of this.#known) {
      if (atMs > before) break
      this.#known.delete(peerId)
      this.#others.put(peerId, undefined)
    }
    this.#watch()
  }
}
