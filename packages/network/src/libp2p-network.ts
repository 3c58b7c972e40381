import { preset } from '#preset'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'
import { checkKnown } from '@gossipgrid/core'
import type { Known, PeerId } from '@gossipgrid/core'
import { onLoopback, parseAddress } from './addresses.ts'
import type { Channel } from './channel.ts'
import { PeerNetwork } from './peer-network.ts'
import type { Libp2pNetwork } from './peer-network.ts'
import type { Certificate, IceServer } from './preset.ts'

export interface Libp2pNetworkOptions {
  /** Where the peers of the grid meet, as `deriveChannel` makes it; further ones are met at as well. */
  readonly channels: readonly Channel[]
  /** An Ed25519 key as libp2p writes it (protobuf); default a new one, see `exportPrivateKey`. */
  readonly privateKey?: Uint8Array
  /** Multiaddrs to listen on; default TCP and WebSockets on any free port of all interfaces, in a browser at relays. */
  readonly listen?: readonly string[]
  /** Multiaddrs of peers to join by. They are dialled until one answers, and again whenever it is lost. */
  readonly join?: readonly string[]
  /** Whether to look for peers of the same grid on the local network; default true. */
  readonly mdns?: boolean
  /** Dials only peers on this machine; default false. */
  readonly local?: boolean
  /** Addresses to tell others instead of those listened on, for a peer behind a name or a proxy. */
  readonly announce?: readonly string[]
  /** For listening on `/tls/ws`, which tabs of https pages need. */
  readonly tls?: Certificate
  /** Where tabs ask for a way through routers to each other; default nowhere. */
  readonly iceServers?: readonly IceServer[]
  /** The largest message of a stream, in bytes; default 4 MiB. The same for all peers of a grid. */
  readonly messageSizeMaxBytes?: number
  /** The largest broadcast, in bytes; default 1 MiB. The same for all peers of a grid. */
  readonly broadcastSizeMaxBytes?: number
  /** How many neighbours to look for; default 32, in a browser 6. Twice as many are let in. */
  readonly neighboursMax?: number
  /** Who may connect; default everyone who speaks the protocol. */
  readonly accept?: (peerId: PeerId) => boolean
  /** Told in plain words when a neighbour comes too often, or is found deaf; of hostile ones, `NetworkEvents` tells. */
  readonly logger?: (line: string) => void
  /** How long a connected neighbour's gossip may fail before it is redialled, in milliseconds; default 10,000. */
  readonly deafAfterMs?: number
  /** How long one message may take from its first to its last byte, in milliseconds; default 60,000. */
  readonly halfOpenMaxMs?: number
}

const OPTIONS: Known<Libp2pNetworkOptions> = {
  channels: true,
  privateKey: true,
  listen: true,
  join: true,
  mdns: true,
  local: true,
  announce: true,
  tls: true,
  iceServers: true,
  messageSizeMaxBytes: true,
  broadcastSizeMaxBytes: true,
  neighboursMax: true,
  accept: true,
  logger: true,
  deafAfterMs: true,
  halfOpenMaxMs: true,
}

/**
 * The network of a server peer (Node, Deno or Bun), or in a bundle for browsers that of a tab. Rejects with `INVALID_OPTION` for an
 * option that does not exist, and with `NETWORK_BAD_ADDRESS` for an address in the options that is no multiaddr. `start` opens it.
 *
 * @example
 * ```ts
 * const network = await libp2pNetwork({
 *   channels: [await deriveChannel('demo')],
 *   listen: ['/ip4/127.0.0.1/tcp/0'],
 * })
 * ```
 */
export async function libp2pNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  checkKnown(options, OPTIONS)
  const listen = options.listen ?? preset.listen
  for (const address of [...listen, ...(options.join ?? []), ...(options.announce ?? [])]) parseAddress(address)
  const privateKey =
    options.privateKey === undefined ? await generateKeyPair('Ed25519') : privateKeyFromProtobuf(options.privateKey)
  const {
    neighboursMax = preset.neighboursMax,
    mdns = true,
    iceServers = [],
    announce = [],
    tls,
    local = false,
  } = options
  return PeerNetwork.create(
    {
      channels: options.channels,
      privateKeyBytes: privateKeyToProtobuf(privateKey),
      broadcastSizeMaxBytes: options.broadcastSizeMaxBytes ?? 1024 * 1024,
      join: options.join ?? [],
      messageSizeMaxBytes: options.messageSizeMaxBytes ?? 4 * 1024 * 1024,
      neighboursMax,
      deafAfterMs: options.deafAfterMs ?? 10_000,
      halfOpenMaxMs: options.halfOpenMaxMs ?? 60_000,
      accept: options.accept ?? (() => true),
      log: options.logger ?? (() => undefined),
      usesRelays: preset.usesRelays,
      canDial: (address) => preset.dials(address) && (!local || onLoopback(address)),
    },
    async (hooks) => {
      const node = await createLibp2p(
        preset.options({ ...hooks, privateKey, listen, neighboursMax, mdns, iceServers, announce, tls }),
      )
      await preset.prepare?.(node)
      return node
    },
  )
}
