import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import type { Logger } from '../logger.ts'

/** The key of a peer's private key in its store. */
const IDENTITY_KEY = 'identity'
/** The key of the name of the grid whose data the store has. */
const NAME_KEY = 'grid-name'
/** A name may begin with a byte order mark. */
const NAME_DECODER = new TextDecoder('utf-8', { ignoreBOM: true })

/** Of which peer and which grid a store has the data. Undefined is what a new store lacks, and what a damaged one has lost. */
export interface StoreIdentity {
  readonly privateKey: Uint8Array | undefined
  readonly name: string | undefined
}

/**
 * Reads whose data a store has. Rejects with `STORAGE_OTHER_GRID`, whose cause has the `name`, if it is that of another grid: opened under this name, all of it
 * would travel to the peers of this grid, and no one could tell the two apart again.
 */
export async function readIdentity(storage: Storage, name: string, logger: Logger): Promise<StoreIdentity> {
  const nameBytes = await readBlob(storage, NAME_KEY)
  const stored = nameBytes === undefined ? undefined : NAME_DECODER.decode(nameBytes)
  if (stored !== undefined && stored !== name) throw otherGrid(stored, name)
  const privateKey = await readBlob(storage, IDENTITY_KEY, () => {
    logger.warn('the stored identity of this peer is damaged: it continues with a new peer id')
  })
  return { privateKey, name: stored }
}

/** Stores the identity of a new peer, with the name of its grid. `privateKey` is undefined for a network that has none. */
export async function keepIdentity(
  storage: Storage,
  stored: StoreIdentity,
  name: string,
  privateKey: Uint8Array | undefined,
): Promise<void> {
  if (stored.privateKey !== undefined || privateKey === undefined) return
  const operations: StorageOperation[] = [{ type: 'put', key: IDENTITY_KEY, bytes: privateKey }]
  if (stored.name === undefined) operations.push(namePut(name))
  await storage.write(operations, { durable: true })
}

/** Stores the name in a store that has an identity and no name: from an earlier version. To be called once it could be read. */
export async function keepName(storage: Storage, stored: StoreIdentity, name: string): Promise<void> {
  if (stored.name === undefined && stored.privateKey !== undefined)
    await storage.write([namePut(name)], { durable: true })
}

function namePut(name: string): StorageOperation {
  return { type: 'put', key: NAME_KEY, bytes: new TextEncoder().encode(name) }
}

async function readBlob(storage: Storage, key: string, onDamage?: () => void): Promise<Uint8Array | undefined> {
  try {
    return await storage.read(key)
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'STORAGE_DAMAGED') throw error
    onDamage?.()
    return undefined
  }
}

function otherGrid(stored: string, name: string): GridError {
  return new GridError(
    'STORAGE_OTHER_GRID',
    `the store has the data of grid '${stored}', and was to be opened as '${name}'. Open it as '${stored}', or choose another directory. To use a copy of the data under another name, take a backup and restore it`,
    { cause: { name: stored } },
  )
}
