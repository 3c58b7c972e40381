import { preset } from '#preset'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'
import { checkKnown } from '@gossipgrid/core'
import type { Known, PeerId } from '@gossipgrid/core'
import { checkAddress, checkJoin, onLoopback } from './address-checks.ts'
import type { Channel } from './channel.ts'
import { forgiveAborts } from './ending.ts'
import { PeerNetwork } from './peer-network.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import type { Certificate, IceServer } from './servers-outside.ts'

/** Options of `libp2pNetwork`, and of a network of your own. */
export interface Libp2pNetworkOptions {
  /** Where the peers of the grid meet; make them with `deriveChannel`. Peers of any of these channels become neighbours. */
  readonly channels: readonly Channel[]
  /** An Ed25519 key as libp2p encodes it (protobuf), from `exportPrivateKey`. Default: a new key. */
  readonly privateKey?: Uint8Array
  /** Multiaddrs to listen on. Default: TCP and WebSockets on any free port of all interfaces; in a browser, relays. */
  readonly listen?: readonly string[]
  /** Multiaddrs of peers to join by. This peer dials them until they answer, and again whenever the connection is lost. */
  readonly join?: readonly string[]
  /** Whether to look for peers of the same grid on the local network. Default: true. */
  readonly mdns?: boolean
  /** Dials only peers on this machine. Default: false. */
  readonly local?: boolean
  /** Addresses to announce instead of those listened on, for a peer behind a name or a proxy. */
  readonly announce?: readonly string[]
  /** For listening on `/tls/ws`, which tabs of https pages need. */
  readonly tls?: Certificate
  /** STUN and TURN servers, which help tabs to connect through routers. Default: none. */
  readonly iceServers?: readonly IceServer[]
  /** The largest message of a stream, in bytes. Default: 4 MiB. Use the same limit on every peer. */
  readonly messageSizeMaxBytes?: number
  /** The largest broadcast, in bytes. Default: 1 MiB. Use the same limit on every peer. */
  readonly broadcastSizeMaxBytes?: number
  /** How many neighbours to look for. Default: 32, in a browser 6. Twice as many may connect. */
  readonly neighboursMax?: number
  /** Whether a peer may connect. Default: every peer that speaks the protocol. */
  readonly accept?: (peerId: PeerId) => boolean
  /** Gets a line when a neighbour connects too often or its gossip fails. Hostile neighbours are reported by `NetworkEvents`. */
  readonly logger?: (line: string) => void
  /** How long a connected neighbour's gossip may fail before this peer redials it, in milliseconds. Default: 10,000. */
  readonly deafAfterMs?: number
  /** How long one message may take from its first to its last byte, in milliseconds. Default: 60,000. */
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
 * The network of a server peer (Node, Deno or Bun). In a bundle for browsers, that of a tab. Rejects with `INVALID_OPTION` for an
 * option that does not exist, and with `NETWORK_BAD_ADDRESS` for an address in the options that is no multiaddr, or if none of `join` can
 * be dialled in this environment. `start` opens it.
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
  const join = options.join ?? []
  for (const address of [...listen, ...join, ...(options.announce ?? [])]) checkAddress(address)
  checkJoin(join, preset)
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
      join,
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
      forgiveAborts(node)
      return { node, broadcasting: preset.broadcasting(node, hooks.gossip) }
    },
  )
}
