import type { TopicMessage } from '@gossipgrid/core'
import { GUESTS_TOPIC } from '../../signals/grid-signals.ts'
import { GUEST_PRESENCE_GAP_MS, guestStateMessages } from '../../signals/guest-presences.ts'
import type { GuestState } from '../../signals/guest-presences.ts'

/** Changes within this time are said to other peers together. */
const CHANGE_GAP_MS = 50

/** What a member says of the presence of its guests, to all peers: what has changed at once, and all of it again and again. */
export class GuestStates {
  readonly #publish: (message: TopicMessage) => void
  readonly #states = new Map<string, GuestState>()
  #changed = new Map<string, GuestState>()
  #changeTimer: ReturnType<typeof setTimeout> | undefined
  #roundTimer: ReturnType<typeof setInterval> | undefined

  constructor(publish: (message: TopicMessage) => void) {
    this.#publish = publish
  }

  /** The state of a guest; `value` undefined: it has none, or has left. */
  put(state: GuestState): void {
    const { peerId, value } = state
    if (value === undefined && !this.#states.delete(peerId)) return
    if (value !== undefined) this.#states.set(peerId, state)
    this.#changed.set(peerId, state)
    this.#changeTimer ??= setTimeout(() => this.#sayChanged(), CHANGE_GAP_MS)
    if (this.#states.size > 0) this.#roundTimer ??= setInterval(() => this.#sayAll(), GUEST_PRESENCE_GAP_MS)
    else this.#endRounds()
  }

  /** All guests leave with this member. */
  close(): void {
    for (const { peerId, subject } of [...this.#states.values()]) this.put({ peerId, subject, value: undefined })
    clearTimeout(this.#changeTimer)
    this.#sayChanged()
    this.#endRounds()
  }

  #sayChanged(): void {
    this.#changeTimer = undefined
    const changed = this.#changed
    this.#changed = new Map()
    this.#say([...changed.values()])
  }

  #sayAll(): void {
    this.#say([...this.#states.values()])
  }

  #say(states: readonly GuestState[]): void {
    try {
      for (const value of guestStateMessages(states)) this.#publish({ topic: GUESTS_TOPIC, value })
    } catch {
      // Too much waits to be sent: the next round says it again.
    }
  }

  #endRounds(): void {
    clearInterval(this.#roundTimer)
    this.#roundTimer = undefined
  }
}
