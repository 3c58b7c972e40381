import { GridError } from '@gossipgrid/core'
import * as protocol from 'y-protocols/awareness'
import type { Awareness } from 'y-protocols/awareness'
import type { Logger } from '../../logger.ts'

/** The local state is published at most this often. */
const GAP_MS = 50
/** When the local state is published again after a peer has come: gossip with it may begin a second later. */
const REPEATS_MS = [1000, 4000]
/** Limit for a state, as JSON. */
const STATE_MAX_LENGTH = 16 * 1024
/** Before the subject of a guest, where the id of a peer would be. */
const GUEST = '@'
/** Limits for the client ids of one peer in one document, and of all peers. */
const CLIENTS_EACH_MAX = 16
const CLIENTS_MAX = 1000

/** Published to other peers: the state of a client in a document. Without `client`: a question, which all peers answer. */
export interface AwarenessMessage {
  readonly document: string
  readonly client?: number
  readonly clock?: number
  /** JSON. */
  readonly state?: string
  /** Of a guest: the number by which its client id was drawn. */
  readonly nonce?: number
}

/** The highest clock that this peer has published. Later states must have a higher one. */
export interface AwarenessClock {
  highest: number
}

export interface DocumentAwarenessDeps {
  readonly document: string
  readonly awareness: Awareness
  readonly clock: AwarenessClock
  readonly logger: Logger
  publish(message: AwarenessMessage): void
}

/** By Awareness: its document. It belongs to one document at a time, since it has one client id. */
const inUse = new WeakMap<Awareness, DocumentAwareness>()

/** Throws `DOCUMENT_AWARENESS` if the Awareness belongs to an open document. */
export function checkUnused(awareness: Awareness): void {
  const document = inUse.get(awareness)?.document
  if (document === undefined) return
  throw new GridError('DOCUMENT_AWARENESS', `the Awareness belongs to '${document}', which is open: make another one`)
}

/** Changes an Awareness, and logs an error of the application's listeners. */
export function changeAwareness(document: string, logger: Logger, change: () => void): void {
  try {
    change()
  } catch (error) {
    logger.error(`a listener of the awareness of '${document}' threw: ${String(error)}`, { document, error })
  }
}

/** Synchronizes an Awareness of y-protocols with all peers that have the document open, by messages that are not stored. */
export class DocumentAwareness {
  readonly awareness: Awareness
  readonly document: string
  readonly #clock: AwarenessClock
  readonly #logger: Logger
  readonly #publish: (message: AwarenessMessage) => void
  /** The peer or the guest of each client id: the first one that used it. */
  readonly #peers = new Map<number, string>()
  /** Client ids whose states are gone, oldest first: a late message must not bring one back. */
  readonly #gone = new Set<number>()
  readonly #repeats = new Set<ReturnType<typeof setTimeout>>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #publishedAtMs = -Infinity
  #ended = false
  #warned = false

  constructor({ document, awareness, clock, logger, publish }: DocumentAwarenessDeps) {
    checkUnused(awareness)
    inUse.set(awareness, this)
    this.awareness = awareness
    this.document = document
    this.#clock = clock
    this.#logger = logger
    this.#publish = publish
    awareness.on('update', this.#changed)
    awareness.on('destroy', this.#destroyed)
    this.introduce()
  }

  /** True after it was closed, or its Awareness was destroyed. */
  get ended(): boolean {
    return this.#ended
  }

  /** Publishes the local state, and asks other peers for theirs. */
  introduce(): void {
    if (this.#ended) return
    this.#publish({ document: this.document })
    this.#renew()
    this.#stopRepeating()
    for (const ms of REPEATS_MS) {
      const repeat = setTimeout(() => {
        this.#repeats.delete(repeat)
        this.#publish({ document: this.document })
        this.#publishLater()
      }, ms)
      unref(repeat)
      this.#repeats.add(repeat)
    }
  }

  /** The guest of which a state is, as members say; undefined for a peer. */
  subjectOf(client: number): string | undefined {
    const from = this.#peers.get(client)
    return from?.startsWith(GUEST) === true ? from.slice(GUEST.length) : undefined
  }

  /** Takes a message of another peer, or of a guest. */
  receive(peerId: string, { client, clock, state }: AwarenessMessage, subject?: string): void {
    if (this.#ended) return
    // Members vouch for subjects, and a guest may go on at another member.
    const from = subject === undefined ? peerId : GUEST + subject
    if (client === undefined) {
      this.#publishLater()
      return
    }
    const { awareness } = this
    const isSound = Number.isSafeInteger(client) && Number.isSafeInteger(clock) && typeof state === 'string'
    if (!isSound || client === awareness.clientID || state.length > STATE_MAX_LENGTH) return
    if ((this.#peers.get(client) ?? from) !== from) return
    if (!this.#peers.has(client) && !this.#hasRoom(from)) return
    const update = encodeState(client, clock!, state)
    if (update === undefined) return
    if (state !== 'null') this.#expect(client, from)
    this.#change(() => protocol.applyAwarenessUpdate(awareness, update, this))
    if (!awareness.states.has(client)) this.#forget(client)
  }

  /** Removes the states of a peer that has gone. */
  memberGone(peerId: string): void {
    const clients = [...this.#peers].filter(([, peer]) => peer === peerId).map(([client]) => client)
    this.#remove(clients)
  }

  /**
   * Tells other peers that the local user has left, and removes their states. Keeps the local state: it is published again when
   * the document is opened with the same Awareness.
   */
  close(): void {
    if (this.#ended) return
    this.sayGoodbye()
    this.#end()
    const clients = [...this.#peers.keys()]
    this.#remove(clients)
    for (const client of this.#gone) this.awareness.meta.delete(client)
  }

  /** Tells other peers at once that the local user has left, as when a page ends. */
  sayGoodbye(): void {
    if (this.#ended) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { clientID, meta, states } = this.awareness
    if (!states.has(clientID)) return
    const { clock } = meta.get(clientID)!
    this.#clock.highest = Math.max(this.#clock.highest, clock)
    this.#publish({ document: this.document, client: clientID, clock, state: 'null' })
  }

  #end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#stopRepeating()
    this.awareness.off('update', this.#changed)
    this.awareness.off('destroy', this.#destroyed)
    inUse.delete(this.awareness)
  }

  /** The Awareness was destroyed. It removes its state only after this event. */
  readonly #destroyed = (): void => {
    this.sayGoodbye()
    this.#end()
  }

  readonly #changed = (
    { added, updated, removed }: { added: number[]; updated: number[]; removed: number[] },
    origin: unknown,
  ): void => {
    if (origin === this) return
    // These timed out, by the rules of y-protocols.
    for (const client of removed) this.#forget(client)
    if ([...added, ...updated, ...removed].includes(this.awareness.clientID)) this.#publishLater()
  }

  /** Gives the local state a higher clock than any that other peers may know for this client id. */
  #renew(): void {
    const {
      awareness,
      awareness: { clientID, meta },
    } = this
    const clock = Math.max(meta.get(clientID)?.clock ?? 0, this.#clock.highest)
    meta.set(clientID, { clock, lastUpdated: Date.now() })
    const state = awareness.getLocalState()
    if (state !== null) this.#change(() => awareness.setLocalState(state))
  }

  /** Records the peer of a client id. If its state was gone, it may come back with any clock. */
  #expect(client: number, from: string): void {
    this.#peers.set(client, from)
    this.#gone.delete(client)
  }

  /** Remembers the clock of a state that is gone, for a limited number of states. */
  #forget(client: number): void {
    if (!this.#peers.delete(client)) return
    this.#gone.add(client)
    if (this.#gone.size <= CLIENTS_MAX) return
    const [oldest] = this.#gone
    this.#gone.delete(oldest!)
    this.awareness.meta.delete(oldest!)
  }

  /** Removes states whose peers may come back with the same clock. */
  #remove(clients: readonly number[]): void {
    const { awareness } = this
    for (const client of clients) this.#peers.delete(client)
    if (clients.length > 0) this.#change(() => protocol.removeAwarenessStates(awareness, [...clients], this))
    for (const client of clients) awareness.meta.delete(client)
  }

  #hasRoom(peerId: string): boolean {
    const each = [...this.#peers.values()].filter((peer) => peer === peerId).length
    return each < CLIENTS_EACH_MAX && this.#peers.size < CLIENTS_MAX
  }

  /** The local state as JSON. Undefined if it cannot be published. */
  #stateText(): string | undefined {
    let what = 'no JSON'
    try {
      const text = JSON.stringify(this.awareness.getLocalState())
      if (text.length <= STATE_MAX_LENGTH) return text
      what = `longer than ${STATE_MAX_LENGTH} characters`
    } catch {
      // It has a bigint, or refers to itself.
    }
    if (!this.#warned) this.#logger.warn(`the awareness state of '${this.document}' is ${what}: it is not published`)
    this.#warned = true
    return undefined
  }

  /** Changes the Awareness, and logs errors of listeners. */
  #change(change: () => void): void {
    changeAwareness(this.document, this.#logger, change)
  }

  #stopRepeating(): void {
    for (const repeat of this.#repeats) clearTimeout(repeat)
    this.#repeats.clear()
  }

  #publishLater(): void {
    if (this.#timer !== undefined || this.#ended) return
    const waitMs = this.#publishedAtMs + GAP_MS - performance.now()
    if (waitMs <= 0) this.#publishState()
    else this.#timer = setTimeout(() => this.#publishState(), waitMs)
  }

  #publishState(): void {
    this.#timer = undefined
    const { awareness } = this
    const client = awareness.clientID
    const clock = awareness.meta.get(client)?.clock
    const state = this.#stateText()
    if (clock === undefined || state === undefined) return
    this.#clock.highest = Math.max(this.#clock.highest, clock)
    this.#publishedAtMs = performance.now()
    this.#publish({ document: this.document, client, clock, state })
  }
}

/** Encodes one state for y-protocols. Undefined if it is no JSON, or nested too deep. */
function encodeState(client: number, clock: number, state: string): Uint8Array | undefined {
  try {
    const states = new Map([[client, JSON.parse(state) as Record<string, unknown>]])
    const sender = { meta: new Map([[client, { clock }]]) } as unknown as Awareness
    return protocol.encodeAwarenessUpdate(sender, [client], states)
  } catch {
    return undefined
  }
}

function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === 'object') timer.unref?.()
}
