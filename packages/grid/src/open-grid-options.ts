import { GridError, VALUE_MAX_BYTES, checkName, requireKnown } from '@gossipgrid/core'
import type { Known, Network, Role, Storage } from '@gossipgrid/core'
import type { Certificate, IceServer, Libp2pNetwork, Libp2pNetworkOptions } from '@gossipgrid/network'
import { checkCount, checkWord, misfit } from './batches/checks.ts'
import type { PassSource } from './guests/pass-text.ts'
import type { GuestsOptions } from './guests/guest-options.ts'
import type { Logger } from './logger.ts'
import { checkOpen } from './lifecycle/reach.ts'
import { secretsOf } from './secrets.ts'
import { checkSignal } from './runtime/waiting.ts'
import type { GridTracer } from './runtime/safe-tracer.ts'

/** Options of `openGrid`. Only the name is required. */
export interface OpenGridOptions {
  /** Name of the grid, 1 to 128 bytes of text. Peers with the same name on one network form one grid. */
  readonly name: string
  /**
   * Makes the grid private: only peers with the same secret can join it and read its messages. Use 32 random bytes as text
   * (`gossipgrid secret` prints some), and at most 1,024 characters. To change the secret, run every peer with
   * `[new, former]` for a while, which accepts both, and then with the new one alone. Without a secret only programs on this
   * machine can join, unless the grid is `open`. `secret: undefined` is refused: it is most likely an unset variable.
   */
  readonly secret?: string | readonly string[]
  /**
   * True makes a grid without a secret that other machines can join: anyone who knows its name and can reach this peer can
   * read and change it. Default false: a peer without a secret listens only on loopback addresses and looks for peers only
   * there. It can still join an open grid on another machine by an address. Tabs need no `open`, since no peer can dial them.
   */
  readonly open?: boolean
  /**
   * Directory for the data. It is created if it does not exist. Default: data is in memory, and no write is durable. Browsers
   * store data in IndexedDB in any case; there, this separates several grids of one name on one site.
   */
  readonly directory?: string
  /**
   * For browsers. False keeps data in memory only. True asks the browser for persistent storage; some browsers ask the user.
   * Default: data is stored, but the browser may clear it when it needs the space. On servers, `directory` decides.
   */
  readonly persist?: boolean
  /**
   * Addresses of peers to join, as `grid.addresses` returns them, or `HOST:PORT`, or a port of this machine; tabs take only the
   * former. These peers may start later.
   */
  readonly join?: readonly (string | number)[]
  /**
   * Where to listen: a port (of all interfaces), `HOST:PORT` with an IP address of this machine, or a multiaddr. The first two
   * mean TCP; tabs need an address that ends in `/ws`. Default: TCP and WebSockets on free ports of all interfaces; of the loopback interface only, if
   * the grid has no secret and is not `open`. Browsers listen at relays.
   */
  readonly listen?: readonly (string | number)[]
  /** Addresses to announce to other peers instead of the listening ones, for a server behind a DNS name or a proxy. */
  readonly announce?: readonly string[]
  /** A certificate for listening on `/tls/ws`. Tabs of https pages can connect only to secure WebSockets. */
  readonly tls?: Certificate
  /**
   * For browsers: STUN and TURN servers, as WebRTC takes them, by which tabs behind different routers connect. Default none:
   * tabs connect directly only within one network, and otherwise exchange data through server peers.
   */
  readonly iceServers?: readonly IceServer[]
  /**
   * Opens the grid as a guest: with a pass of a member (`grid.issuePass`) in place of the secret, or a function that returns one, which
   * is called before the pass ends. A guest has the replicated maps that its pass covers, and joins only members that serve guests.
   */
  readonly pass?: PassSource
  /** Serves guests at addresses of their own. Needs a `secret`. On servers only. */
  readonly guests?: GuestsOptions
  /** Find peers on the local network. Default true. */
  readonly mdns?: boolean
  /** Gets log messages. Default: warnings and errors go to the console. */
  readonly logger?: Logger
  /** A tracer for spans of writes, such as OpenTelemetry's `trace.getTracer('gossipgrid')`. Default none. */
  readonly tracer?: GridTracer
  /** Limit for encoded values written at this peer, in bytes. Default and maximum 1 MiB. */
  readonly valueSizeMaxBytes?: number
  /** `light`: others do not count on this peer for copies. Default: `storage` with a directory, else `light`, and `light` in a tab. */
  readonly role?: Role
  /** Relative capacity, for placement. Default 1 for a peer with a directory, else 0. */
  readonly weight?: number
  /** Failure domain: copies are spread over zones where possible. */
  readonly zone?: string
  /**
   * For tests: reads the wall clock, in milliseconds since 1970, instead of `Date.now`. It dates writes and ends entries; waits
   * and timers do not follow it. `openLab` of `@gossipgrid/testing` sets it.
   */
  readonly wallMs?: () => number
  /** Aborts opening. */
  readonly signal?: AbortSignal
  /** A store of your own instead of the one chosen by the options above. The grid closes it. */
  readonly storage?: Storage
  /**
   * Makes the network, with the options that the default, `libp2pNetwork`, takes. The grid closes it. If the network can
   * export its private key, the grid stores the key, and passes it as `privateKey` the next time.
   */
  readonly network?: (options: Libp2pNetworkOptions) => Promise<OpenedNetwork>
}

/** A network that may be able to export its private key. */
export type OpenedNetwork = Network & Partial<Pick<Libp2pNetwork, 'exportPrivateKey'>>

export const OPEN_GRID_OPTIONS: Known<OpenGridOptions> = {
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
  pass: true,
  guests: true,
  mdns: true,
  logger: true,
  tracer: true,
  valueSizeMaxBytes: true,
  role: true,
  weight: true,
  zone: true,
  wallMs: true,
  signal: true,
  storage: true,
  network: true,
}

/** Throws `INVALID_OPTION` for what are no options, and for one that there is not. */
export function checkOptionNames(options: OpenGridOptions): void {
  requireKnown(options, OPEN_GRID_OPTIONS)
}

/** Throws `INVALID_NAME`, `INVALID_OPTION`. */
export function checkOptions(options: OpenGridOptions): void {
  checkName(options.name, 'grid')
  checkSignal(options.signal)
  checkCount('valueSizeMaxBytes', options.valueSizeMaxBytes, 1, VALUE_MAX_BYTES)
  if (options.weight !== undefined && !(options.weight >= 0 && options.weight <= 1000)) {
    throw misfit('weight', 'a number from 0 to 1000', options.weight)
  }
  checkWord('role', options.role, ['storage', 'light'])
  checkGuest(options)
  if ('secret' in options && options.secret === undefined && options.open !== true) {
    throw new GridError(
      'INVALID_OPTION',
      'secret is undefined: is a variable not set? Leave it out for a grid that only programs on this machine can join, or pass open: true',
    )
  }
  checkOpen(options.open, secretsOf(options.secret).length > 0)
  if (options.directory === '') throw new GridError('INVALID_OPTION', 'directory must not be empty')
  // In UTF-16 code units, because other peers count these.
  if (
    options.zone !== undefined &&
    !(/^\P{Cc}*$/u.test(options.zone) && options.zone.length <= 64 && options.zone.isWellFormed())
  ) {
    const words = 'well-formed text of at most 64 UTF-16 code units, without control characters'
    throw misfit('zone', words, options.zone)
  }
}

/** What members have, and a guest has not. */
const OF_MEMBERS = [
  'secret',
  'open',
  'listen',
  'announce',
  'tls',
  'iceServers',
  'mdns',
  'role',
  'weight',
  'zone',
  'network',
  'guests',
] as const

/** Throws `INVALID_OPTION` for options that make no sense at a guest. */
function checkGuest(options: OpenGridOptions): void {
  const { guests, pass } = options
  if (pass === undefined) {
    if ('pass' in options)
      throw new GridError('INVALID_OPTION', 'pass is undefined: is a variable not set? Leave it out for a member')
    if (guests !== undefined && options.secret === undefined)
      throw new GridError('INVALID_OPTION', 'guests need a grid with a secret: without one, everyone is a member')
    return
  }
  if (typeof pass !== 'string' && typeof pass !== 'function') throw misfit('pass', 'text or a function', pass)
  const other = OF_MEMBERS.find((name) => options[name] !== undefined)
  if (other !== undefined) throw new GridError('INVALID_OPTION', `a guest has a pass, and no ${other}: leave it out`)
}
