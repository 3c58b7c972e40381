import { GridError, KEY_MAX_BYTES, VALUE_MAX_BYTES, checkCollectionName, isPlainObject } from '@gossipgrid/core'
import { calledSo } from './covering.ts'

/** Reads the fields of a message that anyone may have sent. Everything throws `MESSAGE_MALFORMED` for what does not fit. */
export class MessageFields {
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw MessageFields.malformed('message')
    this.#fields = value as Readonly<Record<string, unknown>>
  }

  static malformed(field: string): GridError {
    return new GridError('MESSAGE_MALFORMED', `malformed message of a guest or to one: ${field}`)
  }

  static pair(value: unknown): readonly [unknown, unknown] {
    if (!Array.isArray(value) || value.length !== 2) throw MessageFields.malformed('pair')
    return value as [unknown, unknown]
  }

  /** What guests and members call a collection. */
  static name(value: unknown): string {
    try {
      const called = typeof value === 'string' ? calledSo(value) : undefined
      if (called?.what !== 'doc') checkCollectionName(called?.name)
      return value as string
    } catch {
      throw MessageFields.malformed('name')
    }
  }

  static bytesIn(value: unknown, maxBytes: number): Uint8Array {
    if (value instanceof Uint8Array && value.length <= maxBytes) return value
    throw MessageFields.malformed('bytes')
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== undefined
  }

  /** The fields of an object in it. */
  nested(name: string): MessageFields {
    return new MessageFields(this.#own(name))
  }

  /** An object with any fields. */
  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.#own(name)
    if (isPlainObject(value)) return value as Readonly<Record<string, unknown>>
    throw MessageFields.malformed(name)
  }

  text(name: string, maxUnits: number): string {
    const value = this.#own(name)
    if (typeof value === 'string' && value.length <= maxUnits && value.isWellFormed()) return value
    throw MessageFields.malformed(name)
  }

  /** The key of a row. */
  key(name: string): string {
    const value = this.text(name, KEY_MAX_BYTES)
    if (value !== '' && new TextEncoder().encode(value).length <= KEY_MAX_BYTES) return value
    throw MessageFields.malformed(name)
  }

  /** Exactly so many bytes. */
  bytes(name: string, length: number): Uint8Array {
    const value = MessageFields.bytesIn(this.#own(name), length)
    if (value.length === length) return value
    throw MessageFields.malformed(name)
  }

  bytesUpTo(name: string, maxBytes: number = VALUE_MAX_BYTES): Uint8Array {
    return MessageFields.bytesIn(this.#own(name), maxBytes)
  }

  count(name: string): number {
    const value = this.#own(name)
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw MessageFields.malformed(name)
  }

  number(name: string): number {
    const value = this.#own(name)
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw MessageFields.malformed(name)
  }

  flag(name: string): boolean {
    const value = this.#own(name)
    if (typeof value === 'boolean') return value
    throw MessageFields.malformed(name)
  }

  list(name: string, countMax: number): readonly unknown[] {
    const value = this.#own(name)
    if (Array.isArray(value) && value.length <= countMax) return value
    throw MessageFields.malformed(name)
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
  }
}
