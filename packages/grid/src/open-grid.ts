import { GridError, VALUE_MAX_BYTES, checkName } from '@gossipgrid/core'
import type { Network, Role, Storage } from '@gossipgrid/core'
import { libp2pNetwork } from '@gossipgrid/network'
import type { Libp2pNetwork, Libp2pNetworkOptions } from '@gossipgrid/network'
import { levelStorage, memoryStorage } from '@gossipgrid/storage'
import type { LevelHealthReport } from '@gossipgrid/storage'
import { checkCount } from './checks.ts'
import { Grid } from './grid.ts'
import { quietLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { adviseOnSecrets, channelsOf, secretsOf } from './secrets.ts'
import { VERSION } from './version.ts'
import { checkAborted } from './waiting.ts'
import type { GridTracer } from './write-tracing.ts'

/** Where a peer's identity lies in its store. */
const IDENTITY_KEY = 'identity'

/** What `openGrid` can be told. Only the name is needed. */
export interface OpenGridOptions {
  /** Peers of one name on one network form one grid: 1 to 128 bytes of text. */
  readonly name: string
  /**
   * Makes the grid private: only peers with the same secret meet, and nobody else can read what they say. Take 32 random
   * bytes as text (`gossipgrid secret` prints some); the maximum is 1,024 characters. To change it, run every peer with
   * `[new, former]` for a while, which lets in both, and then with the new one alone. Without a secret the grid is open to
   * whoever knows its name.
   */
  readonly secret?: string | readonly string[]
  /** Where to keep the data; made if need be. Left out: in memory, and no write is called durable. */
  readonly directory?: string
  /** Addresses of peers to join by, as `grid.addresses` gives them. They may come up later. */
  readonly join?: readonly string[]
  /** Multiaddrs to listen on. Default: TCP and WebSockets on free ports of all interfaces. */
  readonly listen?: readonly string[]
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
  readonly network?: (
    options: Libp2pNetworkOptions,
  ) => Promise<Network & Partial<Pick<Libp2pNetwork, 'exportPrivateKey'>>>
}

/**
 * Opens a peer of a grid: reads what it holds on disk, starts listening and looks for other peers. It works at once,
 * whether others are reachable or not; `grid.ready()` tells when it has caught up with one.
 *
 * Rejects with `INVALID_NAME`, `INVALID_OPTION`, `NETWORK_PORT_TAKEN`, `NETWORK_BAD_ADDRESS`, `NETWORK_START_FAILED`,
 * `STORAGE_IN_USE`, `STORAGE_NOT_WRITABLE`, `STORAGE_FORMAT`, `STORAGE_FAILED`, or `ABORTED`, with everything closed.
 *
 * @example
 * ```ts
 * const grid = await openGrid({ name: 'demo' })
 * const users = grid.map<{ age: number }>('users')
 * await users.set('ada', { age: 36 })
 * console.log(await users.get('ada')) // { age: 36 }
 * await grid.close()
 * ```
 */
export async function openGrid(options: OpenGridOptions): Promise<Grid> {
  checkOptions(options)
  checkAborted(options.signal)
  const logger = options.logger ?? quietLogger
  const { storage, loss } = await openStorage(options, logger)
  let network: Network
  try {
    network = await openNetwork(options, storage, logger)
    checkAborted(options.signal)
  } catch (error) {
    await storage.close()
    throw error
  }
  const { name, role, weight, zone } = options
  return Grid.start({
    name,
    storage,
    network,
    logger,
    software: `gossipgrid/${VERSION}`,
    valueSizeMaxBytes: options.valueSizeMaxBytes ?? VALUE_MAX_BYTES,
    joining: (options.join?.length ?? 0) > 0,
    storageLoss: loss,
    role,
    weight,
    zone,
    tracer: options.tracer,
  })
}

async function openStorage(options: OpenGridOptions, logger: Logger): Promise<{ storage: Storage; loss: string }> {
  if (options.storage !== undefined) return { storage: options.storage, loss: '' }
  if (options.directory === undefined) {
    logger.info('no directory was given: data is kept in memory only')
    return { storage: memoryStorage(), loss: '' }
  }
  const storage = await levelStorage({ directory: options.directory, logger })
  return { storage, loss: lossOf(storage.health()) }
}

function lossOf({ droppedBytes, lostLog, setAside }: LevelHealthReport): string {
  if (setAside !== undefined) return `the database was damaged and was set aside as ${setAside}`
  if (lostLog) return "the database's log was missing"
  return droppedBytes > 0 ? `${droppedBytes} bytes of the database's log were unreadable` : ''
}

async function openNetwork(options: OpenGridOptions, storage: Storage, logger: Logger): Promise<Network> {
  const privateKey = await readIdentity(storage, logger)
  const secrets = secretsOf(options.secret)
  adviseOnSecrets(options.name, secrets, logger)
  const makeNetwork = options.network ?? libp2pNetwork
  const network = await makeNetwork({
    channels: await channelsOf(options.name, secrets),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.join === undefined ? {} : { join: options.join }),
    ...(options.mdns === undefined ? {} : { mdns: options.mdns }),
    logger: (line) => logger.warn(line),
  })
  const identity = privateKey === undefined ? network.exportPrivateKey?.() : undefined
  if (identity !== undefined) {
    await storage.write([{ type: 'put', key: IDENTITY_KEY, bytes: identity }], { durable: true })
  }
  return network
}

/** Without it the peer goes on as a new one: better than not at all. */
async function readIdentity(storage: Storage, logger: Logger): Promise<Uint8Array | undefined> {
  try {
    return await storage.read(IDENTITY_KEY)
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'STORAGE_DAMAGED') throw error
    logger.warn('the stored identity of this peer is damaged: it goes on under a new peer id')
    return undefined
  }
}

function checkOptions(options: OpenGridOptions): void {
  checkName(options.name, 'grid')
  checkCount('valueSizeMaxBytes', options.valueSizeMaxBytes, 1, VALUE_MAX_BYTES)
  if (options.weight !== undefined && !(options.weight >= 0 && options.weight <= 1000)) {
    throw new GridError('INVALID_OPTION', `weight is a number from 0 to 1000, not ${String(options.weight)}`)
  }
  if (options.role !== undefined && options.role !== 'storage' && options.role !== 'light') {
    throw new GridError('INVALID_OPTION', `role is 'storage' or 'light', not '${String(options.role)}'`)
  }
  secretsOf(options.secret)
  if (options.directory === '') throw new GridError('INVALID_OPTION', 'directory must not be empty')
  if (options.zone !== undefined && !/^\P{Cc}{0,64}$/u.test(options.zone)) {
    throw new GridError('INVALID_OPTION', 'zone is at most 64 characters, none of them a control character')
  }
}
