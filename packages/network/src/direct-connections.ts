import { start, stop } from '@libp2p/interface'
import type { Startable, Transport } from '@libp2p/interface'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { directTransports } from './direct-transports.ts'
import { loadedCode } from './loaded-code.ts'
import type { Newcomers } from './strangers/newcomers.ts'

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
  log: (line: string) => void,
): (components: Components) => Startable {
  return (components) => new DirectConnections(components, rtcConfiguration, newcomers, log)
}

class DirectConnections implements Startable {
  readonly #components: Components
  readonly #rtcConfiguration: RTCConfiguration
  readonly #newcomers: Newcomers
  readonly #log: (line: string) => void
  #transports: readonly Transport[] = []
  #stopped = true

  constructor(
    components: Components,
    rtcConfiguration: RTCConfiguration,
    newcomers: Newcomers,
    log: (line: string) => void,
  ) {
    this.#components = components
    this.#rtcConfiguration = rtcConfiguration
    this.#newcomers = newcomers
    this.#log = log
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
    const code = await loadedCode({
      what: 'direct connections between tabs',
      load: () => import('./direct-transports.ts'),
      isStopped: () => this.#stopped,
      log: this.#log,
    })
    if (this.#stopped || code === undefined) return
    this.#transports = code.directTransports(this.#components, this.#rtcConfiguration, this.#newcomers)
    await start(...this.#transports)
    for (const transport of this.#transports) transportManager.add(transport)
    const listen = addressManager
      .getListenAddrs()
      .filter((address) => /\/(p2p-circuit|webrtc)/.test(address.toString()))
    if (!this.#stopped) await transportManager.listen(listen).catch(() => undefined)
  }
}
