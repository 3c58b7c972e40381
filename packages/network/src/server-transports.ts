import { getCiphers } from 'node:crypto'
import type { Server, Socket } from 'node:net'
import { FaultTolerance } from '@libp2p/interface'
import type { Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import type { noise } from '@libp2p/noise'
import { asCrypto, defaultCrypto } from '@libp2p/noise/crypto'
import { tcp } from '@libp2p/tcp'
import type { Libp2pOptions } from 'libp2p'
import { endsWithOtherSide } from './socket-ends.ts'
import type { OpenSockets } from './socket-ends.ts'
import { quickNoise } from './quick-noise.ts'
import { quietYamux } from './quiet-yamux.ts'
import { guarded } from './strangers/guarded-transport.ts'
import { timed } from './timed-transport.ts'
import { counted } from './traffic.ts'
import type { TransportsInput } from './transports-input.ts'
import { webSocketTransport } from './web-socket/transport.ts'

/** Reaching one address of a peer may take this long; what follows has the time of the whole dial. */
const CONNECT_MAX_MS = 3000

/** The transports of a server: TCP and WebSockets, with noise and yamux. With a certificate, WebSockets also run over TLS. */
export function serverTransports(input: TransportsInput): Libp2pOptions {
  const { traffic, newcomers, dialWindow, sockets, tls } = input
  return {
    transports: [sheltered(tcp(), sockets), webSocketTransport(tls, sockets)].map((transport) =>
      guarded(counted(timed(transport, dialWindow, CONNECT_MAX_MS), traffic), newcomers),
    ),
    transportManager: { faultTolerance: FaultTolerance.FATAL_ALL },
    connectionEncrypters: [quickNoise(noiseOptions())],
    streamMuxers: [quietYamux()],
  }
}

/** A part of libp2p's TCP listener that its public type hides. */
interface TcpListener extends Listener {
  readonly server: Server
}

/** The same of its connections. */
interface TcpConnection extends MultiaddrConnection {
  readonly socket: Socket
  sendData(bytes: Iterable<Uint8Array>): unknown
}

/**
 * libp2p's TCP listener throws in an event handler if a socket comes before it listens or while it closes, and that would end
 * the process. So would a dial that is aborted on Bun: the socket itself gets the signal too, and fails after its error
 * listener is gone. Also, a socket has no error listener until its connection is made. Whichever side has dialled, a socket
 * goes on waiting for an other side that has ended it and never reads what is queued. And each piece of a message would be a
 * call of the operating system.
 */
export function sheltered<C>(
  factory: (components: C) => Transport,
  sockets: Pick<OpenSockets, 'add'>,
): (components: C) => Transport {
  return (components) => {
    const transport = factory(components)
    const dial = transport.dial.bind(transport)
    transport.dial = (address, options) => {
      const upgrader: Upgrader = Object.create(options.upgrader)
      upgrader.upgradeOutbound = ((connection: TcpConnection, upgrade: never) => {
        sockets.add(connection.socket)
        endsWithOtherSide(connection.socket)
        sendInOnePiece(connection)
        return options.upgrader.upgradeOutbound(connection, upgrade)
      }) as Upgrader['upgradeOutbound']
      return dial(address, Object.defineProperty({ ...options, upgrader }, 'signal', { enumerable: false }))
    }
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const upgrader: Upgrader = Object.create(options.upgrader)
      upgrader.upgradeInbound = (connection, upgrade) => {
        sendInOnePiece(connection as TcpConnection)
        return options.upgrader.upgradeInbound(connection, upgrade)
      }
      const listener = createListener({ ...options, upgrader }) as TcpListener
      const [onSocket] = listener.server.listeners('connection') as ((socket: Socket) => void)[]
      listener.server.removeAllListeners('connection')
      listener.server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.on('error', () => undefined)
        endsWithOtherSide(socket)
        try {
          onSocket?.(socket)
        } catch {
          socket.destroy()
        }
      })
      return listener
    }
    return transport
  }
}

/** Noise sends the length of a frame and the frame as two pieces, which are two calls of the operating system without this. */
function sendInOnePiece(connection: TcpConnection): void {
  const { socket } = connection
  const sendData = connection.sendData.bind(connection)
  connection.sendData = (bytes) => {
    socket.cork()
    try {
      return sendData(bytes)
    } finally {
      socket.uncork()
    }
  }
}

/** Bun has no chacha20-poly1305 of its own, and noise then fails on frames of 1,200 bytes and more. */
export function noiseOptions(): Parameters<typeof noise>[0] {
  if (getCiphers().includes('chacha20-poly1305')) return {}
  const { chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } = asCrypto
  return { crypto: { ...defaultCrypto, chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } }
}
