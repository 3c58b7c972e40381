import type { TextEngine } from '../indexes/text-index.ts'

/** What a field of a value is compared with at the end of a path. */
type Leaf = string | number | bigint | boolean | null | undefined | Date | Uint8Array

/** The type of a value says nothing about its fields. */
type IsLoose<Value> = 0 extends 1 & Value ? true : unknown extends Value ? true : false

/** How many names deep types follow a path. Deeper ones are for maps of `unknown`. */
type Below = [never, 0, 1, 2, 3]

/** The dotted names of the fields of a value: `address.city`. They go into arrays: `tags`, `orders.price`, `point.0`. */
export type FieldName<Value, Depth extends number = 4> =
  IsLoose<Value> extends true
    ? string
    : Value extends Leaf
      ? never
      : Value extends readonly (infer Element)[]
        ? FieldName<Element, Depth> | `${number}` | `${number}.${FieldName<Element, Depth>}`
        : {
            [Name in keyof Value & string]-?:
              | Name
              | (Depth extends 0 ? never : `${Name}.${FieldName<NonNullable<Value[Name]>, Below[Depth]>}`)
          }[keyof Value & string]

/** The type of a field. */
export type FieldType<Value, Name extends string> =
  IsLoose<Value> extends true
    ? unknown
    : Value extends Leaf
      ? undefined
      : Value extends readonly (infer Element)[]
        ? Name extends `${number}`
          ? Element
          : Name extends `${number}.${infer Rest}`
            ? FieldType<Element, Rest>
            : FieldType<Element, Name>
        : Name extends keyof Value
          ? Value[Name]
          : Name extends `${infer First}.${infer Rest}`
            ? First extends keyof Value
              ? FieldType<NonNullable<Value[First]>, Rest>
              : undefined
            : undefined

/** What a field can be equal to: its values, those of its elements if it is an array, and null for "not there". */
type Operand<Field> = (Field extends readonly (infer Element)[] ? Field | Element : Exclude<Field, undefined>) | null
/** What a field can be larger or smaller than. */
type Bound<Field> = IsLoose<Field> extends true ? unknown : Extract<Exclude<Operand<Field>, null>, NonNullable<Leaf>>

/** What a field has to be. Several operators in one object must all hold, of an array each for some element. */
export interface FieldOperators<Field> {
  /** Equal. Null also matches a field that is not there. */
  readonly $eq?: Operand<Field>
  /** Not equal. Also matches a field that is not there. */
  readonly $ne?: Operand<Field>
  /** Larger, and of the same type. */
  readonly $gt?: Bound<Field>
  /** Larger or equal, and of the same type. */
  readonly $gte?: Bound<Field>
  /** Smaller, and of the same type. */
  readonly $lt?: Bound<Field>
  /** Smaller or equal, and of the same type. */
  readonly $lte?: Bound<Field>
  /** Equal to one of these. */
  readonly $in?: readonly Operand<Field>[]
  /** Equal to none of these. */
  readonly $nin?: readonly Operand<Field>[]
  /** Whether the field is there, also with null. */
  readonly $exists?: boolean
  /** Text that starts like this. */
  readonly $startsWith?: string
  /** The operators within do not match. */
  readonly $not?: FieldOperators<Field>
  /** Of an array: one element matches all of it. */
  readonly $elemMatch?: IsLoose<Field> extends true
    ? object
    : NonNullable<Field> extends readonly (infer Element)[]
      ? Where<Element> | FieldOperators<Element>
      : never
}

/** Which rows to give. All parts must match. A plain value stands for equality. */
export type Where<Value> = {
  readonly [Name in FieldName<Value>]?: FieldOperators<FieldType<Value, Name>> | Operand<FieldType<Value, Name>>
} & {
  /** All of these match. */
  readonly $and?: readonly Where<Value>[]
  /** At least one of these matches. */
  readonly $or?: readonly Where<Value>[]
}

/** Which rows of a replicated map to give: also by words, if the map has a text index. */
export type TextWhere<Value> = Where<Value> & {
  /** The row has one of these words. At most 1 KiB. See `GridMap.textIndex`. */
  readonly $text?: string | undefined
}

/** A field to order by; with `-` in front, the largest first. */
export type OrderField<Value> = FieldName<Value> | `-${FieldName<Value>}`

/** The first parts of dotted names. */
type HeadOf<Names extends string> = Names extends `${infer First}.${string}` ? First : Names
/** What dotted names that begin so go on with. */
type RestOf<Names extends string, First extends string> = Names extends `${First}.${infer Rest}` ? Rest : never

/** A value with some of its fields only. */
export type Selected<Value, Names extends string> =
  IsLoose<Value> extends true
    ? unknown
    : Value extends Leaf
      ? Value
      : Value extends readonly (infer Element)[]
        ? Selected<Element, Names>[]
        : {
            [Name in keyof Value as Name extends HeadOf<Names> ? Name : never]: Name extends Names
              ? Value[Name]
              : Selected<Value[Name], RestOf<Names, Name & string>>
          }

/** The values of the rows of a query: without names, whole ones. */
export type RowValue<Value, Names extends string> = [Names] extends [never] ? Value : Selected<Value, Names>

/** A query: plain data, so that it can be stored, sent and written as JSON. */
export interface Query<Value, Names extends FieldName<Value> = FieldName<Value>> {
  /** Which rows. Default: all. */
  readonly where?: Where<Value> | undefined
  /** By which fields the rows are ordered, and then by key, in the direction of the last field. Default: by key. */
  readonly orderBy?: OrderField<Value> | readonly OrderField<Value>[] | undefined
  /** How many rows at most: 1 to 100,000, the default. */
  readonly limit?: number | undefined
  /** The `next` of a page: go on after it. */
  readonly after?: string | undefined
  /** The fields that the values of the rows are to have, one or several: 1 to 32. Default: all. */
  readonly select?: Names | readonly Names[] | undefined
}

/** A query of a replicated map. With `$text` and without `orderBy`, the rows that match best come first, and there are no pages. */
export interface TextQuery<Value, Names extends FieldName<Value> = FieldName<Value>> extends Omit<
  Query<Value, Names>,
  'where'
> {
  /** Which rows. Default: all. */
  readonly where?: TextWhere<Value> | undefined
}

/** How a text index finds words. */
export interface TextIndexOptions<Name extends string = string> {
  /** The class of the package minisearch: `import MiniSearch from 'minisearch'`. */
  readonly engine: TextEngine
  /** Words of a query also find longer ones that start so: `riv` finds `river`. Default: false. */
  readonly prefix?: boolean | undefined
  /** Letters that may differ, as a share of a word: with 0.2, one in five. From 0, the default, to less than 1. */
  readonly fuzzy?: number | undefined
  /** How much more words of some fields count: `{ title: 2 }`. Default: 1 each. */
  readonly boost?: Readonly<Partial<Record<Name, number>>> | undefined
}

/** An entry that matches. */
export interface QueryRow<Value> {
  /** The key of the entry. */
  readonly key: string
  /** Its value. */
  readonly value: Value
}

/** The rows of a query, or one page of them. */
export interface QueryResult<Value> {
  /** The entries, in the order of the query. */
  readonly rows: readonly QueryRow<Value>[]
  /** False if a part of the map did not answer: rows of it are missing. Always true for a replicated map. */
  readonly complete: boolean
  /** Pass it as `after` to get the rows that follow. Undefined if there are none, and for rows by relevance (`$text` without `orderBy`). */
  readonly next: string | undefined
}

/** How a query is answered. */
export interface QueryPlan {
  /** The names of the index that is used, for `$text` of the text index. Undefined: every entry is looked at. */
  readonly index: readonly string[] | undefined
  /** The index also gives the order, so that no sorting is needed. */
  readonly ordered: boolean
  /** Entries that were looked at. */
  readonly looked: number
  /** Rows that were given. */
  readonly given: number
}
