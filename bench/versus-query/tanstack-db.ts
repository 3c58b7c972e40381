import type * as TanStack from '@tanstack/react-db'
import type { CityRow, QueryContender } from './contender.ts'

const PAGE = 20

/** Its types are here, since this repository has an adapter for it. */
export const tanStackDb: QueryContender = {
  name: 'TanStack DB',
  packages: ['@tanstack/db'],
  modules: ['@tanstack/db'],
  shown: '@tanstack/db',
  remark:
    'A local collection with two B-tree indexes. All queries are live ones; one that is asked once (`queryOnce`) is set up, read and taken down.',
  open: async (load) => {
    const {
      BTreeIndex,
      and,
      createCollection,
      createLiveQueryCollection,
      eq,
      gte,
      localOnlyCollectionOptions,
      lte,
      queryOnce,
    } = (await load('@tanstack/db')) as unknown as typeof TanStack
    const collectionOf = (initialData: CityRow[]) =>
      createCollection(localOnlyCollectionOptions({ getKey: ({ id }: CityRow) => id, initialData }))
    let cities = collectionOf([])
    const populations = (rows: readonly { readonly population: number }[]): number[] =>
      rows.map(({ population }) => population)
    return {
      fill: async (rows) => {
        cities = collectionOf([...rows])
        await cities.preload()
        cities.createIndex(({ name }) => name, { indexType: BTreeIndex })
        cities.createIndex(({ population }) => population, { indexType: BTreeIndex })
      },
      byName: async (name) =>
        populations(await queryOnce((q) => q.from({ city: cities }).where(({ city }) => eq(city.name, name)))),
      within: async (low, high) =>
        populations(
          await queryOnce((q) =>
            q
              .from({ city: cities })
              .where(({ city }) => and(gte(city.population, low), lte(city.population, high)))
              .orderBy(({ city }) => city.population, 'desc')
              .limit(PAGE),
          ),
        ),
      inRegion: async (country, adminCode) =>
        populations(
          await queryOnce((q) =>
            q.from({ city: cities }).where(({ city }) => and(eq(city.country, country), eq(city.adminCode, adminCode))),
          ),
        ),
      follow: async (limit, listener) => {
        const live = createLiveQueryCollection((q) => {
          const ordered = q.from({ city: cities }).orderBy(({ city }) => city.population, 'desc')
          return limit === undefined ? ordered : ordered.limit(limit)
        })
        await live.preload()
        const subscription = live.subscribeChanges(listener)
        const first = (): number => live.values().next().value!.population
        return { first, end: () => (subscription.unsubscribe(), live.cleanup()) }
      },
      change: ({ id, population }) => cities.update(id, (draft) => void Object.assign(draft, { population })),
    }
  },
}
