import { GridError, VALUE_MAX_BYTES, checkKnown, checkName } from '@gossipgrid/core'
import type { Known, Network, Role, Storage } from '@gossipgrid/core'
import type { Certificate, IceServer, Libp2pNetwork, Libp2pNetworkOptions } from '@gossipgrid/network'
import { checkCount } from './batches/checks.ts'
import type { Logger } from './logger.ts'
import { checkOpen } from './lifecycle/reach.ts'
import { secretsOf } from './secrets.ts'
import { checkSignal } from './runtime/waiting.ts'
import type { GridTracer } from './runtime/safe-tracer.ts'

/** What `openGrid` can be told. Only the name is needed. */
export interface OpenGridOptions {
  /** Peers of one name on one network form one grid: 1 to 128 bytes of text. */
  readonly name: string
  /**
   * Makes the grid private: only peers with the same secret meet, and nobody else can read what they say. Take 32 random
   * bytes as text (`gossipgrid secret` prints some); the maximum is 1,024 characters. To change it, run every peer with
   * `[new, former]` for a while, which lets in both, and then with the new one alone. Left out: only programs on this
   * machine can join, unless the grid is `open`. A secret that is there and `undefined` is refused: it is most likely a
   * variable that was not set.
   */
  readonly secret?: string | readonly string[]
  /**
   * True lets anybody who knows the grid's name and reaches this peer read and change it: a grid without a secret that
   * other machines can join. Default false: without a secret, a peer listens on loopback addresses alone, and looks only
   * there for others; it can still join an open grid elsewhere by an address. A tab, which others cannot reach by an
   * address, needs no `open`.
   */
  readonly open?: boolean
  /**
   * Where to keep the data; made if need be. Left out: in memory, and no write is called durable. A browser keeps data in
   * IndexedDB anyway; there it tells apart several grids of one name on one site.
   */
  readonly directory?: string
  /**
   * In a browser: false keeps the data in memory; true asks the browser never to clear it, for which some ask the user.
   * Left out: kept, until the browser needs the room. Elsewhere `directory` decides.
   */
  readonly persist?: boolean
  /** Addresses of peers to join by, as `grid.addresses` gives them. They may come up later. */
  readonly join?: readonly string[]
  /**
   * Multiaddrs to listen on. Default: TCP and WebSockets on free ports of all interfaces, without a secret and `open` of the
   * loopback interface; a browser listens at relays.
   */
  readonly listen?: readonly string[]
  /** Addresses to tell other peers instead of those listened on, for a server behind a name or a proxy. */
  readonly announce?: readonly string[]
  /** A certificate for listening on `/tls/ws`: tabs of https pages connect to nothing else. */
  readonly tls?: Certificate
  /**
   * In a browser: servers by which tabs behind different routers find a way to each other (STUN, TURN), as WebRTC takes them.
   * Default none: tabs reach each other within one network only, and otherwise exchange through server peers.
   */
  readonly iceServers?: readonly IceServer[]
  /** Find peers on the local network. Default true. */
  readonly mdns?: boolean
  readonly logger?: Logger
  /** Gets spans of writes: an OpenTelemetry tracer, for example `trace.getTracer('gossipgrid')`. Default none. */
  readonly tracer?: GridTracer
  /** The largest encoded value that may be written here, in bytes. Default and maximum 1 MiB. */
  readonly valueSizeMaxBytes?: number
  readonly role?: Role
  /** Relative capacity, for placement. Default 1 for a peer with a directory, else 0. */
  readonly weight?: number
  /** Failure domain: copies are spread over zones where possible. */
  readonly zone?: string
  /** Gives up opening. */
  readonly signal?: AbortSignal
  /** A store of your own instead of the one chosen by the options above. The grid closes it. */
  readonly storage?: Storage
  /**
   * Makes the network, which the grid closes. It is given what the default, `libp2pNetwork`, is made of. An identity that
   * the network can export is kept in the store, and given back as `privateKey` the next time.
   */
  readonly network?: (options: Libp2pNetworkOptions) => Promise<OpenedNetwork>
}

/** A network, and the identity it can export if it has one. */
export type OpenedNetwork = Network & Partial<Pick<Libp2pNetwork, 'exportPrivateKey'>>

const OPTIONS: Known<OpenGridOptions> = {
  name: true,
  secret: true,
  open: true,
  directory: true,
  persist: true,
  join: true,
  listen: true,
  announce: true,
  tls: true,
  iceServers: true,
  mdns: true,
  logger: true,
  tracer: true,
  valueSizeMaxBytes: true,
  role: true,
  weight: true,
  zone: true,
  signal: true,
  storage: true,
  network: true,
}

/** Throws `INVALID_OPTION` for what are no options, and for one that there is not. */
export function checkOptionNames(options: OpenGridOptions): void {
  checkKnown(options ?? null, OPTIONS)
}

/** Throws `INVALID_NAME`, `INVALID_OPTION`. */
export function checkOptions(options: OpenGridOptions): void {
  checkName(options.name, 'grid')
  checkSignal(options.signal)
  checkCount('valueSizeMaxBytes', options.valueSizeMaxBytes, 1, VALUE_MAX_BYTES)
  if (options.weight !== undefined && !(options.weight >= 0 && options.weight <= 1000)) {
    throw new GridError('INVALID_OPTION', `weight is a number from 0 to 1000, not ${String(options.weight)}`)
  }
  if (options.role !== undefined && options.role !== 'storage' && options.role !== 'light') {
    throw new GridError('INVALID_OPTION', `role is 'storage' or 'light', not '${String(options.role)}'`)
  }
  if ('secret' in options && options.secret === undefined && options.open !== true) {
    throw new GridError(
      'INVALID_OPTION',
      'secret is there and undefined: is a variable not set? Leave it out for a grid that only programs on this machine can join, or say open: true',
    )
  }
  checkOpen(options.open, secretsOf(options.secret).length > 0)
  if (options.directory === '') throw new GridError('INVALID_OPTION', 'directory must not be empty')
  // Counted in UTF-16 code units, as the peers that read it count.
  if (
    options.zone !== undefined &&
    !(/^\P{Cc}*$/u.test(options.zone) && options.zone.length <= 64 && options.zone.isWellFormed())
  ) {
    throw new GridError(
      'INVALID_OPTION',
      'zone is well-formed text of at most 64 UTF-16 code units, without control characters',
    )
  }
}
