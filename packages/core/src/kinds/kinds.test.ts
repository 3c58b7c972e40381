import { expect, test } from 'vitest'
import {
  DOCUMENTS,
  DROPS,
  GUESTS,
  KINDS,
  KIND_CODES,
  MAP_CODE,
  REGISTRY,
  descriptorOf,
  isSameCollection,
  isReserved,
  kindCode,
  rulesOf,
} from './kinds.ts'
import type { CollectionKind } from './kinds.ts'

const kinds = Object.keys(KINDS) as CollectionKind[]

test('the codes are those of the wire and of stores, for ever', () => {
  const codes = Object.fromEntries(kinds.map((kind) => [kind, KINDS[kind].code]))
  const first = { map: 1, counter: 2, set: 3, fields: 4, registry: 5, document: 6 }
  expect(codes).toEqual({ ...first, counters: 7, sets: 8, drops: 9, guests: 10 })
  expect(KIND_CODES).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(MAP_CODE).toBe(1)
})

test('a code leads to the descriptor and the rules it was made from', () => {
  for (const kind of kinds) {
    const descriptor = { name: 'users', kind, mode: 'replicated', partitions: 1 } as const
    const code = kindCode(descriptor)
    expect(descriptorOf('users', code)).toEqual(descriptor)
    expect(rulesOf(code)).toBe(KINDS[kind])
  }
})

test('two collections that differ in kind, partitions or owners are not the same', () => {
  const users = descriptorOf('users', MAP_CODE)!
  const partitioned = descriptorOf('users', MAP_CODE, { partitions: 16, owners: 3 })!
  expect(isSameCollection(users, { ...users })).toBe(true)
  expect(isSameCollection(partitioned, { ...partitioned })).toBe(true)
  for (const other of [partitioned, { ...users, kind: 'set' as const }, { ...users, name: 'other' }]) {
    expect(isSameCollection(users, other)).toBe(false)
  }
  expect(isSameCollection(partitioned, { ...partitioned, owners: 2 })).toBe(false)
  expect(isSameCollection(partitioned, { ...partitioned, partitions: 32 })).toBe(false)
})

test('the code of a later version has neither', () => {
  for (const code of [0, 11, 255, -1, 1.5]) {
    expect(descriptorOf('users', code)).toBeUndefined()
    expect(rulesOf(code)).toBeUndefined()
  }
})

test("the grid's own collections have one name each", () => {
  const own = [REGISTRY, DOCUMENTS, DROPS, GUESTS]
  expect(own.map(({ name }) => name)).toEqual(['grid', 'documents', 'drops', 'guests'])
  expect(own.every(isReserved)).toBe(true)
  expect(isReserved({ ...REGISTRY, name: 'other' })).toBe(false)
  expect(kinds.filter((kind) => isReserved({ ...REGISTRY, kind }))).toEqual(['registry'])
})
