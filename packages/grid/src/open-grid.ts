import { environment } from '#environment'
import { GridError, VALUE_MAX_BYTES } from '@gossipgrid/core'
import type { Network, Storage } from '@gossipgrid/core'
import { libp2pNetwork } from '@gossipgrid/network'
import type { OpenedStorage } from './environment/environment.ts'
import { Grid } from './grid.ts'
import { quietLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { checkOptions } from './open-grid-options.ts'
import type { OpenGridOptions } from './open-grid-options.ts'
import { reachOf, reachText } from './reach.ts'
import { safeLogger } from './safe-logger.ts'
import { adviseOnSecrets, channelsOf, secretsOf } from './secrets.ts'
import { VERSION } from './version.ts'
import { checkAborted } from './waiting.ts'

/** Where a peer's identity lies in its store. */
const IDENTITY_KEY = 'identity'

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
  environment.check(options)
  if (environment.isReached) reachOf(options, options.secret !== undefined)
  checkAborted(options.signal)
  const logger = safeLogger(options.logger ?? quietLogger)
  const { storage, loss } = await openStorage(options, logger)
  let network: Network
  try {
    network = await openNetwork(options, storage, logger)
    checkAborted(options.signal)
  } catch (error) {
    await storage.close()
    throw error
  }
  const { name, weight, zone } = options
  const role = options.role ?? environment.role
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
    follow: (runtime) => environment.follow(runtime),
  })
}

async function openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage> {
  if (options.storage !== undefined) return { storage: options.storage, loss: '' }
  return environment.openStorage(options, logger)
}

async function openNetwork(options: OpenGridOptions, storage: Storage, logger: Logger): Promise<Network> {
  const privateKey = await readIdentity(storage, logger)
  const secrets = secretsOf(options.secret)
  adviseOnSecrets(secrets, logger)
  const reach = environment.isReached ? reachOf(options, secrets.length > 0) : undefined
  if (reach !== undefined && reach.kind !== 'private') logger.warn(reachText(options.name, reach))
  const listen = reach === undefined ? options.listen : reach.listen
  const makeNetwork = options.network ?? libp2pNetwork
  const network = await makeNetwork({
    channels: await channelsOf(options.name, secrets),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(listen === undefined ? {} : { listen }),
    ...(reach?.local === true ? { local: true } : {}),
    ...(options.join === undefined ? {} : { join: options.join }),
    ...(options.announce === undefined ? {} : { announce: options.announce }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.iceServers === undefined ? {} : { iceServers: options.iceServers }),
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
