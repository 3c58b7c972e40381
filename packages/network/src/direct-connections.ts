import { start, stop } from '@libp2p/interface'
import type { Startable, Transport } from '@libp2p/interface'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { directTransports } from './direct-transports.ts'
import { delay } from './ending.ts'
import type { Newcomers } from './strangers/newcomers.ts'

/** The wait before code that could not be loaded is requested again. */
const LOAD_AGAIN_MS = 5000

type Components = Parameters<typeof directTransports>[0] & {
  readonly addressManager: AddressManager
  readonly transportManager: TransportManager
}

/**
 * Direct connections between tabs. Their code is loaded once the peer has started: a tab reaches its first server without it,
 * and by the time another tab is known, the code is usually there.
 */
export function directConnections(
  rtcConfiguration: RTCConfiguration,
  newcomers: Newcomers,
): (components: Components) => Startable {
  return (components) => new DirectConnections(components, rtcConfiguration, newcomers)
}

class DirectConnections implements Startable {
  readonly #components: Components
  readonly #rtcConfiguration: RTCConfiguration
  readonly #newcomers: Newcomers
  #transports: readonly Transport[] = []
  #stopped = true

  constructor(components: Components, rtcConfiguration: RTCConfiguration, newcomers: Newcomers) {
    this.#components = components
    this.#rtcConfiguration = rtcConfiguration
    this.#newcomers = newcomers
  }

  start(): void {
    this.#stopped = false
  }

  /** Does not wait: the peer is open without direct connections. */
  afterStart(): void {
    void this.#add()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await stop(...this.#transports)
  }

  async #add(): Promise<void> {
    const { addressManager, transportManager } = this.#components
    const transports = await this.#load()
    if (this.#stopped || transports === undefined) return
    this.#transports = transports(this.#components, this.#rtcConfiguration, this.#newcomers)
    await start(...this.#transports)
    for (const transport of this.#transports) transportManager.add(transport)
    const listen = addressManager
      .getListenAddrs()
      .filter((address) => /\/(p2p-circuit|webrtc)/.test(address.toString()))
    if (!this.#stopped) await transportManager.listen(listen).catch(() => undefined)
  }

  async #load(): Promise<typeof directTransports | undefined> {
    while (!this.#stopped) {
      try {
        return (await import('./direct-transports.ts')).directTransports
      } catch {
        await delay(LOAD_AGAIN_MS)
      }
    }
    return undefined
  }
}
