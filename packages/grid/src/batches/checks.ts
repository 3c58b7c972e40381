import { GridError, KEY_MAX_BYTES, checkKnown, nearestOf, shown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { WriteOptions } from '../receipts/receipt.ts'
import { checkAborted, checkSignal } from '../runtime/waiting.ts'

const COPIES_MAX = 64
export const TIMEOUT_MAX_MS: number = 2 ** 31 - 1

/** Throws `INVALID_KEY` unless `key` is well-formed text of 1 to 1,024 bytes. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw new GridError('INVALID_KEY', `a key is text, not ${shown(key)}`)
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
export function checkCount(name: string, value: unknown, min: number, max: number): void {
  if (value !== undefined && !isCount(value, min, max)) throw misfit(name, countWords(min, max), value)
}

function isCount(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}

function countWords(min: number, max: number): string {
  return `a whole number from ${min} to ${max}`
}

/** Throws `INVALID_OPTION` unless the option is undefined or one of these words. */
export function checkWord(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || (words as readonly unknown[]).includes(value)) return
  throw misfit(name, words.map((word) => `'${word}'`).join(' or '), value, words)
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
  if (value !== undefined) requireKind(name, value, kind)
}

/** Throws `INVALID_OPTION` unless the argument is of the kind. */
export function requireKind(name: string, value: unknown, kind: Kind): void {
  const [words, fits] = KINDS[kind]
  if (fits(value)) return
  if (kind === 'texts' && Array.isArray(value))
    for (const [i, each] of value.entries()) requireKind(`${name}[${i}]`, each, 'text')
  throw misfit(name, words, value)
}

/** Throws `INVALID_OPTION` unless the argument, where given, has all these methods. */
export function checkMethods(name: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return
  const given = Object(value) as Readonly<Record<string, unknown>>
  const missing = methods.find((method) => typeof given[method] !== 'function')
  if (missing === undefined) return
  const words = `an object with the methods ${methods.join(', ')}`
  if (given !== value) throw misfit(name, words, value)
  throw new GridError('INVALID_OPTION', `${name} is ${words}: this one has no ${missing}`)
}

/** The error for an argument that is not what `words` say. Where it is text, it suggests which of the words `near` may be meant. */
export function misfit(name: string, words: string, value: unknown, near: readonly string[] = []): GridError {
  const hint = typeof value === 'string' ? nearestOf(value, near) : ''
  return new GridError('INVALID_OPTION', `${name} is ${words}, not ${shown(value)}${hint}`)
}

/** The options of a write. */
export const WRITE_OPTIONS: Known<WriteOptions> = { copies: true, timeoutMs: true, signal: true }
/** The options of a method that takes only a signal. */
export const SIGNAL_OPTION: Known<{ readonly signal?: AbortSignal }> = { signal: true }

const PEERS_OPTION: Known<{ readonly peers: number }> = { peers: true }

function checkCopies(copies: WriteOptions['copies']): void {
  if (copies === undefined || copies === 'all' || isCount(copies, 1, COPIES_MAX)) return
  const words = countWords(1, COPIES_MAX)
  if (typeof copies !== 'object' || copies === null || Array.isArray(copies))
    throw misfit('copies', `${words}, or 'all', or { peers: such a number }`, copies, ['all'])
  checkKnown(copies, PEERS_OPTION)
  const { peers } = copies as { readonly peers: unknown }
  if (!isCount(peers, 1, COPIES_MAX)) throw misfit('copies.peers', words, peers)
}

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
  checkCopies(options.copies)
  checkCount('timeoutMs', options.timeoutMs, 1, TIMEOUT_MAX_MS)
  checkSignal(options.signal)
  checkAborted(options.signal)
}
