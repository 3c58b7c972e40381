import { connect, createServer, isIP } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { AbortError, TypedEventEmitter, serviceCapabilities, setMaxListeners, transportSymbol } from '@libp2p/interface'
import type {
  ComponentLogger,
  CreateListenerOptions,
  Listener,
  ListenerEvents,
  Logger,
  Transport,
} from '@libp2p/interface'
import { getNetConfig, getThinWaistAddresses, ipPortToMultiaddr } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import type { Certificate } from '../servers-outside.ts'
import type { OpenSockets } from '../socket-ends.ts'
import { WebSocketConnection } from './connection.ts'
import { HeadReader, requestTo } from './handshake.ts'

/** How long a TLS handshake may take. */
const TLS_HANDSHAKE_MAX_MS = 10_000
/** How many TLS handshakes may run at once. The oldest is dropped for one more. */
const TLS_HANDSHAKES_MAX = 64
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true } as const

interface Components {
  readonly logger: ComponentLogger
}

/**
 * WebSockets on server runtimes, directly on their sockets. Node, Deno and Bun each have their own HTTP server and WebSocket, with
 * different limits and failures. Here the work and memory for every byte of a stranger are bounded, and every socket has an
 * `error` listener from the start.
 */
export function webSocketTransport(
  tls: Certificate | undefined,
  sockets: Pick<OpenSockets, 'add'>,
): (components: Components) => Transport {
  return ({ logger }) => new WebSocketTransport(logger.forComponent('gossipgrid:websocket'), tls, sockets)
}

class WebSocketTransport implements Transport {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = 'gossipgrid-websocket'
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport']
  readonly #log: Logger
  readonly #tls: Certificate | undefined
  readonly #nodeSockets: Pick<OpenSockets, 'add'>

  constructor(log: Logger, tls: Certificate | undefined, sockets: Pick<OpenSockets, 'add'>) {
    this.#log = log
    this.#tls = tls
    this.#nodeSockets = sockets
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter((address) => WebSockets.exactMatch(address) || WebSocketsSecure.exactMatch(address))
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addresses)
  }

  dial: Transport['dial'] = async (address, options) => {
    const { socket, rest } = await open(address, options.signal, this.#nodeSockets)
    const connection = new WebSocketConnection({
      socket,
      rest,
      remoteAddr: address,
      direction: 'outbound',
      log: this.#log,
    })
    try {
      return await options.upgrader.upgradeOutbound(connection, options)
    } catch (error) {
      connection.abort(error as Error)
      throw error
    }
  }

  createListener(options: CreateListenerOptions): Listener {
    return new WebSocketListener(options, this.#log, this.#tls, this.#nodeSockets)
  }
}

class WebSocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #options: CreateListenerOptions
  readonly #log: Logger
  readonly #tls: Certificate | undefined
  readonly #nodeSockets: Pick<OpenSockets, 'add'>
  readonly #sockets = new Set<Socket>()
  /** Sockets whose TLS handshake runs, by address and port, the oldest first. */
  readonly #shaking = new Map<string, Socket>()
  readonly #closed = new AbortController()
  #server: Server | undefined
  #address: Multiaddr | undefined

  constructor(
    options: CreateListenerOptions,
    log: Logger,
    tls: Certificate | undefined,
    sockets: Pick<OpenSockets, 'add'>,
  ) {
    super()
    this.#nodeSockets = sockets
    this.#options = options
    this.#log = log
    this.#tls = tls
    setMaxListeners(Infinity, this.#closed.signal)
  }

  async listen(address: Multiaddr): Promise<void> {
    const secure = WebSocketsSecure.exactMatch(address)
    const server = secure
      ? createTlsServer({ ...this.#tls, ...SOCKET_OPTIONS, handshakeTimeout: TLS_HANDSHAKE_MAX_MS })
      : createServer(SOCKET_OPTIONS)
    if (secure) {
      server.on('connection', (socket: Socket) => this.#shakeHands(socket))
      server.on('secureConnection', (socket: Socket) => this.#accept(socket))
      server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
    } else {
      server.on('connection', (socket: Socket) => this.#accept(socket))
    }
    const { host, port, type } = getNetConfig(address)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Stays for good: this event also reports that the process has no file descriptor for one more socket.
    server.on('error', reject)
    server.listen({ host, port: port ?? 0, ipv6Only: type === 'ip6' }, resolve)
    await promise
    this.#server = server
    this.#address = address
    this.safeDispatchEvent('listening')
  }

  getAddrs(): Multiaddr[] {
    const bound = this.#server?.address() as AddressInfo | null | undefined
    if (bound == null || this.#address === undefined) return []
    const suffix = WebSocketsSecure.exactMatch(this.#address) ? '/tls/ws' : '/ws'
    return getThinWaistAddresses(this.#address, bound.port).map((address) => address.encapsulate(suffix))
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) {
      const over = new Promise<void>((resolve) => server.close(() => resolve()))
      this.#closed.abort()
      for (const socket of this.#sockets) socket.destroy()
      await over
    }
    this.safeDispatchEvent('close')
  }

  /** Bounds TLS handshakes here: before their end there is no connection that `Newcomers` could bound. */
  #shakeHands(socket: Socket): void {
    this.#keep(socket)
    const ports = portsOf(socket)
    this.#shaking.set(ports, socket)
    const [oldest] = this.#shaking.values()
    if (this.#shaking.size > TLS_HANDSHAKES_MAX) oldest?.destroy()
    socket.once('close', () => this.#shaking.delete(ports))
  }

  /** From here on an error of the socket ends nothing else. */
  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    this.#nodeSockets.add(socket)
    socket.on('error', (error) => this.#log('a socket failed: %s', error.message))
    socket.once('close', () => this.#sockets.delete(socket))
  }

  #accept(socket: Socket): void {
    this.#shaking.delete(portsOf(socket))
    this.#keep(socket)
    const { remoteAddress, remotePort } = socket
    let connection: WebSocketConnection
    try {
      const remoteAddr = ipPortToMultiaddr(remoteAddress ?? '', remotePort ?? 0).encapsulate('/ws')
      connection = new WebSocketConnection({
        socket,
        rest: undefined,
        remoteAddr,
        direction: 'inbound',
        log: this.#log,
      })
    } catch {
      // It has closed already, so it has no address.
      socket.destroy()
      return
    }
    this.#options.upgrader.upgradeInbound(connection, { signal: this.#closed.signal }).catch((error: Error) => {
      this.#log('a connection was not taken: %s', error.message)
      connection.abort(error)
    })
  }
}

/** The same text for a socket and for the TLS socket on it. */
function portsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}

/** Dials and opens a WebSocket. */
async function open(
  address: Multiaddr,
  signal: AbortSignal,
  sockets: Pick<OpenSockets, 'add'>,
): Promise<{ socket: Socket; rest: Uint8Array }> {
  signal.throwIfAborted()
  const secure = WebSocketsSecure.exactMatch(address)
  const { host, port = secure ? 443 : 80 } = getNetConfig(address)
  const name = address.getComponents().find((part) => part.name === 'sni')?.value ?? host
  const servername = isIP(name) === 0 ? { servername: name } : {}
  const socket = secure
    ? connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...servername })
    : connect({ host, port, ...SOCKET_OPTIONS })
  sockets.add(socket)
  const literal = isIP(name) === 6 ? `[${name}]` : name
  const { request, accepts } = requestTo(port === (secure ? 443 : 80) ? literal : `${literal}:${port}`)
  socket.once(secure ? 'secureConnect' : 'connect', () => socket.write(request))
  try {
    const { head, rest } = await readHead(socket, signal)
    if (!accepts(head)) throw new Error(`${address.toString()} answers, but opens no WebSocket`)
    return { socket, rest }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** Reads the first HTTP head on a socket. The socket keeps its error listener. */
async function readHead(socket: Socket, signal: AbortSignal): Promise<{ head: string; rest: Uint8Array }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ head: string; rest: Uint8Array }>()
  const reader = new HeadReader()
  const onData = (chunk: Buffer): void => {
    try {
      const read = reader.read(chunk)
      if (read === undefined) return
      // The next listener must get all bytes that follow.
      socket.pause()
      resolve(read)
    } catch (error) {
      reject(error as Error)
    }
  }
  const onClose = (): void => reject(new Error('it closed before a WebSocket was agreed on'))
  const onAbort = (): void => reject(new AbortError())
  socket.on('error', reject)
  socket.on('data', onData)
  socket.once('end', onClose)
  socket.once('close', onClose)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    socket.removeListener('data', onData)
    socket.removeListener('end', onClose)
    socket.removeListener('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
}
