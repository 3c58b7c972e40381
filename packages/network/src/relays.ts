import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { askForOthers } from './meeting.ts'

/** A relay is asked for others of the grid after the first wait, then after twice that, and so on up to the second. */
const ASK_GAP_MIN_MS = 1000
const ASK_GAP_MAX_MS = 20_000

export interface RelaysOptions {
  readonly self: PeerId
  readonly topics: readonly string[]
  /** A peer can be agreed with through a relay, at this address. */
  readonly onFound: (peerId: PeerId, address: string) => void
}

/** Relays that a tab is connected to: no peers of its grid, but places where it can be found and find others. */
export class Relays {
  readonly #options: RelaysOptions
  readonly #connections = new Map<PeerId, Connection>()

  constructor(options: RelaysOptions) {
    this.#options = options
  }

  has(peerId: PeerId): boolean {
    return this.#connections.get(peerId)?.status === 'open'
  }

  /** False where the other end is no relay. Else it is asked for others from now on, while the connection lasts. */
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
    const { self, topics, onFound } = this.#options
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
