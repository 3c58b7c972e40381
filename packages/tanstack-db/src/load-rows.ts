import type { IR, LoadSubsetOptions } from '@tanstack/db'
import type { Query } from 'gossipgrid'
import type { AskedMap } from './map-link.ts'
import { keysNamedBy, nameOf, whereTrue } from './query-of-where.ts'
import type { GridWhere } from './query-of-where.ts'
import type { RowForm } from './row-form.ts'
import { surelyMatches } from './row-test.ts'

/** Entries of a page, which is also as many as one query can give. */
const PAGE = 100_000

/** The entries that a live query asks for, and maybe more. */
export interface LoadedRows {
  readonly entries: (readonly [key: string, value: object])[]
  /** False if a part of the map did not answer. */
  readonly isComplete: boolean
}

/** Reads the entries for a request of TanStack DB. Rejects as `map.query` does. */
export async function loadRows(map: AskedMap, form: RowForm, options: LoadSubsetOptions): Promise<LoadedRows> {
  const { where, cursor } = options
  if (cursor === undefined) return new SubsetRead(map, form, where).load(options)
  // The rows after those that are there, and those that are equal to the last one of them.
  const { orderBy, limit } = options
  const after = new SubsetRead(map, form, conjunction(where, cursor.whereFrom))
  const beside = new SubsetRead(map, form, conjunction(where, cursor.whereCurrent))
  const parts = [
    await after.load({ ...(orderBy !== undefined && { orderBy }), ...(limit !== undefined && { limit }) }),
    await beside.load({}),
  ]
  return { entries: parts.flatMap(({ entries }) => entries), isComplete: parts.every(({ isComplete }) => isComplete) }
}

function conjunction(
  one: IR.BasicExpression<boolean> | undefined,
  other: IR.BasicExpression<boolean>,
): IR.BasicExpression<boolean> {
  return one === undefined ? other : ({ type: 'func', name: 'and', args: [one, other] } as unknown as IR.Func<boolean>)
}

/** Reads the entries for one condition. */
class SubsetRead {
  readonly #map: AskedMap
  readonly #form: RowForm
  readonly #where: IR.BasicExpression<boolean> | undefined
  readonly #condition: GridWhere
  readonly #entries: (readonly [string, object])[] = []
  #isComplete = true

  constructor(map: AskedMap, form: RowForm, where: IR.BasicExpression<boolean> | undefined) {
    this.#map = map
    this.#form = form
    this.#where = where
    this.#condition = where === undefined ? {} : whereTrue(where, form.keyField)
  }

  async load({ orderBy, limit, offset = 0 }: LoadSubsetOptions): Promise<LoadedRows> {
    const keys = keysNamedBy(this.#where, this.#form.keyField)
    if (keys !== undefined) await this.#loadKeys(keys)
    else if (limit === undefined || !(await this.#loadFirst(orderBy, limit + offset))) await this.#loadAll()
    return { entries: this.#entries, isComplete: this.#isComplete }
  }

  async #loadKeys(keys: readonly string[]): Promise<void> {
    const values = await this.#map.getMany(keys)
    if (values.complete === false) this.#isComplete = false
    this.#entries.push(...values)
  }

  /** All entries that match. */
  async #loadAll(extra?: GridWhere): Promise<void> {
    this.#entries.length = extra === undefined ? 0 : this.#entries.length
    for await (const page of this.#pages({ limit: PAGE }, extra)) this.#entries.push(...page)
  }

  /**
   * The first rows in an order, all of those included that are equal to the last one in the first field. Returns false if the two
   * languages order the field differently, or if only TanStack DB can tell which rows match: then all have to be read.
   */
  async #loadFirst(orderBy: IR.OrderBy | undefined, count: number): Promise<boolean> {
    const [first] = orderBy ?? []
    if (first?.expression.type !== 'ref') return false
    const name = nameOf(first.expression, this.#form.keyField)
    if (name === undefined) return false
    const { direction, stringSort } = first.compareOptions
    const orderable = (value: unknown): boolean =>
      typeof value === 'string' ? stringSort === 'lexical' : isOrderedAlike(value)
    let found = 0
    let last: unknown
    const query = { orderBy: direction === 'desc' ? `-${name}` : name, limit: Math.min(count + 1, PAGE) }
    reading: for await (const page of this.#pages(query, { [name]: { $ne: null } })) {
      for (const entry of page) {
        const row = this.#form.rowOf(...entry)
        if (row === undefined) continue
        const matches = surelyMatches(this.#where, row)
        const value = fieldOf(row, name)
        if (matches === undefined || !orderable(value)) return false
        if (found >= count && !isSame(value, last)) break reading
        this.#entries.push(entry)
        if (!matches) continue
        found += 1
        last = value
      }
    }
    // Rows without the field come first or last, as the query says, and there are seldom many.
    if (first.compareOptions.nulls === 'first' || found < count) await this.#loadAll({ [name]: null })
    return true
  }

  async *#pages(
    query: { readonly orderBy?: string; readonly limit: number },
    extra?: GridWhere,
  ): AsyncGenerator<(readonly [string, object])[]> {
    let condition = this.#condition
    let after: string | undefined
    for (;;) {
      const where = extra === undefined ? condition : { $and: [condition, extra] }
      try {
        const page = await this.#map.query({ ...query, where, after } as unknown as Query<object>)
        if (!page.complete) this.#isComplete = false
        yield page.rows.map(({ key, value }) => [key, value] as const)
        if (page.next === undefined) return
        after = page.next
      } catch (error) {
        // Too large or too deep for our language. TanStack DB filters what it gets.
        const isTooMuch = (error as { code?: unknown }).code === 'INVALID_QUERY' && Object.keys(condition).length > 0
        if (!isTooMuch) throw error
        condition = {}
        after = undefined
      }
    }
  }
}

/** Numbers, dates and booleans have one order in both languages. */
function isOrderedAlike(value: unknown): boolean {
  if (value instanceof Date || typeof value === 'boolean' || typeof value === 'bigint') return true
  return typeof value === 'number' && !Number.isNaN(value)
}

function isSame(one: unknown, other: unknown): boolean {
  return one instanceof Date && other instanceof Date ? one.getTime() === other.getTime() : one === other
}

function fieldOf(row: object, name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((value, part) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[part], row)
}
