import { environment } from '#environment'
import { VALUE_MAX_BYTES } from '@gossipgrid/core'
import type { Storage } from '@gossipgrid/core'
import { libp2pNetwork } from '@gossipgrid/network'
import type { Libp2pNetworkOptions } from '@gossipgrid/network'
import type { OpenedStorage } from './environment/environment.ts'
import { Grid } from './grid.ts'
import type { OpenGuestFace } from './guests/face/guest-face.ts'
import { keepIdentity, keepName, readIdentity } from './lifecycle/identity.ts'
import { claimPlace } from './lifecycle/open-places.ts'
import { quietLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { checkOptionNames, checkOptions } from './open-grid-options.ts'
import type { OpenedNetwork, OpenGridOptions } from './open-grid-options.ts'
import type { Runtime } from './runtime/runtime.ts'
import { safeLogger } from './safe-logger.ts'
import { adviseOnSecrets, channelsOf, secretsOf } from './secrets.ts'
import { onlyDefined } from './only-defined.ts'
import { Teardown } from './lifecycle/teardown.ts'
import type { TeardownStep } from './lifecycle/teardown.ts'
import { VERSION } from './version.ts'
import { checkAborted, openedOrAborted, orAborted } from './runtime/waiting.ts'

/** How long closing may take. A store may still be busy with its files; the limits of the network itself are lower. */
const STORE_CLOSE_MAX_MS = 4000
const NETWORK_CLOSE_MAX_MS = 4000

/**
 * Opens a peer of a grid: reads its data from disk, starts listening and looks for other peers. The grid can be used at
 * once, whether or not other peers are reachable; `grid.ready()` resolves when it has the data of one of them. A page or process
 * opens one grid at a place: if one is being closed there, this waits for that.
 *
 * Rejects with `INVALID_NAME`, `INVALID_OPTION`, `NETWORK_PORT_TAKEN`, `NETWORK_BAD_ADDRESS`, `NETWORK_START_FAILED`,
 * `STORAGE_IN_USE`, `STORAGE_NOT_WRITABLE`, `STORAGE_FORMAT`, `STORAGE_OTHER_GRID`, `STORAGE_FAILED` or `ABORTED`. Then everything is
 * closed.
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
  // An invalid logger is refused below, and must not break logging until then.
  const logger = safeLogger(typeof options?.logger?.warn === 'function' ? options.logger : quietLogger)
  const teardown = new Teardown()
  try {
    return await open(options, logger, teardown)
  } catch (error) {
    await teardown.close().catch((failure: unknown) => logger.warn(`closing after a failed start: ${String(failure)}`))
    throw error
  }
}

async function open(options: OpenGridOptions, logger: Logger, teardown: Teardown): Promise<Grid> {
  if (typeof options?.storage?.close === 'function') teardown.add(storeStep(options.storage))
  checkOptionNames(options)
  environment.check(options)
  checkOptions(options)
  const { signal } = options
  environment.reach?.of(options, options.secret !== undefined || options.pass !== undefined)
  checkAborted(signal)
  const place = options.storage === undefined ? environment.place(options) : undefined
  const opened = place === undefined ? undefined : await claimPlace(place, teardown, signal)
  try {
    return await openAtPlace(options, logger, teardown)
  } finally {
    opened?.()
  }
}

async function openAtPlace(options: OpenGridOptions, logger: Logger, teardown: Teardown): Promise<Grid> {
  const { signal } = options
  const { storage, loss } = await openedOrAborted(openStorage(options, logger), signal, (late) => late.storage.close())
  if (storage !== options.storage) teardown.add(storeStep(storage))
  const storedName = options.pass === undefined ? options.name : guestStoreName(options.name)
  const stored = await orAborted(readIdentity(storage, storedName, logger), signal)
  const { privateKey } = stored
  const opening = options.pass === undefined ? openMember : openGuest
  const { guests, network } = await openedOrAborted(opening(options, privateKey, logger), signal, (late) =>
    late.network.stop(),
  )
  teardown.add({ what: 'the network', limitMs: NETWORK_CLOSE_MAX_MS, close: () => network.stop() })
  await orAborted(keepIdentity(storage, stored, storedName, network.exportPrivateKey?.()), signal)
  const { name, weight, zone } = options
  const deps = {
    name,
    storage,
    network,
    logger,
    software: `gossipgrid/${VERSION}`,
    valueSizeMaxBytes: options.valueSizeMaxBytes ?? VALUE_MAX_BYTES,
    joining: (options.join?.length ?? 0) > 0,
    storageLoss: loss,
    role: options.pass === undefined ? (options.role ?? environment.role) : 'light',
    guests,
    weight,
    zone,
    tracer: options.tracer,
    readWallMs: options.wallMs,
    follow: (runtime: Runtime) => environment.follow(runtime),
  }
  const grid = await Grid.start(deps, teardown, signal)
  await orAborted(keepName(storage, stored, storedName), signal)
  return grid
}

function storeStep(storage: Storage): TeardownStep {
  return { what: 'the store', limitMs: STORE_CLOSE_MAX_MS, close: () => storage.close() }
}

async function openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage> {
  if (options.storage !== undefined) return { storage: options.storage, loss: '' }
  return environment.openStorage(options, logger)
}

/** A network, and what its grid has to do with guests. */
interface Opened {
  readonly network: OpenedNetwork
  readonly guests: OpenGuestFace | undefined
}

async function openMember(
  options: OpenGridOptions,
  privateKey: Uint8Array | undefined,
  logger: Logger,
): Promise<Opened> {
  const network = await openNetwork(options, privateKey, logger)
  const secrets = secretsOf(options.secret)
  return {
    network,
    guests: secrets.length === 0 ? undefined : environment.memberFace?.(options, network, secrets, logger),
  }
}

/** The code of guests is loaded by guests alone. */
async function openGuest(
  options: OpenGridOptions,
  privateKey: Uint8Array | undefined,
  logger: Logger,
): Promise<Opened> {
  const { drawSlot, guestFace, openSoloNetwork } = await import('./guests/link/open-guest.ts')
  const { join = [] } = (environment.reach?.of(options, true) ?? options) as Pick<Libp2pNetworkOptions, 'join'>
  const input = { name: options.name, join, pass: options.pass!, privateKey, slot: await drawSlot() }
  const network = await openSoloNetwork(input)
  return { network, guests: guestFace(input, network, logger) }
}

/** What a guest stores is no part of the grid. No grid has such a name. */
function guestStoreName(name: string): string {
  return `${name}\n(guest)`
}

async function openNetwork(
  options: OpenGridOptions,
  privateKey: Uint8Array | undefined,
  logger: Logger,
): Promise<OpenedNetwork> {
  const secrets = secretsOf(options.secret)
  adviseOnSecrets(secrets, logger)
  const reach = environment.reach?.of(options, secrets.length > 0)
  if (reach !== undefined && reach.kind !== 'private') logger.warn(environment.reach!.text(options.name, reach))
  // A tab takes multiaddrs only: the network refuses others.
  const { listen, join } = (reach ?? options) as Pick<Libp2pNetworkOptions, 'listen' | 'join'>
  const makeNetwork = options.network ?? libp2pNetwork
  const { announce, tls, iceServers, mdns } = options
  return makeNetwork({
    channels: await channelsOf(options.name, secrets),
    ...onlyDefined({ privateKey, listen, join, announce, tls, iceServers, mdns }),
    ...(reach?.local === true ? { local: true } : {}),
    logger: (line) => logger.warn(line),
  })
}
