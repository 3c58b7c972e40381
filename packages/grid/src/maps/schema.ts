import { GridError } from '@gossipgrid/core'
import { isPromiseLike, textOfError } from '../flow/application-calls.ts'

const ISSUES_SHOWN_MAX = 3
const PATH_SHOWN_MAX = 8
const TEXT_SHOWN_MAX = 200

/**
 * A schema of any library that implements Standard Schema version 1 (https://standardschema.dev): Zod, Valibot, ArkType
 * and others. It must be synchronous, and must accept the values that it outputs.
 */
export interface StandardSchema<Output> {
  /** The properties that version 1 of Standard Schema asks for. */
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** The result of validating a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One reason why a value is not valid. */
export interface SchemaIssue {
  /** What is wrong, for people. */
  readonly message: string
  /** Where in the value it is. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Validates the values of one map. */
export class ValueSchema {
  readonly #schema: StandardSchema<unknown>

  /** Throws `INVALID_OPTION` if `schema` is no schema, or is asynchronous as far as this can be seen. */
  constructor(schema: StandardSchema<unknown>) {
    const standard: unknown = (schema as Partial<StandardSchema<unknown>> | null | undefined)?.['~standard']
    if (!isStandard(standard)) {
      throw new GridError('INVALID_OPTION', 'schema is one of a library that implements Standard Schema version 1')
    }
    this.#schema = schema
    // Most asynchronous schemas show it here, the others when they validate the first value.
    this.#validate(undefined)
  }

  /** The output of the schema for a value. Throws `SCHEMA` with the first issues, `INVALID_OPTION` if it is asynchronous. */
  accepted(value: unknown): unknown {
    const first = this.#validate(value)
    if (first.issues !== undefined) throw new GridError('SCHEMA', `the value does not fit: ${describe(first.issues)}`)
    if (first.value === value) return value
    // Other peers validate the stored value with the same schema, so the output must be valid itself.
    const again = this.#validate(first.value)
    if (again.issues === undefined) return first.value
    const why = describe(again.issues)
    throw new GridError('SCHEMA', `the schema does not accept its own output for this value: ${why}`)
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
    // Its error would be unhandled.
    result.then(undefined, () => undefined)
    throw new GridError('INVALID_OPTION', 'the schema is asynchronous: use a synchronous one')
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
