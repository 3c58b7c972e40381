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

export type Kind = 'text' | 'boolean' | 'number' | 'function' | 'texts'

/** What an argument can be, in words, and how to tell. Programs in JavaScript know nothing of types. */
const KINDS: Readonly<Record<Kind, readonly [words: string, fits: (value: unknown) => boolean]>> = {
  text: ['text', (value) => typeof value === 'string'],
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  number: ['a number', (value) => typeof value === 'number'],
  function: ['a function', (value) => typeof value === 'function'],
  texts: ['an array of text', (value) => Array.isArray(value) && value.every((each) => typeof each === 'string')],
}

/** Throws `INVALID_OPTION` unless the argument, where given, is of the kind. Null counts as given. */
export function checkKind(name: string, value: unknown, kind: Kind): void {
  const [words, fits] = KINDS[kind]
  if (value !== undefined && !fits(value)) throw notThat(name, value, words)
}

/** Throws `INVALID_OPTION` unless the argument, where given, has all these methods. */
export function checkMethods(name: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return
  const given = Object(value) as Readonly<Record<string, unknown>>
  const missing = methods.find((method) => typeof given[method] !== 'function')
  if (missing !== undefined) throw notThat(name, value, `an object with a method ${missing}`)
}

function notThat(name: string, value: unknown, words: string): GridError {
  const shown = value === null ? 'null' : Array.isArray(value) ? 'such an array' : typeof value
  return new GridError('INVALID_OPTION', `${name} is ${words}, not ${shown}`)
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
