import type { Application } from './application.ts'
import { CounterApplication } from './counter-application.ts'
import { ExpiryApplication } from './expiry-application.ts'
import { FieldsApplication } from './fields-application.ts'
import type { Ledger } from './ledger.ts'
import { MapApplication } from './map-application.ts'
import type { MapTraits } from './map-application.ts'
import type { SimulatedKind } from './simulated-collection.ts'
import { simulatedCollection } from './simulated-collection.ts'
import { SetApplication } from './set-application.ts'

export interface ApplicationTraits {
  readonly kinds: readonly SimulatedKind[]
  /** Names of the plain maps. */
  readonly maps: readonly string[]
  readonly map: MapTraits
  readonly elements: number
  readonly objects: number
  readonly leases: number
  /** Longest life of an entry that expires. */
  readonly ttlMaxMs: number
}

/** One application for each kind of collection. */
export function makeApplications(traits: ApplicationTraits, ledger: Ledger): Application[] {
  const { kinds, maps, map, elements, objects, leases, ttlMaxMs } = traits
  const make: Readonly<Record<SimulatedKind, () => Application>> = {
    map: () =>
      new MapApplication(
        maps.map((name) => simulatedCollection(name, 'map')),
        map,
      ),
    counter: () => new CounterApplication(simulatedCollection('hits', 'counter')),
    set: () => new SetApplication(simulatedCollection('tags', 'set'), elements),
    fields: () => {
      const fieldsTraits = { objects, ttlMaxMs: kinds.includes('expiry') ? ttlMaxMs : 0 }
      return new FieldsApplication(simulatedCollection('users', 'fields'), fieldsTraits)
    },
    expiry: () => new ExpiryApplication(simulatedCollection('leases', 'map'), ledger, { keys: leases, ttlMaxMs }),
  }
  return kinds.map((kind) => make[kind]())
}
