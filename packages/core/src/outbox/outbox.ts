import type { Effect, PeerEvent } from './effects.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { Message } from '../wire/messages.ts'
import type { PeerId, StorageOperation } from '../ports.ts'

/** Gathers what a peer wants done until its step ends. Every class that sends, stores or reports something is handed it. */
export class Outbox {
  #effects: Effect[] = []

  /** To a neighbour, on its stream. */
  send(to: PeerId, message: Message): void {
    this.#effects.push({ type: 'send', to, bytes: encodeMessage(message) })
  }

  /** The same to several neighbours, each on its stream. */
  sendEach(to: readonly PeerId[], message: Message): void {
    if (to.length === 0) return
    const bytes = encodeMessage(message)
    for (const each of to) this.#effects.push({ type: 'send', to: each, bytes })
  }

  /** To every peer. */
  broadcast(message: Message): void {
    this.#effects.push({ type: 'broadcast', bytes: encodeMessage(message) })
  }

  /** To these neighbours, each on its stream of frames. */
  direct(to: readonly PeerId[], message: Message): void {
    this.#effects.push({ type: 'direct', to, bytes: encodeMessage(message) })
  }

  /** Tells the application. */
  event(event: PeerEvent): void {
    this.#effects.push({ type: 'event', event })
  }

  dial(peerId: PeerId, addresses: readonly string[]): void {
    this.#effects.push({ type: 'dial', peerId, addresses })
  }

  redial(neighbour: PeerId): void {
    this.#effects.push({ type: 'redial', neighbour })
  }

  /** Closes the connection to a neighbour and lets it connect again only after `refusedMs`. */
  refuse(neighbour: PeerId, refusedMs: number, reason: string): void {
    this.#effects.push({ type: 'refuse', neighbour, refusedMs, reason })
  }

  /** One atomic durable batch; `ticket` is named by the answer. */
  store(ticket: number, batch: readonly StorageOperation[]): void {
    this.#effects.push({ type: 'store', ticket, batch })
  }

  /** Takes out everything gathered so far, in order. */
  take(): Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}
