import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashText } from '../bytes/hash.ts'
import { KeyIndex } from './key-index.ts'
import type { KeyedSlots } from './key-index.ts'

/** Slots that know their keys, as a table's do. */
function keyed(keys: readonly string[], hashOf: (key: string) => number): KeyedSlots {
  return {
    key: (slot) => keys[slot]!,
    keyHash: (slot) => hashOf(keys[slot]!),
    holdsKey: (slot, key) => keys[slot] === key,
  }
}

/** Adds `keys` as slots 0, 1, 2, …, with the hash that `hashOf` gives. */
function indexOf(keys: readonly string[], hashOf: (key: string) => number): KeyIndex {
  const index = new KeyIndex(keyed(keys, hashOf))
  for (const [slot, key] of keys.entries()) index.add(slot, hashOf(key))
  return index
}

const honest = (key: string): number => hashText(key, 7)

describe('an index of keys', () => {
  it('finds the keys that were added and no others, for any hashes', () => {
    const keysOf = fc.uniqueArray(fc.string({ maxLength: 8 }), { maxLength: 400 })
    fc.assert(
      fc.property(keysOf, keysOf, fc.integer({ min: 0, max: 32 }), (keys, others, bits) => {
        // The fewer bits of the hash are left, the more keys share it.
        const hashOf = (key: string): number => (bits === 32 ? honest(key) : honest(key) % 2 ** bits)
        const index = indexOf(keys, hashOf)
        keys.forEach((key, slot) => expect(index.find(key, hashOf(key))).toBe(slot))
        for (const other of others) {
          const slot = keys.indexOf(other)
          expect(index.find(other, hashOf(other))).toBe(slot < 0 ? undefined : slot)
        }
      }),
    )
  })

  it('forgets removed keys, whose slots go to other keys, and finds all keys of a hash', () => {
    const size = { maxLength: 800, size: 'max' } as const
    const steps = fc.array(fc.record({ name: fc.nat(200), removes: fc.boolean() }), size)
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 32 }), fc.nat(200), (history, bits, same) => {
        const names = new Map(Array.from({ length: 201 }, (_, name) => [`key ${name}`, name]))
        // Some keys share one hash, as the rows of a set or a document do, and others do not.
        const hashOf = (key: string): number => {
          if (names.get(key)! < same) return 42
          return bits === 32 ? honest(key) : (honest(key) % 2 ** bits) * 0x10001 + 43
        }
        const keys: string[] = []
        const index = new KeyIndex(keyed(keys, hashOf))
        const model = new Map<string, number>()
        const free: number[] = []
        let sharing = 0
        for (const { name, removes } of history) {
          const key = `key ${name}`
          const slot = model.get(key)
          if (name < same && (slot === undefined || removes)) sharing += slot === undefined ? 1 : -1
          expect(index.find(key, hashOf(key))).toBe(slot)
          if (slot === undefined) {
            const taken = free.pop() ?? keys.length
            keys[taken] = key
            index.add(taken, hashOf(key))
            model.set(key, taken)
          } else if (removes) {
            index.remove(slot, hashOf(key))
            model.delete(key)
            free.push(slot)
          }
          if (same > 0 && index.withHash(42).length !== sharing) throw new Error('a key of the hash is not found')
        }
        for (const key of model.keys()) {
          const all = [...model].filter(([other]) => hashOf(other) === hashOf(key)).map(([, slot]) => slot)
          expect(index.withHash(hashOf(key)).toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b))
        }
      }),
    )
  })

  it.each([0, 3, 32])('is the same beyond the number of keys of one part, where %i bits of the hash differ', (bits) => {
    const keys = Array.from({ length: 1500 }, (_, i) => `user:${i}`)
    const hashOf = (key: string): number => (bits === 32 ? honest(key) : honest(key) % 2 ** bits)
    const index = indexOf(keys, hashOf)
    for (let slot = 0; slot < keys.length; slot += 2) index.remove(slot, hashOf(keys[slot]!))
    keys.forEach((key, slot) => expect(index.find(key, hashOf(key))).toBe(slot % 2 === 0 ? undefined : slot))
    const sharing = keys.flatMap((key, slot) => (slot % 2 === 1 && hashOf(key) === hashOf(keys[1]!) ? [slot] : []))
    expect(index.withHash(hashOf(keys[1]!)).toSorted((a, b) => a - b)).toEqual(sharing)
  })

  it('finds all keys of a hash, also those that found no cell before others went and the index grew', () => {
    const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`)
    const hashes = new Map(keys.map((key, slot) => [key, slot < 70 ? 42 : honest(key)]))
    const index = new KeyIndex(keyed(keys, (key) => hashes.get(key)!))
    for (let slot = 0; slot < 70; slot++) index.add(slot, 42)
    expect(index.crowdedCount).toBe(6)
    for (let slot = 0; slot < 40; slot++) index.remove(slot, 42)
    for (let slot = 70; slot < keys.length; slot++) index.add(slot, hashes.get(keys[slot]!)!)
    expect(index.withHash(42).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => 40 + i))
  })

  it('crowds no honest key out among a million', () => {
    const keys = Array.from({ length: 1_000_000 }, (_, i) => `user:${i}`)
    const index = indexOf(keys, honest)
    expect(index.crowdedCount).toBe(0)
    for (let slot = 0; slot < keys.length; slot += 997) expect(index.find(keys[slot]!, honest(keys[slot]!))).toBe(slot)
  })

  it('stays fast with keys that were chosen to share a hash', () => {
    const keys = Array.from({ length: 200_000 }, (_, i) => `evil ${i}`)
    // Compared one with the other this would be twenty thousand million comparisons.
    const index = indexOf(keys, () => 42)
    expect(index.crowdedCount).toBe(keys.length - 64)
    for (let slot = 0; slot < keys.length; slot++) expect(index.find(keys[slot]!, 42)).toBe(slot)
    expect(index.find('missing', 42)).toBeUndefined()
  })
})
