import { GridError } from '@gossipgrid/core'

/** Translates an error of IndexedDB into one of the port. `key` names the blob that was being read. */
export function indexedDbError(error: unknown, key?: string): GridError {
  if (error instanceof GridError) return error
  const name = error instanceof Error || error instanceof DOMException ? error.name : ''
  const text = error instanceof Error || error instanceof DOMException ? error.message : String(error)
  if (name === 'QuotaExceededError') {
    return new GridError(
      'STORAGE_FULL',
      'The browser gives this site no more room. Delete what is not needed, or free space on the disk.',
      { cause: error },
    )
  }
  if (name === 'VersionError') {
    return new GridError('STORAGE_FORMAT', 'The database is of a newer version. Reload the page to get that version.', {
      cause: error,
    })
  }
  if (key !== undefined && (name === 'NotReadableError' || name === 'DataError' || name === 'UnknownError')) {
    return new GridError('STORAGE_DAMAGED', `The browser cannot read the blob '${key}': ${text}`, { cause: error })
  }
  return new GridError(
    'STORAGE_FAILED',
    `The browser's storage failed: ${text}. It may be switched off for this site, as in some private windows.`,
    { cause: error },
  )
}
