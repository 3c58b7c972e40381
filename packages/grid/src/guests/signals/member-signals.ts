import type { TopicMessage } from '@gossipgrid/core'
import { GUESTS_TOPIC } from '../../signals/grid-signals.ts'
import type { GridSignals, SignalsTap } from '../../signals/grid-signals.ts'
import type { GridPresence } from '../../signals/grid-presence.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { GuestStates } from './guest-states.ts'

/** A guest that is to hear of messages and of presence. */
interface Listener {
  onMessage(from: string, message: TopicMessage): void
  onPresence(peerId: string): void
}

/** The topics and the presence of a member, for its guests. */
export class MemberSignals implements SignalsTap {
  readonly present: GridPresence<unknown>
  readonly states: GuestStates
  readonly #sessions = new Set<Listener>()

  readonly #signals: GridSignals
  readonly #pump: Pump

  constructor(signals: GridSignals, pump: Pump) {
    this.#signals = signals
    this.#pump = pump
    this.present = signals.presence
    this.states = new GuestStates((message) => this.publish(message))
    signals.tap = this
  }

  /** Publishes a message of a guest, or about guests. Throws `BACKLOG_FULL`. */
  publish(message: TopicMessage): void {
    this.#pump.peer.signals.topics.publish(message)
    this.#pump.tickSoon()
  }

  add(session: Listener): void {
    this.#sessions.add(session)
  }

  remove(session: Listener): void {
    this.#sessions.delete(session)
  }

  message(from: string, message: TopicMessage): void {
    if (message.topic === GUESTS_TOPIC) return
    for (const session of this.#sessions) session.onMessage(from, message)
  }

  presence(peerId: string): void {
    for (const session of this.#sessions) session.onPresence(peerId)
  }

  close(): void {
    this.#signals.tap = undefined
    this.states.close()
  }
}
