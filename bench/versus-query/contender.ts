import type { City } from '../../packages/cli/src/demo/story/cities.ts'
import type { Load } from '../versus/contender.ts'

/** A city with its key, as most stores want it. */
export type CityRow = City & { readonly id: string }

/** A library whose queries are measured beside those of others. */
export interface QueryContender {
  readonly name: string
  /** What npm installs. */
  readonly packages: readonly string[]
  /** What it imports. It is imported before anything is measured. */
  readonly modules: readonly string[]
  /** The package whose version is shown; '' for none. */
  readonly shown: string
  /** What a reader has to know to compare the figures. */
  readonly remark: string
  /** Opens an empty store. */
  readonly open: (load: Load) => Promise<QueryStore>
}

/**
 * Cities in a store. Each query gives the populations of what it has found, which are read from its rows, so that all contenders can be
 * compared with the same result.
 */
export interface QueryStore {
  /** Takes all cities, and has its indexes on name and population afterwards. */
  fill(rows: Iterable<CityRow>): unknown
  /** All cities of one name. There is an index on it. */
  byName(name: string): Populations
  /** The 20 largest within two bounds, the largest first. There is an index on the population. */
  within(low: number, high: number): Populations
  /** All cities of one country and region. There is no index on either. */
  inRegion(country: string, adminCode: string): Populations
  /** Follows all cities in the order of their population, or the first ones of them. Undefined if it cannot. */
  readonly follow?: (limit: number | undefined, listener: () => void) => Promise<Followed>
  /** Writes one city. */
  change(row: CityRow): unknown
}

export type Populations = readonly number[] | Promise<readonly number[]>

/** A live query. */
export interface Followed {
  /** The population of the largest city, from the rows of the live query. */
  first(): number
  end(): unknown
}
