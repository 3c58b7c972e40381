import type * as Gossipgrid from 'gossipgrid'
import { benchLogger } from '../bench-logger.ts'
import type { City } from '../../packages/cli/src/demo/story/cities.ts'

import type { CityRow, QueryContender } from './contender.ts'
import { tanStackDb } from './tanstack-db.ts'

const PAGE = 20

const gossipgrid: QueryContender = {
  name: 'gossipgrid',
  packages: [],
  modules: ['gossipgrid'],
  shown: '',
  remark:
    'Values are stored as bytes and replicated. A query decodes the rows that it gives, a scan only those that may match.',
  open: async (load) => {
    const { openGrid } = (await load('gossipgrid')) as unknown as typeof Gossipgrid
    const grid = await openGrid({ name: 'versus', listen: [], mdns: false, logger: benchLogger })
    const cities = grid.map<City>('cities')
    const found = async (query: Gossipgrid.Query<City>): Promise<number[]> =>
      (await cities.query(query)).rows.map(({ value }) => value.population)
    return {
      fill: async (rows) => {
        await cities.setMany(entriesOf(rows))
        await cities.index('name')
        await cities.index('population')
      },
      byName: (name) => found({ where: { name } }),
      within: (low, high) =>
        found({ where: { population: { $gte: low, $lte: high } }, orderBy: '-population', limit: PAGE }),
      inRegion: (country, adminCode) => found({ where: { country, adminCode } }),
      follow: async (limit, listener) => {
        const live = await cities.live({ orderBy: '-population', ...(limit !== undefined && { limit }) })
        live.subscribe(listener)
        return { first: () => live.rows[0]!.value.population, end: live.close }
      },
      change: ({ id, ...city }) => cities.set(id, city),
    }
  },
}

function* entriesOf(rows: Iterable<CityRow>): Generator<[string, City]> {
  for (const { id, ...city } of rows) yield [id, city]
}

interface RxDocument {
  readonly population: number
}
interface RxQuery {
  exec(): Promise<readonly RxDocument[]>
  readonly $: { subscribe(listener: (documents: readonly RxDocument[]) => void): { unsubscribe(): void } }
}
interface RxCollection {
  bulkInsert(rows: readonly CityRow[]): Promise<unknown>
  upsert(row: CityRow): Promise<unknown>
  find(query: object): RxQuery
}
interface RxDatabase {
  addCollections(collections: object): Promise<{ readonly cities: RxCollection }>
}

const RX_SCHEMA = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 12 },
    name: { type: 'string', maxLength: 100 },
    country: { type: 'string' },
    adminCode: { type: 'string' },
    population: { type: 'number', minimum: 0, maximum: 1_000_000_000, multipleOf: 1 },
    loc: { type: 'object' },
  },
  required: ['id', 'name', 'population'],
  indexes: ['name', 'population'],
}
const RX_BATCH = 5000

const rxdb: QueryContender = {
  name: 'RxDB, memory storage',
  packages: ['rxdb', 'rxjs'],
  modules: ['rxdb', 'rxdb/plugins/storage-memory'],
  shown: 'rxdb',
  remark:
    'Documents with revisions and a schema; live queries are kept current by EventReduce, and give arrays of documents.',
  open: async (load) => {
    const { createRxDatabase } = (await load('rxdb')) as unknown as {
      createRxDatabase(options: object): Promise<RxDatabase>
    }
    const { getRxStorageMemory } = (await load('rxdb/plugins/storage-memory')) as unknown as {
      getRxStorageMemory(): unknown
    }
    const database = await createRxDatabase({ name: 'versus', storage: getRxStorageMemory(), eventReduce: true })
    const { cities } = await database.addCollections({ cities: { schema: RX_SCHEMA } })
    const found = async (query: object): Promise<number[]> =>
      (await cities.find(query).exec()).map(({ population }) => population)
    return {
      fill: async (rows) => {
        for (const batch of batchesOf(rows, RX_BATCH)) await cities.bulkInsert(batch)
      },
      byName: (name) => found({ selector: { name } }),
      within: (low, high) =>
        found({ selector: { population: { $gte: low, $lte: high } }, sort: [{ population: 'desc' }], limit: PAGE }),
      inRegion: (country, adminCode) => found({ selector: { country, adminCode } }),
      follow: async (limit, listener) => {
        const query = cities.find({ sort: [{ population: 'desc' }], ...(limit !== undefined && { limit }) })
        let rows: readonly RxDocument[] = []
        const subscription = await new Promise<{ unsubscribe(): void }>((resolve) => {
          const made = query.$.subscribe((documents) => {
            rows = documents
            listener()
            // The first rows may come before `subscribe` has returned.
            void Promise.resolve().then(() => resolve(made))
          })
        })
        return { first: () => rows[0]!.population, end: () => subscription.unsubscribe() }
      },
      change: (row) => cities.upsert(row),
    }
  },
}

function* batchesOf(rows: Iterable<CityRow>, size: number): Generator<CityRow[]> {
  let batch: CityRow[] = []
  for (const row of rows) {
    batch.push(row)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  yield batch
}

interface TinyStore {
  transaction(write: () => void): void
  setRow(table: string, row: string, cells: object): void
  setCell(table: string, row: string, cell: string, value: number): void
  getCell(table: string, row: string, cell: string): unknown
}
interface TinyIndexes {
  setIndexDefinition(index: string, table: string, cell: string): void
  getSliceRowIds(index: string, slice: string): string[]
}
type GetCell = (cell: string) => unknown
interface TinyQueries {
  setQueryDefinition(
    query: string,
    table: string,
    define: (keywords: { select(cell: string): void; where(holds: (getCell: GetCell) => boolean): void }) => void,
  ): void
  delQueryDefinition(query: string): void
  getResultRowIds(query: string): string[]
  getResultSortedRowIds(query: string, cell: string, descending: boolean, offset?: number, limit?: number): string[]
  addResultSortedRowIdsListener(
    query: string,
    cell: string,
    descending: boolean,
    offset: number,
    limit: number | undefined,
    listener: () => void,
  ): string
  delListener(id: string): void
}

const tinyBase: QueryContender = {
  name: 'TinyBase',
  packages: ['tinybase'],
  modules: ['tinybase'],
  shown: 'tinybase',
  remark:
    'Cells of rows, without nested values here. An index finds equal values, by row id; queries use none, and look at every row when they are defined.',
  open: async (load) => {
    const { createStore, createIndexes, createQueries } = (await load('tinybase')) as unknown as {
      createStore(): TinyStore
      createIndexes(store: TinyStore): TinyIndexes
      createQueries(store: TinyStore): TinyQueries
    }
    const store = createStore()
    const indexes = createIndexes(store)
    const queries = createQueries(store)
    const populations = (ids: readonly string[]): number[] =>
      ids.map((id) => store.getCell('cities', id, 'population') as number)
    const once = (holds: (getCell: GetCell) => boolean, ids: () => readonly string[]): number[] => {
      queries.setQueryDefinition('once', 'cities', ({ select, where }) => {
        select('population')
        where(holds)
      })
      const result = populations(ids())
      queries.delQueryDefinition('once')
      return result
    }
    return {
      fill: (rows) => {
        store.transaction(() => {
          for (const { id, loc, ...cells } of rows) {
            const [longitude, latitude] = loc.coordinates
            store.setRow('cities', id, { ...cells, longitude, latitude })
          }
        })
        indexes.setIndexDefinition('byName', 'cities', 'name')
      },
      byName: (name) => populations(indexes.getSliceRowIds('byName', name)),
      within: (low, high) =>
        once(
          (getCell) => (getCell('population') as number) >= low && (getCell('population') as number) <= high,
          () => queries.getResultSortedRowIds('once', 'population', true, 0, PAGE),
        ),
      inRegion: (country, adminCode) =>
        once(
          (getCell) => getCell('country') === country && getCell('adminCode') === adminCode,
          () => queries.getResultRowIds('once'),
        ),
      follow: async (limit, listener) => {
        queries.setQueryDefinition('live', 'cities', ({ select }) => select('population'))
        const first = (): number => populations(queries.getResultSortedRowIds('live', 'population', true, 0, 1))[0]!
        const id = queries.addResultSortedRowIdsListener('live', 'population', true, 0, limit, listener)
        return { first, end: () => (queries.delListener(id), queries.delQueryDefinition('live')) }
      },
      change: ({ id, population }) => store.setCell('cities', id, 'population', population),
    }
  },
}

const plain: QueryContender = {
  name: 'an array and `filter`',
  packages: [],
  modules: [],
  shown: '',
  remark: 'Objects in an array: no index, nothing live, nothing stored. It is there to compare with.',
  open: async () => {
    let all: CityRow[] = []
    const places = new Map<string, number>()
    const populations = (rows: readonly CityRow[]): number[] => rows.map(({ population }) => population)
    return {
      fill: (rows) => {
        all = [...rows]
        for (const [place, { id }] of all.entries()) places.set(id, place)
      },
      byName: (name) => populations(all.filter((row) => row.name === name)),
      within: (low, high) =>
        populations(all.filter(({ population }) => population >= low && population <= high))
          .toSorted((one, other) => other - one)
          .slice(0, PAGE),
      inRegion: (country, adminCode) =>
        populations(all.filter((row) => row.country === country && row.adminCode === adminCode)),
      change: (row) => void (all[places.get(row.id)!] = row),
    }
  },
}

/** In the order of the table. */
export const QUERY_CONTENDERS: readonly QueryContender[] = [gossipgrid, rxdb, tinyBase, tanStackDb, plain]
