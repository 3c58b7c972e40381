/** Why a command failed, by its exit code. Stable. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const

const CODES = [
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
    return EXIT_CODES[this.code] ?? EXIT.failed
  }
}

/** The code of a system error such as ENOENT, or ''. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The first line of an error's message: libp2p puts stacks into its messages. */
export function errorText(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('at ')).join(' ')
}
