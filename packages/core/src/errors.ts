/** The codes of `GridError`. Codes are stable, messages are not. `docs/errors.md` says what to do about each. */
export type GridErrorCode =
  | 'ABORTED'
  | 'BACKLOG_FULL'
  | 'BATCH_TOO_LARGE'
  | 'CLOCK_AHEAD'
  | 'CLOSED'
  | 'CLOSE_INCOMPLETE'
  | 'COLLECTION_DROPPED'
  | 'COLLECTION_LIMIT'
  | 'COLLECTION_MISMATCH'
  | 'COPIES_TIMEOUT'
  | 'COUNTER_RANGE'
  | 'CURSOR_EXPIRED'
  | 'FORBIDDEN'
  | 'INPUT_FAILED'
  | 'INSECURE_PAGE'
  | 'DOCUMENT_AWARENESS'
  | 'DOCUMENT_DELETED'
  | 'DOCUMENT_DESTROYED'
  | 'DOCUMENT_FOREIGN'
  | 'DOCUMENT_GENERATION'
  | 'DOCUMENT_LIBRARY'
  | 'DOCUMENT_POISONED'
  | 'INVALID_KEY'
  | 'INVALID_NAME'
  | 'INVALID_OPTION'
  | 'INVALID_QUERY'
  | 'INVALID_TOKEN'
  | 'INVALID_VALUE'
  | 'MESSAGE_MALFORMED'
  | 'MESSAGE_TOO_LARGE'
  | 'MESSAGE_VERSION'
  | 'LEAVE_INCOMPLETE'
  | 'NETWORK_BAD_ADDRESS'
  | 'NETWORK_DIAL_FAILED'
  | 'NETWORK_HOSTILE'
  | 'NETWORK_NOT_CONNECTED'
  | 'NETWORK_PORT_TAKEN'
  | 'NETWORK_START_FAILED'
  | 'NOT_HELD'
  | 'OWNERS_UNREACHABLE'
  | 'PARTITIONS_INVALID'
  | 'PASS_INVALID'
  | 'QUERY_TOO_LARGE'
  | 'QUOTA_EXCEEDED'
  | 'REPLICA_ID_REFUSED'
  | 'SCHEMA'
  | 'STORAGE_CLEARED'
  | 'STORAGE_CLOSED'
  | 'STORAGE_DAMAGED'
  | 'STORAGE_FAILED'
  | 'STORAGE_FORMAT'
  | 'STORAGE_FULL'
  | 'STORAGE_IN_USE'
  | 'STORAGE_NOT_WRITABLE'
  | 'STORAGE_OTHER_GRID'
  | 'TOKEN_TIMEOUT'
  | 'VALUE_TOO_LARGE'

/** The one error type of gossipgrid: branch on `code`, show `message`. */
export class GridError extends Error {
  /** Why it stopped: the code of the write that failed, or `INPUT_FAILED` if the source of the entries threw. */
  readonly code: GridErrorCode

  constructor(code: GridErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'GridError'
    this.code = code
  }
}

/** The error for what no honest peer writes into a block. */
export function malformedBlock(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed block: ${what}`)
}
