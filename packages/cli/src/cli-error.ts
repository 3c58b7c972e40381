/** Why a command failed, by its exit code. Stable. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const

const CODES = [
  'BAD_BACKUP',
  'BAD_ROW',
  'ENTRIES_CHANGED',
  'FILE',
  'INTERRUPTED',
  'NO_PEER',
  'NOT_FOUND',
  'PEER_GONE',
  'SEVERAL_PEERS',
  'SOCKET',
  'USAGE',
] as const

/** Codes of errors of the command itself, besides those of the grid. Stable; `docs/command-line.md` explains them. */
export type CliErrorCode = (typeof CODES)[number]

/** The same as a set. Error messages refer to `docs/errors.md` for all other codes. */
export const CLI_ERROR_CODES: ReadonlySet<string> = new Set(CODES)

const EXIT_CODES: Partial<Record<string, number>> = {
  USAGE: EXIT.usage,
  INVALID_KEY: EXIT.usage,
  INVALID_NAME: EXIT.usage,
  INVALID_OPTION: EXIT.usage,
  INVALID_QUERY: EXIT.usage,
  INVALID_TOKEN: EXIT.usage,
  NETWORK_BAD_ADDRESS: EXIT.usage,
  PARTITIONS_INVALID: EXIT.usage,
  STORAGE_FORMAT: EXIT.usage,
  STORAGE_OTHER_GRID: EXIT.usage,
  NO_PEER: EXIT.unreachable,
  SEVERAL_PEERS: EXIT.usage,
  PEER_GONE: EXIT.unreachable,
  INTERRUPTED: EXIT.interrupted,
}

/** An error to show to the user, with advice. */
export class CliError extends Error {
  /** A `CliErrorCode`, or the code of a `GridError` from a peer. */
  readonly code: string
  readonly advice: string

  constructor(code: CliErrorCode, message: string, advice: string = '', options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'CliError'
    this.code = code
    this.advice = advice
  }

  /** An error from a peer. Its codes are the grid's. */
  static fromPeer(code: string, message: string, advice: string = ''): CliError {
    return new CliError(code as CliErrorCode, message, advice)
  }

  get exitCode(): number {
    return exitCodeOf(this.code)
  }
}

/** The exit code of a command that failed with an error of this code, of a command or of the grid. */
export function exitCodeOf(code: string): number {
  return EXIT_CODES[code] ?? EXIT.failed
}

/** Whether an error is one of the system, such as ENOENT. Those of the runtimes have other codes. */
export function isSystemError(error: unknown): boolean {
  return /^E[A-Z\d]+$/.test(systemCode(error))
}

/** The code of a system error such as ENOENT, or ''. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** What errors of the system mean. Its own texts name calls of the C library. */
const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  EACCES: 'you have no permission',
  EBUSY: 'the system uses it',
  EDQUOT: 'your quota of the disk is used up',
  EEXIST: 'something of that name is there already',
  EFBIG: 'it would be larger than the file system allows',
  EIO: 'the disk fails',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
  EMFILE: 'this process has too many open files',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'this machine has too many open files',
  ENOENT: 'there is no such file or directory',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is no directory',
  EPERM: 'the system does not allow it',
  EROFS: 'the file system is read-only',
}

/** The message of an error in one line, without stacks, which libp2p puts into its messages. Errors of the system in plain words. */
export function errorText(error: unknown): string {
  const code = systemCode(error)
  const words = SYSTEM_WORDS[code]
  if (words !== undefined) return `${words} (${code})`
  const lines = (error instanceof Error ? error.message : String(error)).split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('at ')).join(' ')
}
