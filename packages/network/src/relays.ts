import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { askForOthers } from './meeting.ts'

/** The wait before a relay is asked again for other tabs. It doubles each time. */
const ASK_GAP_MIN_MS = 1000
/** The longest wait between two questions to a relay. */
const ASK_GAP_MAX_MS = 20_000

export interface RelaysDeps {
  readonly self: PeerId
  readonly topics: readonly string[]
  /** A peer was found at a relay. A direct connection to it can be made by this address. */
  readonly onFound: (peerId: PeerId, address: string) => void
}

/** The relays that a tab is connected to. They are no peers of its grid; through them it finds others and is found. */
export class Relays {
  readonly #deps: RelaysDeps
  readonly #connections = new Map<PeerId, Connection>()

  constructor(deps: RelaysDeps) {
    this.#deps = deps
  }

  has(peerId: PeerId): boolean {
    return this.#connections.get(peerId)?.status === 'open'
  }

  /** False if the other end is no relay. A relay is asked for other tabs again and again while the connection lasts. */
  async take(connection: Connection): Promise<boolean> {
    const relay = connection.remotePeer.toString()
    if (this.has(relay)) return true
    if (!(await this.#ask(connection))) return false
    this.#connections.set(relay, connection)
    let timer: ReturnType<typeof setTimeout> | undefined
    const askAgain = (gapMs: number): void => {
      timer = setTimeout(() => {
        void this.#ask(connection)
        askAgain(Math.min(2 * gapMs, ASK_GAP_MAX_MS))
      }, gapMs)
    }
    askAgain(ASK_GAP_MIN_MS)
    connection.addEventListener('close', () => {
      clearTimeout(timer)
      if (this.#connections.get(relay) === connection) this.#connections.delete(relay)
    })
    return true
  }

  async #ask(connection: Connection): Promise<boolean> {
    const { self, topics, onFound } = this.#deps
    try {
      const others = await askForOthers(connection, topics)
      const relay = connection.remotePeer.toString()
      const address = connection.remoteAddr.toString().replace(/\/p2p\/[^/]+$/, '')
      for (const other of others) {
        if (other !== self) onFound(other, `${address}/p2p/${relay}/p2p-circuit/webrtc/p2p/${other}`)
      }
      return true
    } catch {
      return false
    }
  }
}
