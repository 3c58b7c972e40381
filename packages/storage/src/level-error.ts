import { GridError } from '@gossipgrid/core'

/** The kinds of failures, whichever layer reported them. */
export type LevelFailure = 'closed' | 'damaged' | 'foreign' | 'full' | 'in-use' | 'not-writable' | 'other'

/**
 * LevelDB passes system errors on as text without a code. So this matches the texts of glibc, musl, macOS and Windows,
 * and the codes of Node's file functions. The order matters: a full disk may also be reported as corruption.
 */
const FAILURES: readonly (readonly [LevelFailure, RegExp])[] = [
  ['in-use', /LEVEL_LOCKED/],
  ['full', /ENOSPC|EDQUOT|No space left on device|[Qq]uota exceeded|not enough space on the disk/],
  [
    'not-writable',
    /EACCES|EPERM|EROFS|ENOTDIR|EEXIST|Permission denied|Read-only file system|Operation not permitted|Not a directory/,
  ],
  ['foreign', /does not match existing comparator/],
  // A missing file that CURRENT or the manifest names is damage as well. So is a table that is too short: LevelDB
  // reports an invalid argument then.
  [
    'damaged',
    /LEVEL_CORRUPTION|No such file or directory|does not exist \(create_if_missing|\.(ldb|sst): Invalid argument/,
  ],
  ['closed', /^LEVEL_DATABASE_NOT_OPEN Database is not open/],
]

/** Classifies an error of classic-level or of a file function. */
export function levelFailure(error: unknown): LevelFailure {
  const text = errorText(error)
  return FAILURES.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other'
}

/** The error for the caller of a storage at `directory`, with advice. A `GridError` stays as it is. */
export function storageError(error: unknown, directory: string): GridError {
  if (error instanceof GridError) return error
  const options = { cause: error }
  switch (levelFailure(error)) {
    case 'closed':
      return new GridError('STORAGE_CLOSED', 'The storage is closed. Open a new one.', options)
    case 'damaged':
      return new GridError(
        'STORAGE_DAMAGED',
        `The database in ${directory} is damaged. Close it and open it again: what cannot be opened is set aside.`,
        options,
      )
    case 'foreign':
      return new GridError(
        'STORAGE_FORMAT',
        `${directory} holds a database of another program. Choose another directory.`,
        options,
      )
    case 'full':
      return new GridError(
        'STORAGE_FULL',
        `The disk that holds ${directory} is full. Free some space; the next write then works again.`,
        options,
      )
    case 'in-use':
      return new GridError(
        'STORAGE_IN_USE',
        `The directory ${directory} is in use. Close the peer that uses it, or choose another directory.`,
        options,
      )
    case 'not-writable':
      return new GridError(
        'STORAGE_NOT_WRITABLE',
        `The directory ${directory} cannot be created or written to. Check its path, owner and permissions, ` +
          'or choose another directory.',
        options,
      )
    case 'other':
      return new GridError(
        'STORAGE_FAILED',
        `The storage in ${directory} failed: ${innermostMessage(error)}. Check the disk and the limits of the system; ` +
          'the next write tries again.',
        options,
      )
  }
}

/** Codes and messages from the outermost error to its innermost cause. */
function errorText(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(`${'code' in at ? String(at.code) : ''} ${at.message}`.trim())
  }
  return parts.join('\n')
}

function innermostMessage(error: unknown): string {
  let at: unknown = error
  while (at instanceof Error && at.cause instanceof Error) at = at.cause
  return at instanceof Error ? at.message : String(at)
}
