import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from '../maps/grid-map.ts'
import { comparePayloads, equalValues, payloadOf, rankOf, sortKeyOf, compareSortKeys } from '../ordering/value-order.ts'
import { reachedBy, sortKeyAt } from '../ordering/paths.ts'
import { anyEdit as edit, anyField as field, anyOrderBy as orderBy, anyWhere as where } from '../rig/any-queries.ts'
import type { Fields } from '../rig/any-queries.ts'
import { TestGrids } from '../rig/test-grids.ts'

const grids = new TestGrids()
let grid: Grid
let maps = 0

beforeAll(async () => {
  grid = await grids.open()
})

afterAll(() => grids.close())

const indexes = fc.uniqueArray(fc.uniqueArray(field, { minLength: 1, maxLength: 2 }), {
  maxLength: 4,
  selector: (names) => names.join(' '),
})

/** What the language means, said once more and in another way: no index, no bytes, no mingo. */
function matches(value: unknown, query: Fields): boolean {
  return Object.entries(query).every(([name, given]) => {
    if (name === '$and') return (given as Fields[]).every((each) => matches(value, each))
    if (name === '$or') return (given as Fields[]).some((each) => matches(value, each))
    return fits(reachedBy(value, name.split('.')), given)
  })
}

function fits(reached: readonly unknown[], given: unknown): boolean {
  const isOperators = sortKeyOf(given).rank === 5 && Object.keys(given as Fields).some((name) => name.startsWith('$'))
  if (!isOperators) return holds(reached, '$eq', given)
  return Object.entries(given as Fields).every(([name, each]) => holds(reached, name, each))
}

function holds(reached: readonly unknown[], name: string, given: unknown): boolean {
  const all = reached.flatMap((each) => (Array.isArray(each) ? [each, ...(each as unknown[])] : [each]))
  const equal = (value: unknown): boolean =>
    all.some((each) => equalValues(each, value) || (value === null && each === undefined))
  const compared = (test: (order: number) => boolean): boolean =>
    all.some(
      (each) =>
        rankOf(each) === rankOf(given) &&
        test(comparePayloads(payloadOf(each, rankOf(each)), payloadOf(given, rankOf(given)))),
    )
  const tests: Record<string, () => boolean> = {
    $eq: () => equal(given),
    $ne: () => !equal(given),
    $in: () => (given as unknown[]).some(equal),
    $nin: () => !(given as unknown[]).some(equal),
    $gt: () => compared((order) => order > 0),
    $gte: () => compared((order) => order >= 0),
    $lt: () => compared((order) => order < 0),
    $lte: () => compared((order) => order <= 0),
    $exists: () => reached.some((each) => each !== undefined) === given,
    $startsWith: () => all.some((each) => typeof each === 'string' && each.startsWith(given as string)),
    $not: () => !fits(reached, given),
    $elemMatch: () =>
      reached.some(
        (each) => Array.isArray(each) && (each as unknown[]).some((element) => elementFits(element, given as Fields)),
      ),
  }
  return tests[name]!()
}

function elementFits(element: unknown, given: Fields): boolean {
  if (Object.keys(given).some((name) => name.startsWith('$'))) return !Array.isArray(element) && fits([element], given)
  return sortKeyOf(element).rank === 5 && matches(element, given)
}

function expected(model: ReadonlyMap<string, unknown>, query: Fields, order: readonly string[]): string[] {
  const last = order.at(-1)?.startsWith('-') === true ? -1 : 1
  return [...model]
    .filter(([, value]) => matches(value, query))
    .toSorted(([oneKey, one], [otherKey, other]) => {
      for (const name of order) {
        const path = name.replace('-', '').split('.')
        const by = compareSortKeys(sortKeyAt(one, path), sortKeyAt(other, path))
        if (by !== 0) return name.startsWith('-') ? -by : by
      }
      return last * (oneKey < otherKey ? -1 : 1)
    })
    .map(([each]) => each)
}

async function pages(map: GridMap<Fields>, query: Fields, order: readonly string[], limit: number): Promise<string[]> {
  const keys: string[] = []
  for (let after: string | undefined; ;) {
    const page = await map.query({ where: query as never, orderBy: order, limit, after })
    expect(page.rows.length <= limit && (page.next === undefined || page.rows.length === limit)).toBe(true)
    keys.push(...page.rows.map((row) => row.key))
    after = page.next
    if (after === undefined) return keys
  }
}

const example = fc.record({
  edits: fc.array(edit, { maxLength: 60 }),
  later: fc.array(edit, { maxLength: 20 }),
  indexes,
  queries: fc.array(fc.tuple(where, orderBy), { minLength: 1, maxLength: 4 }),
  limit: fc.integer({ min: 1, max: 12 }),
})

it.each(['value', 'fields'] as const)(
  'in a map with merge %s, an index gives what a scan gives, and both what the language means, page by page, before and after edits',
  async (merge) => {
    await fc.assert(
      fc.asyncProperty(example, async (given) => {
        const [plain, indexed] = [`plain ${++maps}`, `indexed ${maps}`].map((name) => grid.map<Fields>(name, { merge }))
        const model = new Map<string, unknown>()
        const apply = async (edits: readonly (readonly [string, Fields | undefined])[]): Promise<void> => {
          for (const [each, value] of edits) {
            for (const map of [plain!, indexed!]) await (value === undefined ? map.delete(each) : map.set(each, value))
            model.set(each, value)
            if (value === undefined) model.delete(each)
          }
        }
        const check = async (): Promise<void> => {
          for (const [query, order] of given.queries) {
            const keys = expected(model, query, order)
            expect(await pages(plain!, query, order, given.limit)).toEqual(keys)
            expect(await pages(indexed!, query, order, given.limit)).toEqual(keys)
            expect(
              (await indexed!.query({ where: query as never, orderBy: order })).rows.map((row) => row.key),
            ).toEqual(keys)
            expect(await indexed!.count(query as never)).toBe(keys.length)
          }
        }
        const half = Math.floor(given.indexes.length / 2)
        for (const names of given.indexes.slice(0, half)) await indexed!.index(names)
        await apply(given.edits)
        for (const names of given.indexes.slice(half)) await indexed!.index(names)
        await check()
        await apply(given.later)
        await check()
        await Promise.all([plain!.clear(), indexed!.clear()])
        expect((await indexed!.query()).rows).toEqual([])
        await Promise.all([grid.dropCollection(plain!.name), grid.dropCollection(indexed!.name)])
      }),
      { numRuns: 100 },
    )
  },
)
