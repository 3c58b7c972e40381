import { GridError, KEY_MAX_BYTES, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { WriteOptions } from '../runtime/receipt.ts'
import { checkAborted, checkSignal } from '../runtime/waiting.ts'

const COPIES_MAX = 64
const TIMEOUT_MAX_MS = 2 ** 31 - 1

/** Throws `INVALID_KEY` unless `key` is well-formed text of 1 to 1,024 bytes. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw new GridError('INVALID_KEY', `a key is text, not ${typeof key}`)
  if (key.length === 0) throw new GridError('INVALID_KEY', 'a key must not be empty')
  if (!key.isWellFormed()) throw new GridError('INVALID_KEY', 'a key must be well-formed text: it has half a surrogate')
  // A UTF-16 code unit takes at most three bytes of UTF-8.
  if (key.length * 3 <= KEY_MAX_BYTES) return
  const sizeBytes = new TextEncoder().encode(key).length
  if (sizeBytes > KEY_MAX_BYTES) {
    throw new GridError('INVALID_KEY', `a key of ${sizeBytes} bytes; the limit is ${KEY_MAX_BYTES}`)
  }
}

/** Throws `INVALID_OPTION` unless the option is undefined or a whole number in [min, max]. */
export function checkCount(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined) return
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new GridError('INVALID_OPTION', `${name} is a whole number from ${min} to ${max}, not ${String(value)}`)
}

/** Throws `INVALID_OPTION` unless the option is undefined or text. */
export function checkText(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'string') return
  throw new GridError('INVALID_OPTION', `${name} is text, not ${typeof value}`)
}

/** The options of a write. */
export const WRITE_OPTIONS: Known<WriteOptions> = { copies: true, timeoutMs: true, signal: true }
/** The options of a method that takes only a signal. */
export const SIGNAL_OPTION: Known<{ readonly signal?: AbortSignal }> = { signal: true }

/**
 * Checks the options of a write, before anything else. Throws `INVALID_OPTION` for values out of range and for options that
 * are not `known`, and `ABORTED` if the signal is aborted.
 */
export function checkWriteOptions<Options extends WriteOptions>(
  options: Options | undefined,
  known?: Known<Options>,
): void {
  if (options === undefined) return
  if (known !== undefined) checkKnown(options, known)
  checkCount('copies', options.copies, 1, COPIES_MAX)
  checkCount('timeoutMs', options.timeoutMs, 1, TIMEOUT_MAX_MS)
  checkSignal(options.signal)
  checkAborted(options.signal)
}
