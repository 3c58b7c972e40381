import { checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { TIMEOUT_MAX_MS, checkCount } from '../batches/checks.ts'
import { checkAborted, checkSignal } from '../runtime/waiting.ts'
import type { Pump } from '../runtime/write-path.ts'

/** How long to wait for a write of another peer. */
export interface ReachedOptions {
  /** In milliseconds. Then rejects with `TOKEN_TIMEOUT`. Default 10,000. */
  readonly timeoutMs?: number
  /** Ends the waiting with `ABORTED`. */
  readonly signal?: AbortSignal
}

/** What a read waits for. */
export interface ReadOptions extends ReachedOptions {
  /**
   * The `token` of a receipt, also of another peer: the read waits until this peer has applied that write, and all earlier
   * writes of its peer to that collection. Undefined: it does not wait.
   */
  readonly after?: string | undefined
}

export const REACHED_OPTIONS: Known<ReachedOptions> = { timeoutMs: true, signal: true }
export const READ_OPTIONS: Known<ReadOptions> = { ...REACHED_OPTIONS, after: true }

/** Throws `INVALID_OPTION`. */
export function checkReadOptions<Options extends ReadOptions>(options: Options, known: Known<Options>): void {
  checkKnown(options, known)
  checkCount('timeoutMs', options.timeoutMs, 1, TIMEOUT_MAX_MS)
  checkSignal(options.signal)
}

/** Waits for the write that a read is to come after. A read without options does not call it, and reads at once. See `Grid.reached`. */
export async function afterToken(pump: Pump, options: ReadOptions): Promise<void> {
  checkReadOptions(options, READ_OPTIONS)
  await reached(pump, options)
}

/** Waits for the write that a read with checked options is to come after. */
export async function reached(pump: Pump, options: ReadOptions): Promise<void> {
  if (options.after !== undefined) return tokenReached(pump, options.after, options)
  pump.checkOpen()
  checkAborted(options.signal)
}

/** See `Grid.reached`. The options are checked. */
export async function tokenReached(pump: Pump, token: string, options: ReachedOptions): Promise<void> {
  pump.checkOpen()
  checkAborted(options.signal)
  const { tokenWaitsOf } = await import('./token-waits.ts')
  await tokenWaitsOf(pump).reached(token, options)
}
