import { GridError, partitions, rare } from '@gossipgrid/core'
import type { Storage } from '@gossipgrid/core'
import { indexedDbStorage } from '@gossipgrid/storage/indexeddb'
import { memoryStorage } from '@gossipgrid/storage/memory'
import type { Logger } from '../logger.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import type { Environment, OpenedStorage } from './environment.ts'
import { LapsingStorage } from './lapsing-storage.ts'
import { followPage } from './page-life.ts'
import { leaseSlot } from './slot.ts'

/** Tabs and workers of a browser. */
export const environment: Environment = {
  // Tabs come and go. They store the data they get, but purging does not wait for them.
  role: 'light',
  reach: undefined,
  check: ({ guests }) => {
    if (guests !== undefined)
      throw new GridError('INVALID_OPTION', 'guests are served on servers: no peer can dial a tab')
    if (globalThis.isSecureContext) return
    throw new GridError(
      'INSECURE_PAGE',
      'browsers encrypt and store only on pages from https:// or from localhost: serve this page from there',
    )
  },
  place: (options) => (options.persist === false ? undefined : placeOf(options)),
  openStorage,
  memberFace: undefined,
  follow: followPage,
}

async function openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage> {
  rare.load = async () => {
    rare.code = await import('@gossipgrid/core/rare')
  }
  partitions.load = async () => {
    partitions.code = await import('@gossipgrid/core/partitions')
  }
  if (options.persist === false) return { storage: memoryStorage(), loss: '' }
  const lapsed = (reason: string): void => logger.error(`data is kept in memory only: ${reason}`)
  try {
    const storage = new LapsingStorage(await openSlot(options), lapsed)
    if (options.persist === true && !(await askToPersist())) {
      logger.warn('the browser did not grant persistent storage: it may clear the data when it needs the space')
    }
    return { storage, loss: '' }
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'STORAGE_FAILED') throw error
    const storage = new LapsingStorage(memoryStorage(), lapsed)
    storage.lapsed(error.message)
    return { storage, loss: '' }
  }
}

/** What a guest stores is no part of the grid, and never becomes one. */
function placeOf({ name, directory, pass }: OpenGridOptions): string {
  const place = `${pass === undefined ? 'gossipgrid' : 'gossipgrid-guest'}/${name}`
  return directory === undefined ? place : `${place}/${directory}`
}

async function openSlot(options: OpenGridOptions): Promise<Storage> {
  const slot = await leaseSlot(placeOf(options))
  if (slot === undefined) {
    throw new GridError('STORAGE_FAILED', 'Too many tabs of this browser already store this grid. Close some of them.')
  }
  try {
    return await indexedDbStorage({ database: slot.name, onClosed: slot.release })
  } catch (error) {
    slot.release()
    throw error
  }
}

async function askToPersist(): Promise<boolean> {
  try {
    return await navigator.storage.persist()
  } catch {
    return false
  }
}
