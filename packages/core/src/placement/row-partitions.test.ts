import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ELEMENT_SEPARATOR, compositeKey } from '../bytes/composite-key.ts'
import { KINDS } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { partitionIndex } from './key-slots.ts'
import { mayBePartitioned, rowBelongs } from './row-partitions.ts'

const plain = fc.string({ unit: fc.constantFrom('a', 'b', '{', '}', ':', 'é'), minLength: 1, maxLength: 12 })
const partitionCount = fc.constantFrom(16, 256, 4096)

/** The keys of rows that belong to one key of an application. */
const ROW_KEYS: Partial<Record<CollectionKind, (key: string, other: string) => readonly string[]>> = {
  map: (key) => [key],
  set: (element, other) => [compositeKey(element, other)],
  fields: (key, other) => [key, compositeKey(key, other)],
  counters: (key, other) => [compositeKey(key, other), compositeKey(key, `${other}-${other}`)],
  sets: (key, other) => [compositeKey(`${key}${ELEMENT_SEPARATOR}${other}`, other)],
}

it.each(Object.keys(ROW_KEYS) as (keyof typeof ROW_KEYS)[])(
  'all rows of a key of %s belong to the partition of that key, and to no other',
  (kind) => {
    fc.assert(
      fc.property(plain, plain, partitionCount, (key, other, count) => {
        const index = partitionIndex(key, count)
        for (const row of ROW_KEYS[kind]!(key, other)) {
          expect(rowBelongs({ kind: KINDS[kind].code, partition: count + index }, row)).toBe(true)
          const next = count + ((index + 1) % count)
          expect(rowBelongs({ kind: KINDS[kind].code, partition: next }, row)).toBe(false)
        }
      }),
    )
  },
)

it('every row of a replicated collection belongs to its one partition', () => {
  fc.assert(
    fc.property(plain, (key) => {
      for (const { code } of Object.values(KINDS)) expect(rowBelongs({ kind: code, partition: 0 }, key)).toBe(true)
    }),
  )
})

it('kinds whose rows have no key of an application are not partitioned', () => {
  const partitioned = (Object.keys(KINDS) as CollectionKind[]).filter(mayBePartitioned)
  expect(partitioned.toSorted()).toEqual(Object.keys(ROW_KEYS).toSorted())
  for (const kind of ['counter', 'registry', 'document'] as const) {
    for (let index = 0; index < 16; index++) {
      expect(rowBelongs({ kind: KINDS[kind].code, partition: 16 + index }, 'a')).toBe(false)
    }
  }
})

it('a kind of a later version is left to that version', () => {
  expect(rowBelongs({ kind: 99, partition: 17 }, 'a')).toBe(true)
})
