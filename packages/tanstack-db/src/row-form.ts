/** A value with its key beside its fields, as `keyField` asks for it. */
export type RowWithKey<Value extends object, KeyField extends string> = Value & { [Name in KeyField]: string }

/** The values of the map have their key in them. */
export interface KeyOfRow<Row extends object> {
  /** The key of a value. Entries that are stored under another key are left out. */
  readonly getKey: (row: Row) => string
  /** Not together with `getKey`. */
  readonly keyField?: never
}

/** The values of the map do not have their key in them. */
export interface KeyOfField<KeyField extends string> {
  /** The name of a field that rows have and values do not: it is the key of the entry. */
  readonly keyField: KeyField
  /** Not together with `keyField`. */
  readonly getKey?: never
}

/** How the entries of a map look as rows of a collection. */
export interface RowForm {
  /** The field of rows that is the key and is not stored. */
  readonly keyField: string | undefined
  keyOf(row: object): string
  /** Undefined if the entry cannot be a row. */
  rowOf(key: string, value: unknown): object | undefined
  valueOf(row: object): object
}

/** Rows are the values themselves. */
function rowsWithKey(getKey: (row: never) => string): RowForm {
  const keyOf = getKey as (row: object) => string
  const hasKey = (key: string, row: object): boolean => {
    try {
      return keyOf(row) === key
    } catch {
      return false
    }
  }
  return {
    keyField: undefined,
    keyOf,
    rowOf: (key, value) => (isFields(value) && hasKey(key, value) ? value : undefined),
    valueOf: (row) => row,
  }
}

/** Rows are the values with their key in a field. */
function rowsWithField(keyField: string): RowForm {
  return {
    keyField,
    keyOf: (row) => (row as Readonly<Record<string, string>>)[keyField]!,
    rowOf: (key, value) => (isFields(value) ? { ...value, [keyField]: key } : undefined),
    valueOf: (row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== keyField)),
  }
}

/** `prefix`: entries whose keys do not begin with it are no rows. */
export function rowFormOf(
  config: { readonly getKey?: unknown; readonly keyField?: unknown },
  prefix: string = '',
): RowForm {
  const form = formOf(config)
  const rowOf = (key: string, value: unknown): object | undefined =>
    key.startsWith(prefix) ? form.rowOf(key, value) : undefined
  return prefix === '' ? form : { ...form, rowOf }
}

function formOf(config: { readonly getKey?: unknown; readonly keyField?: unknown }): RowForm {
  const { getKey, keyField } = config
  if (typeof getKey === 'function' && keyField === undefined) return rowsWithKey(getKey as (row: never) => string)
  if (typeof keyField === 'string' && keyField !== '' && getKey === undefined) return rowsWithField(keyField)
  throw new TypeError(
    'gridCollectionOptions: pass getKey, if the values have their key in them, or the name of a field as keyField',
  )
}

/** A value that can be a row: an object of fields. */
function isFields(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !ArrayBuffer.isView(value) && !(value instanceof Date)
}
