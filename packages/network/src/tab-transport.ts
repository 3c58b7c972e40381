import { TypedEventEmitter, serviceCapabilities, transportSymbol } from '@libp2p/interface'
import type { ComponentLogger, Listener, ListenerEvents, PeerId, PeerInfo, Transport } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { TabConnection } from './tab-connection.ts'

/** Where a peer listens for other tabs of its origin. */
export const TAB_LISTEN = '/memory/tabs'
/** A tab that is there answers at once. */
const ACCEPT_MAX_MS = 3000
/** How often a tab announces itself again: another tab may have been frozen when it opened. */
const GREETING_GAP_MS = 15_000

interface Components {
  readonly peerId: PeerId
  readonly logger: ComponentLogger
}

export interface TabTransportOptions {
  /** Where tabs of one grid meet: the topics of its channels. */
  readonly topics: readonly string[]
  readonly onFound: (found: PeerInfo) => void
}

/** What a tab sends to all other tabs. `hello` is answered with `here`, and `call` by opening the channel of the connection. */
type Greeting =
  | { readonly type: 'hello' | 'here'; readonly from: string }
  | { readonly type: 'call'; readonly from: string; readonly to: string; readonly id: string }

/**
 * Connects the tabs and workers of one origin in one browser profile, with no server and without a network, through
 * BroadcastChannels: one for each topic to meet on, and one for each connection. Nothing is encrypted: whatever runs on an
 * origin can read all that its tabs store.
 */
export function tabTransport(options: TabTransportOptions): (components: Components) => Transport {
  return (components) => new TabTransport(components, options)
}

class TabTransport implements Transport {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = 'gossipgrid-tabs'
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport']
  readonly #self: string
  readonly #logger: ComponentLogger
  readonly #options: TabTransportOptions
  /** The topic on which each tab was met. */
  readonly #met = new Map<string, string>()

  constructor({ peerId, logger }: Components, options: TabTransportOptions) {
    this.#self = peerId.toString()
    this.#logger = logger
    this.#options = options
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter((address) => address.toString().startsWith('/memory/'))
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addresses)
  }

  dial: Transport['dial'] = async (address, { upgrader, signal }) => {
    const remotePeer = peerIdFromString(nameIn(address))
    const to = remotePeer.toString()
    const topic = this.#met.get(to) ?? this.#options.topics[0]!
    const id = crypto.randomUUID()
    const connection = this.#connect(topic, id, to, 'outbound')
    try {
      const accepted = connection.accepted(AbortSignal.any([signal, AbortSignal.timeout(ACCEPT_MAX_MS)]))
      post(topic, { type: 'call', from: this.#self, to, id })
      await accepted
      return await upgrader.upgradeOutbound(connection, {
        skipEncryption: true,
        skipProtection: true,
        remotePeer,
        signal,
      })
    } catch (error) {
      connection.abort(error as Error)
      throw error
    }
  }

  createListener: Transport['createListener'] = ({ upgrader }) => {
    const ended = new AbortController()
    const channels: BroadcastChannel[] = []
    const take = async (topic: string, { from, id }: Extract<Greeting, { type: 'call' }>): Promise<void> => {
      const connection = this.#connect(topic, id, from, 'inbound')
      connection.accept()
      try {
        const remotePeer = peerIdFromString(from)
        const { signal } = ended
        await upgrader.upgradeInbound(connection, { skipEncryption: true, skipProtection: true, remotePeer, signal })
      } catch (error) {
        connection.abort(error as Error)
      }
    }
    const onGreeting = (topic: string, channel: BroadcastChannel, greeting: Greeting): void => {
      if (greeting.type === 'call') {
        if (greeting.to === this.#self) void take(topic, greeting)
        return
      }
      if (greeting.type === 'hello') channel.postMessage({ type: 'here', from: this.#self } satisfies Greeting)
      this.#found(topic, greeting.from)
    }
    const greet = (type: 'hello' | 'here'): void => {
      for (const channel of channels) channel.postMessage({ type, from: this.#self } satisfies Greeting)
    }
    let timer: ReturnType<typeof setInterval> | undefined
    const events = new TypedEventEmitter<ListenerEvents>()
    const listener: Omit<Listener, keyof typeof events> = {
      listen: async () => {
        for (const topic of this.#options.topics) {
          const channel = new BroadcastChannel(topic)
          channel.onmessage = ({ data }: MessageEvent<Greeting>) => onGreeting(topic, channel, data)
          channels.push(channel)
        }
        greet('hello')
        timer = setInterval(() => greet('here'), GREETING_GAP_MS)
        queueMicrotask(() => events.safeDispatchEvent('listening'))
      },
      // Only tabs of this origin can use the address, so it is not announced.
      getAddrs: () => [],
      updateAnnounceAddrs: () => undefined,
      close: async () => {
        clearInterval(timer)
        ended.abort()
        for (const channel of channels) channel.close()
        events.safeDispatchEvent('close')
      },
    }
    return Object.assign(events, listener)
  }

  #found(topic: string, peerId: string): void {
    this.#met.set(peerId, topic)
    this.#options.onFound({ id: peerIdFromString(peerId), multiaddrs: [multiaddr(addressOf(peerId))] })
  }

  #connect(topic: string, id: string, peerId: string, direction: 'inbound' | 'outbound'): TabConnection {
    return new TabConnection({
      channel: new BroadcastChannel(`${topic}/${id}`),
      remoteAddr: multiaddr(addressOf(peerId)),
      direction,
      log: this.#logger.forComponent('gossipgrid:tabs'),
    })
  }
}

function addressOf(peerId: string): string {
  return `/memory/${peerId}/p2p/${peerId}`
}

function nameIn(address: Multiaddr): string {
  return address.getComponents().find(({ name }) => name === 'memory')!.value!
}

/** Sends a greeting to all other tabs without listening to them. */
function post(topic: string, greeting: Greeting): void {
  const channel = new BroadcastChannel(topic)
  channel.postMessage(greeting)
  channel.close()
}
