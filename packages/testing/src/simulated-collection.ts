import type { CollectionDescriptor, CollectionKind } from '@gossipgrid/core'

/** Kinds of collections that applications use in a simulation; `expiry` is a map whose entries expire. */
export const SIMULATED_KINDS = ['map', 'counter', 'set', 'fields', 'expiry'] as const

export type SimulatedKind = (typeof SIMULATED_KINDS)[number]

/** A collection that all peers of a simulation share. */
export interface SimulatedCollection extends CollectionDescriptor {
  /** The kind's code on the wire. Written a second time on purpose, since it must never change. */
  readonly code: number
}

const CODES: Readonly<Partial<Record<CollectionKind, number>>> = {
  map: 1,
  counter: 2,
  set: 3,
  fields: 4,
  document: 6,
  counters: 7,
  sets: 8,
  drops: 9,
}
/** Kinds in which a remove has the HLC reading of the add that it removes. */
const ADD_WINS: readonly CollectionKind[] = ['set', 'counters', 'sets']

/** Whether the kind with this code is one of those. */
export function isAddWinsCode(code: number): boolean {
  return ADD_WINS.some((kind) => CODES[kind] === code)
}

/** The code of a kind. */
export function codeOf(kind: CollectionKind): number {
  return CODES[kind]!
}

export function simulatedCollection(name: string, kind: CollectionKind): SimulatedCollection {
  return { name, kind, mode: 'replicated', partitions: 1, code: CODES[kind]! }
}

/** Whether a tombstone of the collection removes an add that its writer had seen, and nothing else. */
export function addWins({ kind }: SimulatedCollection): boolean {
  return ADD_WINS.includes(kind)
}
