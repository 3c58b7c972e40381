import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { GridError, checkKnown, shown } from '@gossipgrid/core'
import type { Known, PeerId } from '@gossipgrid/core'
import { parseAddress, startError } from './addresses.ts'
import { DialWindow } from './dial-window.ts'
import { letDenoExit } from './deno-exit.ts'
import { forgiveAborts, stopNode } from './ending.ts'
import { Departed } from './departed.ts'
import { meetingService } from './meeting.ts'
import { RELAY_CONNECTIONS_MAX, relayService } from './relay-service.ts'
import { serverTransports } from './server-transports.ts'
import type { Certificate } from './servers-outside.ts'
import { OpenSockets } from './socket-ends.ts'
import { Newcomers } from './strangers/newcomers.ts'

/** Options of `openRelay`. */
export interface RelayOptions {
  /** Multiaddrs to listen on; default WebSockets on any free port of all interfaces. */
  readonly listen?: readonly string[]
  /** Addresses to announce instead, such as `/dns4/relay.example.org/tcp/443/tls/ws`. */
  readonly announce?: readonly string[]
  /** For `/tls/ws` addresses. */
  readonly tls?: Certificate
  /** The key that makes the relay's identity, and so its address, as `exportPrivateKey` gave it; default a new one. */
  readonly privateKey?: Uint8Array
}

const OPTIONS: Known<RelayOptions> = { listen: true, announce: true, tls: true, privateKey: true }

/** A relay that runs. From `openRelay`. */
export interface Relay {
  /** The id of the relay, the last part of its addresses. */
  readonly peerId: PeerId
  /** What tabs join by. */
  addresses(): string[]
  /** Secret; to be kept for the next time. */
  exportPrivateKey(): Uint8Array
  /** How many peers use it. */
  counts(): { readonly connections: number }
  /** Closes all connections and listeners. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens a relay: no peer of any grid, but a place where browser tabs find each other and agree on direct connections. It
 * stores nothing, sees no data, and any number of them can stand side by side: tabs join by several.
 *
 * Rejects with `INVALID_OPTION`, `NETWORK_PORT_TAKEN`, `NETWORK_BAD_ADDRESS`, `NETWORK_START_FAILED`.
 *
 * @example
 * ```ts
 * const relay = await openRelay({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
 * console.log(relay.addresses()) // for `join` of tabs
 * await relay.close()
 * ```
 */
export async function openRelay(options: RelayOptions = {}): Promise<Relay> {
  checkKnown(options, OPTIONS)
  const listen = options.listen ?? ['/ip4/0.0.0.0/tcp/0/ws']
  const announce = options.announce ?? []
  checkTexts('listen', listen)
  checkTexts('announce', announce)
  for (const address of [...listen, ...announce]) parseAddress(address)
  const privateKey =
    options.privateKey === undefined ? await generateKeyPair('Ed25519') : privateKeyFromProtobuf(options.privateKey)
  const traffic = { sentBytes: 0, receivedBytes: 0 }
  const newcomers = new Newcomers()
  const sockets = new OpenSockets()
  const node = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen], announce: [...announce] },
    ...serverTransports({ traffic, newcomers, dialWindow: new DialWindow(), sockets, tls: options.tls }),
    connectionGater: { denyDialMultiaddr: () => true },
    connectionManager: {
      maxConnections: RELAY_CONNECTIONS_MAX,
      inboundConnectionThreshold: 200,
      maxIncomingPendingConnections: 100,
    },
    // Finds connections that broke without notice. A busy machine may stall for seconds, which is no failure.
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 10_000 } },
    services: {
      identify: identify(),
      ping: ping(),
      relay: relayService(),
      // No peer of any grid shows a proof to a relay. One that asks for others is what a relay is there for.
      meeting: meetingService((connection) => newcomers.proven(connection)),
    },
  })
  await letDenoExit(node)
  new Departed(node)
  forgiveAborts(node)
  try {
    await node.start()
  } catch (error) {
    throw startError(error)
  }
  return {
    peerId: node.peerId.toString(),
    addresses: () => node.getMultiaddrs().map(String),
    exportPrivateKey: () => privateKeyToProtobuf(privateKey),
    counts: () => ({ connections: node.getConnections().length }),
    close: () => stopNode(node, sockets),
  }
}

function checkTexts(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new GridError('INVALID_OPTION', `${name} is an array of text, not ${shown(value)}`)
  const wrong = value.findIndex((each) => typeof each !== 'string')
  if (wrong >= 0) throw new GridError('INVALID_OPTION', `${name}[${wrong}] is text, not ${shown(value[wrong])}`)
}
