import { sameContent } from '../maps/layout.ts'
import type { GridPresence, OtherState } from './grid-presence.ts'

/** The states of peers that do not say them themselves. */
export class OtherStates {
  readonly #presence: GridPresence<unknown>
  readonly #states = new Map<string, OtherState>()

  constructor(presence: GridPresence<unknown>) {
    this.#presence = presence
    presence.others = this.#states
  }

  /** The state of a peer; undefined: it has none. */
  put(peerId: string, state: OtherState | undefined): void {
    const before = this.#states.get(peerId)
    if (state === undefined) this.#states.delete(peerId)
    else this.#states.set(peerId, state)
    if (sameContent(before?.value, state?.value) && before?.subject === state?.subject) return
    this.#presence.report(peerId, state?.value, (state ?? before)?.subject)
  }

  /** Nothing is known of them any more. */
  clear(): void {
    for (const peerId of [...this.#states.keys()]) this.put(peerId, undefined)
  }
}
