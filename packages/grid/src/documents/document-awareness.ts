import * as protocol from 'y-protocols/awareness'
import type { Awareness } from 'y-protocols/awareness'

/** Changes of this peer's own leave at most this often, the latest alone. */
const GAP_MS = 50
/** What somebody may say of himself, as JSON. */
const STATE_MAX_LENGTH = 16 * 1024
/** Client ids of one peer in one document, and of all. */
const CLIENTS_EACH_MAX = 16
const CLIENTS_MAX = 1000

/** What peers tell each other of who is in a document. No `client`: a question, which all answer. */
export interface AwarenessMessage {
  readonly document: string
  readonly client?: number
  readonly clock?: number
  /** JSON. */
  readonly state?: string
}

export interface DocumentAwarenessParts {
  readonly document: string
  readonly awareness: Awareness
  publish(message: AwarenessMessage): void
}

/** Keeps an Awareness of y-protocols the same at all peers that have the document open, as messages that nobody keeps. */
export class DocumentAwareness {
  readonly awareness: Awareness
  readonly #document: string
  readonly #publish: (message: AwarenessMessage) => void
  /** Which peer a client id belongs to: the first to use it. */
  readonly #peers = new Map<number, string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #saidAtMs = -Infinity

  constructor({ document, awareness, publish }: DocumentAwarenessParts) {
    this.awareness = awareness
    this.#document = document
    this.#publish = publish
    awareness.on('update', this.#changed)
    this.introduce()
  }

  /** Says who is here, and asks who else is. */
  introduce(): void {
    this.#publish({ document: this.#document })
    this.#sayLater()
  }

  /** Takes what another peer has said. */
  heard(from: string, { client, clock, state }: AwarenessMessage): void {
    if (client === undefined) {
      this.#sayLater()
      return
    }
    const { awareness } = this
    const isSound = Number.isSafeInteger(client) && Number.isSafeInteger(clock) && typeof state === 'string'
    if (!isSound || client === awareness.clientID || state.length > STATE_MAX_LENGTH) return
    if ((this.#peers.get(client) ?? from) !== from) return
    if (!this.#peers.has(client) && !this.#hasRoom(from)) return
    try {
      const states = new Map([[client, JSON.parse(state) as Record<string, unknown>]])
      const said = { meta: new Map([[client, { clock }]]) } as unknown as Awareness
      protocol.applyAwarenessUpdate(awareness, protocol.encodeAwarenessUpdate(said, [client], states), this)
      if (awareness.states.has(client)) this.#peers.set(client, from)
      else this.#peers.delete(client)
    } catch {
      // No JSON, or nested too deep: nothing has changed.
    }
  }

  /** A peer is not there any more. */
  gone(peerId: string): void {
    const clients = [...this.#peers].filter(([, peer]) => peer === peerId).map(([client]) => client)
    for (const client of clients) this.#peers.delete(client)
    if (clients.length > 0) protocol.removeAwarenessStates(this.awareness, clients, this)
  }

  /** Says goodbye, and forgets the others. */
  close(): void {
    const { awareness } = this
    if (awareness.getLocalState() !== null) awareness.setLocalState(null)
    clearTimeout(this.#timer)
    if (this.#timer !== undefined) this.#say()
    awareness.off('update', this.#changed)
    protocol.removeAwarenessStates(
      awareness,
      [...awareness.states.keys()].filter((client) => client !== awareness.clientID),
      this,
    )
  }

  readonly #changed = (
    { added, updated, removed }: { added: number[]; updated: number[]; removed: number[] },
    origin: unknown,
  ): void => {
    if (origin === this || ![...added, ...updated, ...removed].includes(this.awareness.clientID)) return
    this.#sayLater()
  }

  #hasRoom(peerId: string): boolean {
    const each = [...this.#peers.values()].filter((peer) => peer === peerId).length
    return each < CLIENTS_EACH_MAX && this.#peers.size < CLIENTS_MAX
  }

  #sayLater(): void {
    if (this.#timer !== undefined) return
    const waitMs = this.#saidAtMs + GAP_MS - performance.now()
    if (waitMs <= 0) this.#say()
    else this.#timer = setTimeout(() => this.#say(), waitMs)
  }

  #say(): void {
    this.#timer = undefined
    const { awareness } = this
    const client = awareness.clientID
    const clock = awareness.meta.get(client)?.clock
    const state = JSON.stringify(awareness.states.get(client) ?? null)
    if (clock === undefined || state.length > STATE_MAX_LENGTH) return
    this.#saidAtMs = performance.now()
    this.#publish({ document: this.#document, client, clock, state })
  }
}
