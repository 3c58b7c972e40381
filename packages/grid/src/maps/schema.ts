import { GridError } from '@gossipgrid/core'
import { isPromiseLike, textOfError } from '../flow/application-calls.ts'

const ISSUES_SHOWN_MAX = 3
const PATH_SHOWN_MAX = 8
const TEXT_SHOWN_MAX = 200

/**
 * A schema of any library that speaks Standard Schema version 1 (https://standardschema.dev): Zod, Valibot, ArkType and
 * others. It must answer at once, and accept the values that it gives out.
 */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What the values of one map must be. */
export class ValueSchema {
  readonly #schema: StandardSchema<unknown>

  /** Throws `INVALID_OPTION` for what is no schema, and for one that is seen to be asynchronous. */
  constructor(schema: StandardSchema<unknown>) {
    const standard: unknown = (schema as Partial<StandardSchema<unknown>> | null | undefined)?.['~standard']
    if (!isStandard(standard)) {
      throw new GridError('INVALID_OPTION', 'schema is one of a library that speaks Standard Schema version 1')
    }
    this.#schema = schema
    // Most asynchronous schemas show it at once; the others with the first value that they are asked about.
    this.#validate(undefined)
  }

  /** The value as the schema gives it out. Throws `SCHEMA` with the first issues, `INVALID_OPTION` if it is asynchronous. */
  accepted(value: unknown): unknown {
    const first = this.#validate(value)
    if (first.issues !== undefined) throw new GridError('SCHEMA', `the value does not fit: ${describe(first.issues)}`)
    if (first.value === value) return value
    // Every peer checks what it gets by the same schema: what is stored must fit it as it is.
    const again = this.#validate(first.value)
    if (again.issues === undefined) return first.value
    const why = describe(again.issues)
    throw new GridError('SCHEMA', `the schema does not accept the value that it makes of this one: ${why}`)
  }

  fits(value: unknown): boolean {
    try {
      return this.#validate(value).issues === undefined
    } catch {
      return false
    }
  }

  #validate(value: unknown): SchemaResult<unknown> {
    let result: unknown
    try {
      result = this.#schema['~standard'].validate(value)
    } catch (cause) {
      return { issues: [{ message: `the schema threw ${textOfError(cause)}` }] }
    }
    if (!isPromiseLike(result))
      return isResult(result) ? result : { issues: [{ message: 'the schema gave no result' }] }
    // Nobody waits for it.
    result.then(undefined, () => undefined)
    throw new GridError('INVALID_OPTION', 'the schema is asynchronous: take one that answers at once')
  }
}

function isResult(result: unknown): result is SchemaResult<unknown> {
  return typeof result === 'object' && result !== null
}

function isStandard(standard: unknown): boolean {
  if (typeof standard !== 'object' || standard === null) return false
  const { version, validate } = standard as Record<string, unknown>
  return version === 1 && typeof validate === 'function'
}

/** `value.address.zip: too short; value.age: no number; and 4 more`. */
function describe(issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map(({ message, path }) => `${pathText(path)}: ${shortened(message)}`)
  const more = issues.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

function pathText(path: SchemaIssue['path'] = []): string {
  const keys = path.slice(0, PATH_SHOWN_MAX).map((part) => (typeof part === 'object' ? part.key : part))
  const parts = keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${shortened(String(key))}`))
  return `value${parts.join('')}${path.length > keys.length ? '...' : ''}`
}

function shortened(text: string): string {
  return text.length <= TEXT_SHOWN_MAX ? text : `${text.slice(0, TEXT_SHOWN_MAX)}...`
}
