import { generateKeyPair, privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'
import type { PeerId } from '@gossipgrid/core'
import { parseAddress, startError, withPeerId } from '../addresses.ts'
import { Departed } from '../departed.ts'
import { letDenoExit } from '../deno-exit.ts'
import { DialWindow } from '../dial-window.ts'
import { forgiveAborts, stopNode } from '../ending.ts'
import { serverTransports } from '../server-transports.ts'
import type { Certificate } from '../servers-outside.ts'
import { OpenSockets } from '../socket-ends.ts'
import { Newcomers } from '../strangers/newcomers.ts'
import type { GuestChannel } from './guest-channel.ts'
import { GUEST_MESSAGE_MAX_BYTES, guestProtocol } from './guest-protocol.ts'
import { GuestStream } from './guest-stream.ts'

/** Connections of newcomers, beside those of guests. */
const NEWCOMERS_MAX = 200

/** Options of `listenForGuests`. */
export interface GuestListenerOptions {
  readonly gridName: string
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  readonly announce?: readonly string[] | undefined
  readonly tls?: Certificate | undefined
  /** An Ed25519 key as libp2p encodes it (protobuf). Default: a new key. */
  readonly privateKey?: Uint8Array | undefined
  readonly guestsMax: number
  /** A peer has connected, and may be anyone. */
  readonly onConnection: (stream: GuestChannel) => void
}

/** Where guests reach a member. */
export interface GuestListener {
  readonly peerId: PeerId
  /** Addresses for guests to join by, each ending in the peer id. */
  addresses(): string[]
  stop(): Promise<void>
}

/**
 * Listens for guests: a libp2p node of its own with one protocol, so that a guest never touches the network of the grid. Rejects with
 * `NETWORK_PORT_TAKEN`, `NETWORK_BAD_ADDRESS`, `NETWORK_START_FAILED`.
 */
export async function listenForGuests(options: GuestListenerOptions): Promise<GuestListener> {
  const { gridName, listen, announce = [], tls, guestsMax, onConnection } = options
  for (const address of [...listen, ...announce]) parseAddress(address)
  const privateKey =
    options.privateKey === undefined ? await generateKeyPair('Ed25519') : privateKeyFromProtobuf(options.privateKey)
  const newcomers = new Newcomers()
  const sockets = new OpenSockets()
  const traffic = { sentBytes: 0, receivedBytes: 0 }
  const node = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen], announce: [...announce] },
    ...serverTransports({ traffic, newcomers, dialWindow: new DialWindow(), sockets, tls }),
    connectionGater: { denyDialMultiaddr: () => true },
    connectionManager: {
      maxConnections: guestsMax + NEWCOMERS_MAX,
      inboundConnectionThreshold: 1000,
      maxIncomingPendingConnections: NEWCOMERS_MAX,
      inboundUpgradeTimeout: 15_000,
    },
    // Each guest gives signs on its stream, see `GuestStream`.
    connectionMonitor: { enabled: false },
  })
  await letDenoExit(node)
  new Departed(node)
  forgiveAborts(node)
  await node.handle(
    await guestProtocol(gridName),
    (stream, connection) =>
      onConnection(
        new GuestStream(connection, stream, GUEST_MESSAGE_MAX_BYTES, {
          side: 'member',
          trusted: () => newcomers.proven(connection),
        }),
      ),
    { maxInboundStreams: 1, maxOutboundStreams: 1 },
  )
  try {
    await node.start()
  } catch (error) {
    await stopNode(node, sockets)
    throw startError(error)
  }
  return {
    peerId: node.peerId.toString(),
    addresses: () => withPeerId(node.getMultiaddrs(), node.peerId.toString()),
    stop: () => stopNode(node, sockets),
  }
}
