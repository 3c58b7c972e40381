import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Row } from '../entries/entry-table.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { KINDS } from '../kinds/kinds.ts'
import { KNOWN_VERSIONS_MAX_BYTES } from '../limits.ts'
import { Replica } from '../replica/replica.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { KnownVersions } from './known-versions.ts'

const WRITERS = ['00000000000000aa', 'ffffffffffffffff']

function setup(kind: CollectionKind): {
  known: KnownVersions
  replica: Replica
  name: { collection: string; kind: number; partition: number }
} {
  const ids = new ReplicaIds()
  for (const id of WRITERS) ids.intern(id)
  const replica = new Replica(ids, 1, kind)
  return { known: new KnownVersions(ids), replica, name: { collection: 'c', kind: KINDS[kind].code, partition: 16 } }
}

it.each(['map', 'sets'] as const)('of two versions of a row of %s the one is later that a replica keeps', (kind) => {
  const version = fc.record({
    hlc: fc.integer({ min: 1, max: 2 }),
    writer: fc.integer({ min: 0, max: 1 }),
    sequence: fc.integer({ min: 1, max: 3 }),
    isDelete: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(version, { selector: ({ writer, sequence }) => `${writer} ${sequence}` }),
      (versions) => {
        const { known, replica, name } = setup(kind)
        const key = kind === 'map' ? 'k' : 'k\u0001e\u0000s'
        for (const { isDelete, ...each } of versions) {
          const bytes = isDelete ? undefined : Uint8Array.of(1)
          const row: Row = { key, ...each, replaced: 0, bytes, start: 0, end: isDelete ? 0 : 1 }
          known.note(name, row)
          replica.merge(row)
        }
        const [first] = known.of(name, kind === 'map' ? 'k' : 'k\u0001e')
        const slot = replica.table.slotOf(key)
        expect(first === undefined).toBe(slot === undefined)
        if (first !== undefined) expect(replica.compare(first, slot!)).toBe(0)
      },
    ),
  )
})

it('what was used longest ago is forgotten first, and what is left stays within its limit', () => {
  const { known, name } = setup('map')
  const row = {
    hlc: 1,
    writer: 0,
    sequence: 1,
    replaced: 0,
    bytes: new Uint8Array(64 * 1024),
    start: 0,
    end: 64 * 1024,
  }
  const count = (2 * KNOWN_VERSIONS_MAX_BYTES) / row.end
  for (let i = 0; i < count; i++) {
    known.note(name, { ...row, key: `${i}` })
    known.note(name, { ...row, key: '0' })
  }
  const isKnown = (i: number): boolean => [...known.of(name, `${i}`)].length === 1
  const left = Array.from({ length: count }, (_, i) => i).filter(isKnown)
  expect(left[0]).toBe(0)
  expect(left.slice(1)).toEqual(Array.from({ length: left.length - 1 }, (_, i) => count - left.length + 1 + i))
  expect(left.length * row.end).toBeLessThanOrEqual(KNOWN_VERSIONS_MAX_BYTES)
  expect(left.length).toBeGreaterThan(count / 3)
})
