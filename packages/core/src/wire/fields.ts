import { GridError } from '../errors.ts'
import { hasControls } from '../kinds/names.ts'

const HASH_PATTERN = /^[0-9a-f]{16}$/

/** Reads typed fields of a decoded CBOR map, which may come from a hostile peer. Each method throws `MESSAGE_MALFORMED`. */
export class Fields {
  readonly #fields: Record<string, unknown>
  readonly #what: string

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
      throw new GridError('MESSAGE_MALFORMED', `${what} is not a map`)
    }
    this.#fields = value as Record<string, unknown>
    this.#what = what
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined
  }

  /** Text without control characters, because it may be printed to a terminal. */
  text(name: string, lengthMax: number): string {
    const value = this.#value(name)
    if (isFieldText(value, lengthMax)) return value
    throw this.#wrong(name, `text up to ${lengthMax}, without control characters`)
  }

  /** Sixteen lower-case hexadecimal digits: a hash or a replica id. */
  hash(name: string): string {
    const value = this.#value(name)
    if (typeof value !== 'string' || !HASH_PATTERN.test(value)) throw this.#wrong(name, '16 hexadecimal digits')
    return value
  }

  /** An integer from 0 to 2^53 - 1. */
  count(name: string): number {
    const value = this.#value(name)
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    if (typeof value === 'bigint' && value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
    throw this.#wrong(name, 'a whole number')
  }

  /** A finite number, at least 0. */
  amount(name: string): number {
    const value = this.#value(name)
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw this.#wrong(name, 'a number')
    return value
  }

  flag(name: string): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false')
    return value
  }

  bytes(name: string, lengthMax: number = Infinity): Uint8Array {
    const value = this.#value(name)
    if (!(value instanceof Uint8Array) || value.length > lengthMax) throw this.#wrong(name, 'bytes')
    return value
  }

  nested(name: string): Fields {
    return new Fields(this.#value(name), `${this.#what}.${name}`)
  }

  list(name: string, countMax: number): Fields[] {
    return this.#items(name, countMax).map((item) => new Fields(item, `${this.#what}.${name}`))
  }

  texts(name: string, countMax: number, lengthMax: number): string[] {
    return this.#items(name, countMax).map((item) => {
      if (isFieldText(item, lengthMax)) return item
      throw this.#wrong(name, `texts up to ${lengthMax}, without control characters`)
    })
  }

  /** Keys: any text that is not empty. */
  keys(name: string, countMax: number, bytesMax: number): string[] {
    return this.#items(name, countMax).map((item) => {
      if (typeof item === 'string' && item !== '' && item.length <= bytesMax) return item
      throw this.#wrong(name, `keys of up to ${bytesMax} bytes`)
    })
  }

  /** Any text, also the empty one. It is never printed as it is. */
  anyText(name: string, lengthMax: number): string {
    const value = this.#value(name)
    if (typeof value === 'string' && value.length <= lengthMax) return value
    throw this.#wrong(name, `text up to ${lengthMax}`)
  }

  counts(name: string): number[] {
    return this.#items(name, 1 << 24).map((item) => {
      if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0) throw this.#wrong(name, 'whole numbers')
      return item
    })
  }

  #items(name: string, countMax: number): unknown[] {
    const value = this.#value(name)
    if (!Array.isArray(value) || value.length > countMax) throw this.#wrong(name, `a list of up to ${countMax}`)
    return value
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
  }

  #wrong(name: string, expected: string): GridError {
    return new GridError('MESSAGE_MALFORMED', `${this.#what}.${name} is not ${expected}`)
  }
}

/** A peer id has up to so many characters. */
export const PEER_ID_LENGTH_MAX = 128

/** Whether `Fields.text` reads it. */
export function isFieldText(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value.length <= lengthMax && !hasControls(value)
}
